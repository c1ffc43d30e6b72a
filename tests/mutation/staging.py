"""A copy of the product that may be mutated: all packages in one folder, as mutmut wants them."""

import ast
import fnmatch
import hashlib
import json
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("shared/harmonic_protocol", "shared/harmonic_runtime", "gateway/harmonic_gateway"),
    *(
        "state-service/harmonic_state",
        "music-service/harmonic_music",
        "deploy/local/harmonic_local",
    ),
)
#: A test that computes for so much longer than usual computes for ever. Time of the processor: on a
#: busy machine any mutant may take long, and that is no notice.
LIMIT_CPU_S = 5
#: By the clock: a test that takes so long waits for ever.
PATIENCE_S = 300
#: mutmut's own bound for all tests of a mutant, by the clock: more than any takes.
TIMEOUT_S = 3600.0
#: Property tests try one in so many of their usual examples. This saves time and hides nothing: a
#: mutant that only the other examples would show counts as one that survives.
FEWER_EXAMPLES = 4
#: Of no use here, and what takes longest where a test takes a millisecond.
_WITHOUT = ("cacheprovider", "threadexception", "unraisableexception")
#: Packages that mutants which import the product anew need not import anew, too.
_FOREIGN = ("aiohttp", "hypothesis", "jwt", "nats", "prometheus_client", "pydantic", "socketio")
_FOREIGN_FILE = "foreign.txt"

_CONFTEST = f'''"""The same examples in each run, none made smaller; and what is quick, first."""

import functools
import gc
import math
import resource
import sys
import time

from hypothesis import HealthCheck, Phase, settings
from mutmut.mutation import trampoline
from mutmut.state import state

settings.register_profile(
    "mutation",
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    # On a busy machine any mutant may take long, and that is no notice.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
_called_by_import = set()


def runs_mutant():
    # Only a process that runs one mutant has a limit.
    return resource.getrlimit(resource.RLIMIT_CPU)[1] != resource.RLIM_INFINITY


def pytest_collection_modifyitems(items):
    usual_s = state().duration_by_test
    items.sort(key=lambda item: usual_s.get(item.nodeid, 0))
    for item in items:
        reduce_examples(item.obj)
    # What makes a module's tables is called before any test: each may depend on it.
    _called_by_import.update(state()._stats)
    forget_results()
    if runs_mutant():
        # What was imported is no garbage, and need not be looked at each time.
        gc.freeze()
        # It stays the same, and every call of a function that is mutated asks for it.
        mutant = trampoline.get_mutant_under_test()
        trampoline.get_mutant_under_test = lambda: mutant


def forget_results():
    # What a function kept in an earlier run is not to be returned in this one: neither in place of
    # a mutant's result, nor to a test that counts how often it is called.
    for name, module in list(sys.modules.items()):
        if name.startswith("harmonic_"):
            for one in vars(module).values():
                if isinstance(one, functools._lru_cache_wrapper):
                    one.cache_clear()


def reduce_examples(test):
    # A change that is noticed at all is noticed early.
    known = getattr(test, "_hypothesis_internal_use_settings", None)
    if known is not None and not hasattr(test, "has_fewer_examples"):
        fewer = max(known.max_examples // {FEWER_EXAMPLES}, 10)
        test._hypothesis_internal_use_settings = settings(known, max_examples=fewer)
        test.has_fewer_examples = True


def pytest_runtest_setup(item):
    state()._stats.update(_called_by_import)
    if runs_mutant():
        usual_s = state().duration_by_test.get(item.nodeid, 0)
        limit_s = math.ceil(time.process_time() + 2 * usual_s + {LIMIT_CPU_S})
        hard_s = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, hard_s))
'''


@dataclass(frozen=True)
class Group:
    """Modules that are mutated, as patterns of paths, and the tests that have to notice."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    #: Whether each mutant imports the modules anew, so that their tables can be mutated, too.
    anew: bool = False

    def has(self, module: str) -> bool:
        """Whether the module of that path is to be mutated."""
        return any(fnmatch.fnmatch(module, pattern) for pattern in self.modules)


def groups() -> list[Group]:
    """All groups, as ``targets.toml`` lists them."""
    listed = tomllib.loads((ROOT / "tests/mutation/targets.toml").read_text())
    return [
        Group(name, tuple(group["modules"]), tuple(group["tests"]), group.get("anew", False))
        for name, group in listed.items()
    ]


def stage(group: Group, folder: Path, *, resumes: bool = False) -> None:
    """Copy the product and its tests into ``folder``, with mutmut's settings for the group.

    To resume, leave a copy of the same as it is: mutmut goes on with what it has not run there.
    """
    digest = _digest(group)
    staged = folder / "staged.txt"
    if resumes and staged.exists() and staged.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / Path(package).name, ignore=ignored)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignored)
    mutated = [
        path
        for path in folder.glob("harmonic_*/**/*.py")
        if group.has(str(path.relative_to(folder)))
    ]
    for path in mutated:
        source = decorate_afterwards(path.read_text())
        path.write_text(tables_from_functions(source) if group.anew else source)
    (folder / "conftest.py").write_text(_CONFTEST)
    pytest = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    pytest |= {"pythonpath": ["tests", "."], "timeout": PATIENCE_S}
    mutmut: dict[str, object] = {
        "source_paths": [Path(package).name for package in PACKAGES],
        "only_mutate": list(group.modules),
        "also_copy": ["conftest.py"],
        "pytest_add_cli_args_test_selection": list(group.tests),
        "pytest_add_cli_args": [
            "--hypothesis-profile=mutation",
            # Nobody reads why a test failed.
            "--assert=plain",
            *(word for plugin in _WITHOUT for word in ("-p", f"no:{plugin}")),
        ],
        "timeout_multiplier": 1.0,
        "timeout_constant": TIMEOUT_S,
        "use_git_change_detection": False,
    }
    if group.anew:
        (folder / _FOREIGN_FILE).write_text("\n".join(_FOREIGN))
        mutmut |= {
            "process_isolation": "forkserver",
            "forkserver_warmup": "import",
            "preload_modules_file": _FOREIGN_FILE,
        }
    (folder / "pyproject.toml").write_text(
        _table("tool.pytest.ini_options", pytest) + _table("tool.mutmut", mutmut)
    )
    staged.write_text(digest)


def _digest(group: Group) -> str:
    """What a group's results depend on: its settings, the product, and the tests."""
    found = hashlib.blake2b(f"{group} {_CONFTEST}".encode())
    for root in (*PACKAGES, "tests"):
        for path in sorted((ROOT / root).rglob("*.py")):
            found.update(f"{path} ".encode() + path.read_bytes())
    return found.hexdigest()


def _table(name: str, settings: dict[str, object]) -> str:
    # Strings, numbers, booleans and lists of them are written alike in JSON and TOML.
    return f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in settings.items())


def decorate_afterwards(source: str) -> str:
    """The module with each ``@decorator`` of a function applied in a line after it.

    mutmut passes over decorated functions, properties among them; this way it sees them.
    """
    lines = source.splitlines()
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef | ast.Module)
        for node in node.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for function in sorted(functions, key=lambda node: -node.lineno):
        decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
        if not decorators or decorators in (["staticmethod"], ["classmethod"]):
            continue
        applied = function.name
        for decorator in reversed(decorators):
            applied = f"{decorator}({applied})"
        indent = " " * function.col_offset
        end = function.end_lineno or function.lineno
        lines.insert(end, f"{indent}{function.name} = {applied}")
        del lines[function.decorator_list[0].lineno - 1 : function.lineno - 1]
    return "\n".join(lines) + "\n"


def tables_from_functions(source: str) -> str:
    """The module with each table that is assigned in it returned by a function.

    mutmut changes functions only; this way it sees what a table holds.
    """
    lines = source.splitlines()
    tables = [
        (node, node.targets[0] if isinstance(node, ast.Assign) else node.target, node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    ]
    for node, target, value in reversed(tables):
        if isinstance(value, ast.Dict | ast.Call | ast.Tuple) and isinstance(target, ast.Name):
            first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
            written = "\n".join(lines[first : last + 1])[value.col_offset :]
            body = ["", "", f"def make{target.id}():", f"    return {written}", "", ""]
            lines[first : last + 1] = [f"{lines[first][: value.col_offset]}make{target.id}()"]
            lines[node.lineno - 1 : node.lineno - 1] = body
    return "\n".join(lines) + "\n"

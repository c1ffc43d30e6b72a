"""Nothing grows beyond what one reads at a sitting, and no two classes share a name."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("shared/harmonic_protocol", "shared/harmonic_runtime", "shared/harmonic_operated"),
    "shared/client-python/harmonic_client",
    "shared/test-kit-python/harmonic_test_kit",
    "gateway/harmonic_gateway",
    *(
        "state-service/harmonic_state",
        "music-service/harmonic_music",
        "deploy/local/harmonic_local",
        "deploy/operator/harmonic_operator",
        "deploy/release/harmonic_release",
    ),
)

SCRIPTS = ("shared/client-ts/src", "shared/playground/src", "shared/test-kit-ts/src")

MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_METHODS = 18
MAX_CONSTRUCTOR_ARGUMENTS = 8
#: Each composes a process, read top to bottom; nothing else may be as long.
COMPOSITION_ROOTS = {"gateway", "state_service", "music_service"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, str]]:
    """The names and the sources of all modules of the product."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text()


def scripts() -> Iterator[tuple[str, str]]:
    """The same of TypeScript."""
    for package in SCRIPTS:
        for path in sorted((ROOT / package).rglob("*.ts*")):
            yield str(path.relative_to(ROOT)), path.read_text()


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for module, source in modules():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                yield module, node


def is_composed(node: ast.ClassDef) -> bool:
    """Whether it is a data class that holds more than values: one that is not frozen."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(
        decorator.startswith("dataclass") and "frozen=True" not in decorator
        for decorator in decorators
    )


def constructor_arguments(node: ast.ClassDef) -> int:
    """Those that its constructor takes; of a data class, the fields without a default."""
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            arguments = member.args
            listed = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            return len(listed) - 1
    if not is_composed(node):
        return 0
    return sum(isinstance(field, ast.AnnAssign) and field.value is None for field in node.body)


def test_no_module_is_too_long() -> None:
    every = (*modules(), *scripts())
    lengths = {module: len(source.splitlines()) for module, source in every}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{module}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module, source in modules()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, Function)
        and not (module.endswith("/service.py") and node.name in COMPOSITION_ROOTS)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def test_no_class_has_too_many_methods() -> None:
    methods = {
        f"{module}: {node.name}": sum(isinstance(member, Function) for member in node.body)
        for module, node in classes()
    }
    assert {name: number for name, number in methods.items() if number > MAX_METHODS} == {}


def test_no_constructor_takes_too_much() -> None:
    arguments = {
        f"{module}: {node.name}": constructor_arguments(node) for module, node in classes()
    }
    assert {
        name: number for name, number in arguments.items() if number > MAX_CONSTRUCTOR_ARGUMENTS
    } == {}


def test_no_class_name_stands_twice() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module, node in classes():
        if not node.name.startswith("_"):
            places[node.name].append(module)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize("root", sorted(COMPOSITION_ROOTS))
def test_each_composition_root_exists(root: str) -> None:
    assert any(
        isinstance(node, ast.AsyncFunctionDef) and node.name == root
        for module, source in modules()
        if module.endswith("/service.py")
        for node in ast.walk(ast.parse(source))
    )

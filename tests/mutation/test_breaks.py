"""Each deliberate break of a core is noticed by unit tests alone, within seconds."""

import compileall
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from mutation.forked import unit_tests
from mutation.staging import PACKAGES, ROOT

#: Much more than the tests of any break take, also on a busy machine: for those that do not end.
PATIENCE_S = 110


@dataclass(frozen=True)
class Break:
    """What is replaced in which module, and the tests that have to notice."""

    name: str
    module: str
    old: str
    new: str
    tests: tuple[str, ...]


BREAKS = [
    Break(**{**listed, "tests": tuple(listed["tests"])})
    for listed in tomllib.loads((ROOT / "tests/mutation/breaks.toml").read_text())["break"]
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product's packages that a test may break."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        name = Path(package).name
        shutil.copytree(ROOT / package, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    # Compiled once, and by its content: a break and its mending may be of one second and one size.
    compileall.compile_dir(copy, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    return copy


@pytest.fixture
def broken(tree: Path, request: pytest.FixtureRequest) -> Iterator[Break]:
    """The one break that there is in the copy while a test runs."""
    planted: Break = request.param
    module = tree / planted.module
    whole = module.read_text()
    assert whole.count(planted.old) == 1, f"{planted.module} has changed: see breaks.toml"
    module.write_text(whole.replace(planted.old, planted.new))
    yield planted
    module.write_text(whole)


def test_the_tests_pass_where_nothing_is_broken(tree: Path, tmp_path: Path) -> None:
    tests = sorted({test for planted in BREAKS for test in planted.tests})
    output = tmp_path / "output"
    assert unit_tests(tree, tests, output, PATIENCE_S) == 0, output.read_text()


@pytest.mark.parametrize("broken", BREAKS, ids=lambda planted: planted.name, indirect=True)
def test_a_break_is_noticed(tree: Path, broken: Break, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert unit_tests(tree, broken.tests, output, PATIENCE_S) == 1, output.read_text()
    assert "FAILED" in output.read_text()


def test_there_are_twenty_breaks_at_least_and_no_two_are_the_same() -> None:
    broken = {(planted.module, planted.old, planted.new) for planted in BREAKS}
    assert len(broken) == len(BREAKS) == len({planted.name for planted in BREAKS})
    assert len(broken) >= 20

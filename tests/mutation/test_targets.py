"""The groups of ``make mutate``: each module is mutated once, by tests that exist."""

from collections import Counter
from pathlib import Path

from mutation.staging import PACKAGES, ROOT, groups


def modules() -> list[str]:
    return [
        str(path.relative_to((ROOT / package).parent))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    ]


def test_each_module_is_mutated_in_one_group_at_most() -> None:
    mutated = Counter(name for name in modules() for group in groups() if group.has(name))
    assert [name for name, times in mutated.items() if times > 1] == []


def test_each_pattern_names_a_module_and_each_test_exists() -> None:
    known = {Path(name) for name in modules()}
    for group in groups():
        for pattern in group.modules:
            assert any(name.match(pattern) for name in known), pattern
        for test in group.tests:
            assert (ROOT / test).exists(), test

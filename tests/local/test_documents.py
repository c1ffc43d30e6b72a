"""What the READMEs point at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "tests/README.md"]
)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_tests_that_the_guides_table_names_exist() -> None:
    table = (ROOT / "tests/README.md").read_text()
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", table)
    assert named
    missing = [
        f"{file}::{test}"
        for file, test in named
        if f"def {test}(" not in (ROOT / "tests" / file).read_text()
    ]
    assert missing == []


def test_every_target_of_make_that_the_readme_names_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:`|^|\()make ([a-z]+)", readme, re.MULTILINE))
    assert {"run", "demo", "test"} <= named
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert named - targets == set()

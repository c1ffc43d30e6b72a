"""What operators' pages point to exists: pages, sections, files, commands, settings and targets."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy" / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NAMES = [str(page.relative_to(DOCS)) for page in PAGES]
_LINK = re.compile(r"\]\(([^)\s\[]+)\)")
_COMMAND = re.compile(r"(?:^|`|\| )harmonic ([a-z]+)", re.MULTILINE)
_SETTING = re.compile(r"\bHARMONIC_[A-Z_]+[A-Z]\b(?![_=\[…])")
_TARGET = re.compile(r"`make ([a-z]+)")
_FILE = re.compile(r"(?<![\w/.])(?:deploy|tests|shared)/[\w./-]*\w")


def anchors(page: Path) -> set[str]:
    """The names of a page's sections, as they are linked to."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in kept}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_to_a_page_and_its_section(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        name, _, section = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not section or section in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_target_setting_and_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    commands = anchors(DOCS / "commands.md")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    settings = set(re.findall(r"HARMONIC_[A-Z_]+", (DOCS / "settings.md").read_text()))
    assert set(_COMMAND.findall(text)) <= commands
    assert set(_TARGET.findall(text)) <= targets
    # A secret may stand in a file, whose name is a setting of its own.
    assert {name.removesuffix("_FILE") for name in _SETTING.findall(text)} <= {
        name.removesuffix("_FILE") for name in settings
    }
    assert [name for name in _FILE.findall(text) if not (ROOT / name).exists()] == []

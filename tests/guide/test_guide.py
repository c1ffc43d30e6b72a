"""Each program of the guide runs and prints what its page says; pages link to what is there."""

import json
import re
import sys
from pathlib import Path

import pytest

from client_ts.conftest import PROGRAMS as PROGRAMS_OF_CLIENT
from client_ts.conftest import TSC, Run
from guide.conftest import Reader
from guide.pages import DOCS, Program, blocks, programs
from harmonic_local.node import node
from harness.programs import run

PROGRAMS = programs()
RUN_TIMEOUT_S = 60.0
BUNDLE = PROGRAMS_OF_CLIENT.parent / "bundle.mjs"
USE_PAGE = Path(__file__).with_name("use_page.ts")
_LINK = re.compile(r"\]\(([^)#]+?)(?:#([^)]*))?\)")
#: What cannot run: commands for a terminal, and the formula of the clock.
_SHOWN = {"sh", "text", ""}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.file)
async def test_a_program_prints_what_its_page_says(
    program: Program, project: Path, reader: Reader
) -> None:
    path = project / program.file
    path.write_text(reader.own(program.text))

    interpreter = sys.executable if path.suffix == ".py" else node()
    ended = await run(interpreter, path, timeout_s=RUN_TIMEOUT_S)

    # Libraries may complain: python-engineio leaves sessions of aiohttp to the garbage collector.
    assert (ended.printed, ended.status) == (reader.own(program.output), 0), ended.complaints


async def test_the_page_of_react_works(project: Path, reader: Reader, run_node: Run) -> None:
    (page,) = (text for language, text in blocks(DOCS / "quick-start.md") if language == "tsx")
    (project / "page.tsx").write_text(reader.own(page))
    (project / "use_page.ts").write_text(reader.own(USE_PAGE.read_text()))
    await run_node(BUNDLE, project / "use_page.ts", project / "use_page.cjs")

    await run_node(project / "use_page.cjs")


async def test_the_programs_have_types(project: Path, run_node: Run) -> None:
    for program in PROGRAMS:
        if program.language == "ts":
            (project / program.file).write_text(program.text)
    options = {"strict": True, "noEmit": True, "target": "es2022", "module": "nodenext"}
    options |= {"types": ["node"], "jsx": "react-jsx", "skipLibCheck": True}
    (page,) = (text for language, text in blocks(DOCS / "quick-start.md") if language == "tsx")
    (project / "page.tsx").write_text(page)
    included = [program.file for program in PROGRAMS if program.language == "ts"]
    settings = {"compilerOptions": options, "files": [*included, "page.tsx"]}
    (project / "types.json").write_text(json.dumps(settings))

    await run_node(TSC, "--project", project / "types.json")


def test_every_block_is_run_or_cannot_be() -> None:
    run = {"ts", "js", "python", "tsx"}
    languages = {language for path in DOCS.glob("*.md") for language, _ in blocks(path)}

    assert languages <= run | _SHOWN
    assert {program.language for program in PROGRAMS} == run - {"tsx"}


def test_every_page_is_listed_and_links_lead_somewhere() -> None:
    pages = {path.name: path.read_text() for path in DOCS.glob("*.md")}
    links = {(name, link) for name, text in pages.items() for link in _LINK.findall(text)}

    assert {
        page for page in pages if page != "README.md" and f"({page})" not in pages["README.md"]
    } == set()
    for name, (target, anchor) in links:
        path = (DOCS / target).resolve()
        assert path.exists(), f"{name} links to {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, (name, anchor)

"""The examples beside the TypeScript client run: in Node, and in a real browser."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from client_ts.conftest import CLIENT, Run
from guide.conftest import Reader
from harness.chromium import PACKAGE, chromium
from harness.world import World, started

EXAMPLES = CLIENT / "examples"
USE_BROWSER = Path(__file__).with_name("use_browser.mts")


@pytest.fixture
async def open_to_pages(tmp_path: Path) -> AsyncIterator[World]:
    """A product that pages of all origins may use."""
    product = started(tmp_path / "stack", HARMONIC_ALLOWED_ORIGINS="*")
    async with product as stack, aiohttp.ClientSession() as http:
        yield World(stack, http)


async def test_the_program_of_node_saves_a_piece(
    project: Path, reader: Reader, run_node: Run, tmp_path: Path
) -> None:
    program = project / "compose.ts"
    program.write_text((EXAMPLES / "compose.ts").read_text())
    file = tmp_path / "piece.mid"

    said = await run_node(program, reader.url, reader.universe, file)

    assert re.fullmatch(r".*/piece\.mid: \d+ notes in C major\n", said)
    assert file.read_bytes().startswith(b"MThd")


async def test_the_page_without_a_build_step_works_in_two_windows(
    project: Path, open_to_pages: World, run_node: Run
) -> None:
    browser = await chromium()
    (project / "index.html").write_text((EXAMPLES / "page" / "index.html").read_text())
    tokens = {user: open_to_pages.token(user) for user in ("ann", "ben")}
    universe = await open_to_pages.universe()
    plan = {
        "browser": browser,
        "gateways": open_to_pages.stack.urls,
        "universe": universe,
        "tokens": tokens,
    }

    await run_node(USE_BROWSER, json.dumps(plan), project, PACKAGE)

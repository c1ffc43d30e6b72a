"""The TypeScript client, in Node, against two gateways."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from client_ts.conftest import CLIENT, PROGRAMS, Run, use
from harness.world import World, started


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[World]:
    """A product that takes few events of a connection at once."""
    limits = started(
        tmp_path / "stack",
        HARMONIC_ALLOWED_PARAMETER_UPDATES="600",
        HARMONIC_EVENTS_PER_S="20",
        HARMONIC_EVENTS_BURST="40",
    )
    async with limits as stack, aiohttp.ClientSession() as http:
        yield World(stack, http)


@pytest.mark.parametrize(
    "program",
    ["drag", "endless", "far", "held", "recovery", "refusals", "together", "tokens"],
)
async def test_programs_with_the_client_do_what_they_say(
    program: str, world: World, run_node: Run
) -> None:
    await use(world, run_node, PROGRAMS / f"{program}.mts")


async def test_the_example_application_of_at_most_60_lines_works(
    tmp_path: Path, world: World, run_node: Run
) -> None:
    assert len((CLIENT / "examples" / "app.tsx").read_text().splitlines()) <= 60
    program = tmp_path / "app.cjs"
    await run_node(PROGRAMS.parent / "bundle.mjs", PROGRAMS / "app.mts", program)

    await use(world, run_node, program)


async def test_updates_go_on_after_a_limit(strict: World, run_node: Run) -> None:
    await use(strict, run_node, PROGRAMS / "limits.mts")


async def test_the_decisions_hold_by_themselves(run_node: Run) -> None:
    tests = sorted((CLIENT / "test").glob("*.test.ts"))

    await run_node("--test", *tests)


async def test_the_types_are_strict(run_node: Run) -> None:
    await run_node("node_modules/typescript/bin/tsc")

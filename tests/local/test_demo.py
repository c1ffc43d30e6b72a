"""`make demo`: two people who work together."""

import asyncio
from pathlib import Path

import pytest

from harmonic_client import RefusedError
from harmonic_local.demo import demo, demonstrate
from harmonic_local.instance import Instance
from harness.world import SECRET, World


async def test_the_demonstration_succeeds_and_leaves_a_midi_file(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    midi = tmp_path / "demo.mid"

    await demonstrate(world.stack.urls, SECRET, midi)

    said = capsys.readouterr().out
    assert "Both heard the same" in said
    assert "ben hears music_bar: bar 0, " in said
    assert " is the first that follows it." in said
    assert "ben hears physics_updated: gravity 3.7, friction 0.2 (by ann-" in said
    assert (await asyncio.to_thread(midi.read_bytes)).startswith(b"MThd")


async def test_the_demonstration_fails_where_it_is_not_let_in(world: World, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="Invalid token"):
        await demonstrate(world.stack.urls, "another secret, which is long enough too", tmp_path)


async def test_a_demonstration_that_fails_says_why(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    instance = Instance(world.stack.urls, "another secret, which is long enough too", {})

    status = await asyncio.to_thread(demo, instance)

    assert (status, capsys.readouterr().err) == (1, "The demonstration failed: Invalid token\n")

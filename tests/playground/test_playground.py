"""The playground in a real browser: what people see, hear and do in it."""

import json
from pathlib import Path

from mido import MidiFile

from harness.world import World
from playground.browsing import PROGRAMS, SOURCES
from playground.conftest import Run

BUILT = Path(__file__).parents[2] / "gateway" / "harmonic_gateway" / "playground"
ALLOWED_UPDATES = 60
#: The channel of percussion, as MIDI counts them in bytes.
DRUMS = 9


async def test_two_windows_see_one_another(use: Run, tmp_path: Path) -> None:
    said = await use("together.mts", tmp_path / "piece.mid")

    messages = [message for track in MidiFile(tmp_path / "piece.mid").tracks for message in track]
    begun = [each for each in messages if each.type == "note_on" and each.velocity > 0]
    pitched = [each for each in begun if each.channel != DRUMS]
    assert len(pitched) == json.loads(said.splitlines()[-1])["notes"]


async def test_a_piece_sounds_everywhere_and_live_sound_reaches_everybody(use: Run) -> None:
    await use("sound.mts")


async def test_refusals_say_what_to_do(use: Run) -> None:
    await use("refusals.mts", maxParticipants=2)


async def test_who_may_only_view_can_move_nothing(use: Run) -> None:
    await use("viewing.mts", publicMode="view")


async def test_changes_beyond_a_limit_are_kept(use: Run) -> None:
    async def use_up(world: World, universe: str) -> None:
        ann = await world.client("ann")
        await ann.joins(universe)
        for number in range(ALLOWED_UPDATES):
            fields = {"universeId": universe, "parameters": {"friction": number / 100}}
            assert (await ann.asks("update_physics", **fields))["ok"]

    await use("limits.mts", before=use_up)


async def test_far_away_a_drag_goes_on_and_all_agree_in_the_end(use: Run) -> None:
    await use("far.mts")


async def test_everybody_can_use_it(use: Run) -> None:
    await use("access.mts")


async def test_it_is_light(use: Run) -> None:
    await use("weight.mts")


async def test_the_decisions_hold_by_themselves(run_node: Run) -> None:
    await run_node(SOURCES, "--test", *sorted((SOURCES / "test").glob("*.test.ts")))


async def test_the_types_are_strict(run_node: Run) -> None:
    tsc = SOURCES / "node_modules" / "typescript" / "bin" / "tsc"
    await run_node(SOURCES, tsc)
    await run_node(PROGRAMS.parent, tsc)


async def test_the_gateway_serves_what_the_sources_build(run_node: Run, tmp_path: Path) -> None:
    built = tmp_path / "built"
    await run_node(SOURCES, "node_modules/vite/bin/vite.js", "build", "--outDir", built)

    def files(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    assert files(built) == files(BUILT), "the sources have changed: run `make playground`"

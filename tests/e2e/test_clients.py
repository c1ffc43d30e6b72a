"""The demonstration, and the small client that it is made of."""

import asyncio
from pathlib import Path

import pytest

from e2e.conftest import Visitors
from harmonic_local.demo import demo_command, demo_environment
from harness.javascript import VERSIONS, Bridge, JavascriptClient
from harness.world import SECRET, World


@pytest.fixture
def version() -> str:
    """The small client is made for the newest."""
    return VERSIONS[0]


async def with_a_slider(visitors: Visitors, interval_ms: int) -> JavascriptClient:
    """Ann in the room, with a slider that her code knows as ``socket.slider``."""
    ann = await visitors.joins("ann")
    await ann.runs(f"""
        const options = {{ intervalMs: {interval_ms} }};
        socket.slider = harmonic.sliders(socket, '{visitors.universe}', options);
    """)
    return ann


async def test_the_demonstration_succeeds_and_leaves_a_midi_file(
    world: World, bridge: Bridge, tmp_path: Path
) -> None:
    midi = tmp_path / "demo.mid"
    process = await asyncio.create_subprocess_exec(
        *demo_command(),
        env=dict(demo_environment(world.stack.urls, SECRET, midi)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert b"Both heard the same" in said
    assert midi.read_bytes().startswith(b"MThd")


async def test_the_demonstration_fails_in_a_sentence_where_it_is_not_let_in(
    world: World, bridge: Bridge, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *demo_command(),
        env=dict(
            demo_environment(world.stack.urls, "another secret, which is long enough too", tmp_path)
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert (process.returncode, said) == (1, b"The demonstration failed: Invalid token\n")


async def test_a_slider_sends_few_updates_and_its_last_value(visitors: Visitors) -> None:
    ann = await with_a_slider(visitors, interval_ms=200)
    await ann.runs("""
        for (let moved = 1; moved <= 100; moved++) {
          socket.slider.set('physics', { gravity: moved / 10 });
          if (moved === 50) socket.slider.set('music', { tempo: 90 });
          await new Promise(resolve => setTimeout(resolve, 2));
        }
        await socket.slider.settled();
    """)
    updates = ann.all_heard("physics_updated")
    assert updates[-1]["parameters"]["gravity"] == 10
    assert len(updates) < 10
    assert ann.all_heard("music_updated")[-1]["parameters"]["tempo"] == 90


async def test_what_a_slider_did_offline_is_not_sent_later(visitors: Visitors) -> None:
    ann = await with_a_slider(visitors, interval_ms=50)
    await ann.runs("""
        socket.slider.set('physics', { gravity: 1 });
        await socket.slider.settled();
        socket.slider.set('physics', { gravity: 2 });
        socket.slider.set('physics', { gravity: 3 });
        socket.disconnect();
        socket.slider.set('physics', { gravity: 4 });
        await socket.slider.settled();
        socket.connect();
    """)
    await ann.hears("physics_updated")
    await ann.hears("connect_success")
    await visitors.says(ann, "join_room")
    joined = await ann.hears("room_joined")
    assert joined["parameters"]["physics"]["gravity"] in {1, 2}
    # She is back where she was, and so is told the values as they are now.
    happened = [told for told in ann.all_heard("physics_updated") if "current" not in told]
    assert len({told["seq"] for told in happened}) <= 2


async def test_a_slider_goes_on_when_an_update_was_refused(visitors: Visitors) -> None:
    ann = await with_a_slider(visitors, interval_ms=10)
    await ann.runs("""
        const refusals = [];
        const onError = error => refusals.push(error);
        socket.slider = harmonic.sliders(socket, 'nowhere', { intervalMs: 10, onError });
        socket.slider.set('physics', { gravity: 1 });
        await socket.slider.settled();
        console.log(refusals.map(error => error.code));
    """)
    await ann.hears("console", text="NOT_FOUND")

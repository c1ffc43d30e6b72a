"""Clocks: what a client needs to start the same notes with everybody else."""

from datetime import datetime

from harness.world import World


async def test_time_sync_is_acknowledged_with_the_servers_clock(world: World) -> None:
    ann = await world.client("ann")
    await ann.hears("connect_success")
    answer = await ann.asks("time_sync", t0=12.5)
    assert answer.keys() <= {"t0", "t1", "t2", "rttMs"}
    assert answer["t0"] == 12.5
    assert answer["t1"] <= answer["t2"]


async def test_a_piece_says_when_to_start_it(world: World) -> None:
    universe, (ann, _) = await world.together("ann", "bob")
    await ann.says("generate_music", universeId=universe, duration=1)
    piece = await ann.hears("music_generated")
    lead = datetime.fromisoformat(piece["playAt"]) - datetime.fromisoformat(piece["timestamp"])
    assert lead.total_seconds() == 1

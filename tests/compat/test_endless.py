"""Endless pieces while some processes are of the last release, which does not know them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chaos.owners import owner_of
from compat.test_rolled import processes_of, replaced
from harness.client import Client
from harness.released import Release, run_by
from harness.world import World, started
from integration.test_damage import surely
from integration.test_endless import bars, follow_one_another

#: Of two replicas, these are of the last release.
OLD = ("gateway-2", "state-2", "music-2")
#: More than a snapshot is made after, in a second or two of music.
SNAPSHOT_AFTER = "5"
FAST = {"tempo": 200, "harmony": 1}


@pytest.fixture
async def world(release: Release, tmp_path: Path) -> AsyncIterator[World]:
    """A product of both versions, with the setting on too early."""
    async with (
        started(
            tmp_path / "mixed",
            states=2,
            musics=2,
            command=run_by(release, OLD),
            HARMONIC_SNAPSHOT_EVERY_RECORDS=SNAPSHOT_AFTER,
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        made = World(stack, http)
        yield made
        await made.close()


async def plays(universe: str, client: Client) -> Any:
    ack = await client.asks("update_music", universeId=universe, parameters=FAST)
    assert ack["ok"], ack
    return await client.asks("start_music", universeId=universe, style="march")


async def test_what_plays_is_heard_at_new_gateways_and_harms_nobody_at_old_ones(
    world: World,
) -> None:
    seen: set[str] = set()
    while len(seen) < 2:
        universe, (ann, bob) = await world.together(world.name("ann"), world.name("bob"))
        owner = owner_of(world.stack, universe).name
        if owner in seen:
            continue
        seen.add(owner)
        ack = await plays(universe, ann)
        # An owner of the last release does not know the request.
        assert ack["ok"] == (owner not in OLD), ack
        for gravity, (one, other) in enumerate([(ann, bob), (bob, ann)] * 3, start=1):
            seq = await surely(one, universe, gravity)
            await other.hears("physics_updated", seq=seq)
        if ack["ok"]:
            follow_one_another(await bars(ann, 8))
        newcomer = await world.client(world.name("new"), gateway=1)
        await newcomer.joins(universe)
        seq = await surely(ann, universe, 9)
        assert (await newcomer.hears("physics_updated"))["seq"] == seq
        assert bob.all_heard("music_bar") == []


async def test_a_piece_may_pause_while_an_upgrade_is_taken_back_and_plays_afterwards(
    release: Release, tmp_path: Path
) -> None:
    async with (
        started(
            tmp_path / "rolled",
            states=2,
            musics=2,
            HARMONIC_SNAPSHOT_EVERY_RECORDS=SNAPSHOT_AFTER,
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann, bob) = await world.together("ann", "bob")
        assert (await plays(universe, ann))["ok"]
        follow_one_another(await bars(bob, 4))
        rolled = processes_of(stack, ("state", "music"))
        gravity = 1
        for old in (("state", "music"), ()):
            await replaced(rolled, release, old)
            for one, other in ((ann, bob), (bob, ann)) * 4:
                gravity += 1
                seq = await surely(one, universe, gravity)
                await other.hears("physics_updated", seq=seq)
        # The owner of the last release may have forgotten the piece, and may not.
        ack = await plays(universe, ann)
        if not ack["ok"]:
            assert ack["error"]["details"]["reason"] == "PLAYING"
            assert (await bob.asks("stop_music", universeId=universe))["ok"]
            assert (await plays(universe, ann))["ok"]
        started_seq = max(each["seq"] for each in ann.all_heard("music_started"))
        heard = await bars(bob, 1)
        while heard[-1]["asOf"] < started_seq:
            heard = await bars(bob, 1)
        follow_one_another([*heard, *await bars(bob, 3)])
        await world.close()

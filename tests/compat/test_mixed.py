"""Two versions at the same time serve the same people, as during every upgrade."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from compat import room
from harness.client import PATIENCE_S
from harness.operator import harmonic
from harness.released import Release, run_by
from harness.world import World, started


@pytest.fixture(
    scope="module",
    params=[
        ("state",),
        ("gateway",),
        ("music",),
        ("gateway", "state"),
        # Of two replicas, one of each version.
        ("gateway-2", "state-2", "music-2"),
        ("gateway-1", "state-2"),
    ],
    ids=" and ".join,
)
async def world(
    request: pytest.FixtureRequest, release: Release, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A product of which these processes are of the last release."""
    async with (
        started(
            tmp_path_factory.mktemp("mixed"),
            states=2,
            musics=2,
            command=run_by(release, request.param),
            HARMONIC_SNAPSHOT_EVERY_RECORDS="5",
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        made = World(stack, http)
        yield made
        await made.close()


#: Several, so that each replica of the state service owns some.
UNIVERSES = 4


async def test_all_commands_are_carried_out_and_heard(world: World) -> None:
    for _ in range(UNIVERSES):
        universe, (ann, bob) = await world.together(world.name("ann"), world.name("bob"))
        await room.commands(world, universe, ann, bob)


async def test_what_only_one_version_knows_harms_nobody(world: World) -> None:
    for _ in range(UNIVERSES):
        universe, (ann, bob) = await world.together(world.name("ann"), world.name("bob"))
        await room.newer(world, universe, ann, bob)


async def test_an_erasure_harms_nobody_whichever_version_hears_of_it(world: World) -> None:
    for _ in range(UNIVERSES):
        ann = world.name("ann")
        universe, (_, bob) = await world.together(ann, world.name("bob"))
        await room.erasure(world, universe, ann, bob)


async def test_clients_come_back_by_either_gateway_and_miss_nothing(world: World) -> None:
    for _ in range(UNIVERSES):
        universe, (ann, _) = await world.together(world.name("ann"), world.name("bob"))
        await room.returns(world, universe, ann)


async def test_sessions_are_passed_on_and_move_between_gateways(world: World) -> None:
    universe = await world.universe()
    await room.takes_turns(world, universe)


async def test_operators_see_and_steer_all_of_it(world: World) -> None:
    bob = world.name("bob")
    universe, (_, other) = await world.together(world.name("ann"), bob)
    running = {process.name for process in world.stack.services}
    # A replica stores its entry once the streams are there, a moment after it is ready.
    async with asyncio.timeout(PATIENCE_S):
        while True:
            ran = await harmonic(world.stack, "status", "--json")
            if {each["instance"] for each in ran.json["replicas"]} == running:
                break
    ran = await harmonic(world.stack, "who", universe, "--json")
    assert bob in {seat["userId"] for seat in ran.json["seats"]}
    ran = await harmonic(world.stack, "kick", universe, bob, "--json")
    assert (ran.status, ran.json["connections"]) == (0, 1)
    await other.hears("room_error")

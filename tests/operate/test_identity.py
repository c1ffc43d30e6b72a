"""Instance names are fixed; replicas, and the records that they append, are new at every start."""

import asyncio
import json
from pathlib import Path

import aiohttp

from harmonic_protocol import subjects
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import Client
from harness.faults import down
from harness.world import World, started

#: A gateway that is back within this time must not keep its former life's participants.
GONE_WITHIN_S = 15.0
RECORDS_PER_LIFE, UNIVERSES = 500, 10


async def test_a_gateway_that_comes_back_under_its_name_keeps_no_participant_of_before(
    tmp_path: Path,
) -> None:
    async with (
        started(tmp_path / "stack", gateways=2, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (_, bob) = await world.together("ann", "bob")
        async with asyncio.timeout(GONE_WITHIN_S):
            async with down(stack.gateways[0]):
                pass
            left = await bob.hears("participant_left", universeId=universe)
        assert left["userId"] == "ann"
        await world.close()


async def test_records_of_two_lives_of_one_instance_have_different_ids(tmp_path: Path) -> None:
    async with (
        started(tmp_path / "stack", gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
        connected_as("admin", stack) as bus,
    ):
        world = World(stack, http)
        rooms = [await world.together("ann") for _ in range(UNIVERSES)]

        async def write(universe: str, ann: Client) -> None:
            for number in range(RECORDS_PER_LIFE // UNIVERSES):
                parameters = {"gravity": number % 20}
                await ann.asks("update_physics", universeId=universe, parameters=parameters)

        for _ in range(2):
            # One after the other in a universe, so that each is a record of its own.
            await asyncio.gather(*(write(universe, ann) for universe, (ann,) in rooms))
            async with down(*stack.states):
                pass
        logs = [
            await Streams(bus).read(
                subjects.log_stream_of(universe),
                subjects.log(universe),
                from_sequence=1,
                limit=5000,
            )
            for universe, _ in rooms
        ]
        await world.close()

    ids = [json.loads(each.payload)["id"] for stored in logs for each in stored]
    assert len(ids) >= 2 * RECORDS_PER_LIFE
    assert len(set(ids)) == len(ids)
    assert len({each.rpartition(".")[0] for each in ids}) == 2

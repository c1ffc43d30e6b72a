"""Sessions that move to another gateway while something else happens, at every step of the way."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from aiohttp import WSMsgType

from peers.handovers import Event, Step, stage
from peers.test_moving import WEBSOCKET, upgraded
from peers.turns import TurnTaker, turn_taker

#: What needs no gateway to be started again for each step.
QUICK_EVENTS = (Event.NOTHING, Event.CUT)


async def test_a_cut_at_any_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as racing:
        for step, event in itertools.product(Step, QUICK_EVENTS):
            await racing.race(step, event, members=1)
        outcome = await racing.playing.end()
    assert outcome.is_good, str(outcome)
    assert all(back.recovered for back in outcome.returns), str(outcome)


def places(packets: list[str]) -> Iterator[dict[str, int]]:
    """Where a client is by each event that it is sent, as it would say itself."""
    for packet in packets:
        if packet.startswith("42/ws,"):
            *_, offset = json.loads(packet.removeprefix("42/ws,"))
            if isinstance(offset, str):
                parts = (place.split(":") for place in offset.split(","))
                yield {universe: int(position) for universe, position, *_ in parts}


async def test_no_event_says_that_its_client_is_where_it_was_before(tmp_path: Path) -> None:
    browser = {"User-Agent": "a browser"}
    async with stage(tmp_path) as racing, aiohttp.ClientSession(headers=browser) as http:
        world, rooms = racing.playing.world, racing.playing.universes
        ann = TurnTaker(http, itertools.repeat(world.stack.urls[0]))
        await ann.open()
        await ann.connects(world.token("ann"))
        for number, universe in enumerate(rooms):
            join = {"universeId": universe, "mode": "view"}
            await ann.emits("join_room", join, ack=str(number))
            await ann.until(f"43/ws,{number}")
        watcher = await world.client("watcher", gateway=1)
        for universe in rooms:
            await watcher.joins(universe)
        with racing.hold(Step.SEATED) as held:
            async with upgraded(ann, racing.new_url) as after:
                await held.arrived.wait()
                # Both rooms go on meanwhile.
                for universe in rooms * 3:
                    await watcher.hears("physics_updated", universeId=universe)
                held.release()
                for universe in rooms:
                    last = await watcher.hears("physics_updated", universeId=universe)
                    await after.until(last["timestamp"])
                said = list(places(ann.heard + after.heard))
        await watcher.close()
    for before, now in itertools.pairwise(said):
        assert all(now[universe] >= before[universe] for universe in before.keys() & now.keys())


async def test_no_request_finds_a_session_that_is_still_being_taken_over(tmp_path: Path) -> None:
    async with stage(tmp_path) as racing:
        world = racing.playing.world
        old, new = world.stack.urls[0], racing.new_url
        async with turn_taker([old]) as ann, aiohttp.ClientSession() as http:
            await ann.connects(world.token("ann"))
            universe = racing.playing.universes[0]
            await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
            await ann.until("43/ws,1")
            with racing.hold(Step.SEATS) as held:
                async with upgraded(ann, new) as after:
                    await held.arrived.wait()
                    async with http.get(ann.url_at(new)) as poll:
                        assert poll.status == 400
                    async with http.ws_connect(f"{new}{WEBSOCKET}&sid={ann.sid}") as second:
                        assert (await second.receive()).type is WSMsgType.CLOSE
                    held.release()
                    await after.websocket.send_str('42/ws,2["time_sync",{"t0":1}]')
                    await after.until("43/ws,2")

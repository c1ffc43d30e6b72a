"""Sessions that move to another gateway while something else happens, at every step of the way."""

import itertools
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType

from peers.handovers import Event, Step, stage
from peers.test_moving import WEBSOCKET, upgraded
from peers.turns import turn_taker

#: What needs no gateway to be started again for each step.
QUICK_EVENTS = (Event.NOTHING, Event.CUT)
#: Where the session is its old gateway's, or about to be the new one's.
STEPS_OF_A_DEATH = (Step.ASKS, Step.HANDED, Step.SEATED, Step.TAKEN)


async def test_a_cut_at_any_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as racing:
        for step, event in itertools.product(Step, QUICK_EVENTS):
            await racing.race(step, event, members=1)
        outcome = await racing.playing.end()
    assert outcome.is_good, str(outcome)
    assert all(back.recovered for back in outcome.returns), str(outcome)


@pytest.mark.parametrize(
    "event", [Event.OLD_KILLED, Event.NEW_KILLED, Event.OLD_DRAINS, Event.NEW_DRAINS]
)
async def test_gateways_that_go_in_the_middle_of_it_lose_nobody_anything(
    tmp_path: Path, event: Event
) -> None:
    async with stage(tmp_path) as racing:
        for step in STEPS_OF_A_DEATH:
            await racing.race(step, event, members=1)
        outcome = await racing.playing.end()
    assert outcome.is_good, str(outcome)
    assert all(back.recovered for back in outcome.returns), str(outcome)


async def test_no_request_finds_a_session_that_is_still_being_taken_over(tmp_path: Path) -> None:
    async with stage(tmp_path) as racing:
        world = racing.playing.world
        old, new = world.stack.urls[0], racing.new_url
        async with turn_taker([old]) as ann, aiohttp.ClientSession() as http:
            await ann.connects(world.token("ann"))
            [universe] = racing.playing.universes
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

"""Requests of a session come to any gateway, and are answered by the one that it is with."""

import asyncio
import json
import signal
from pathlib import Path

import aiohttp
import pytest

from harmonic_protocol import subjects
from harmonic_runtime.bus.wire import Message
from harness.broker import connected_as
from harness.world import World, started
from peers.turns import PATIENCE_S, POLLING, turn_taker

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
#: Requests that are in flight at the same time in one client's life take turns, too.
PARTS = 16


async def given_up_soon(url: str) -> int:
    """Poll for a moment and give it up, and answer pings meanwhile; how the next poll is answered.

    200 stands for one that waits.
    """
    async with aiohttp.ClientSession() as http:
        for _ in range(2):
            try:
                async with asyncio.timeout(0.2), http.get(url) as answer:
                    status = answer.status
            except TimeoutError:
                status = 200
        return status


async def test_a_session_goes_on_whichever_gateway_its_requests_come_to(world: World) -> None:
    universe = await world.universe()
    async with turn_taker(world.stack.urls) as ann:
        await ann.connects(world.token(world.name("ann")))
        await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
        await ann.until("43/ws,1")
        update = {"universeId": universe, "parameters": {"gravity": 3}}
        await ann.emits("update_physics", update, ack="2")
        await ann.until("43/ws,2")
        await ann.until("physics_updated")
    order = [packet for packet in ann.heard if packet != "2"]
    assert [order[0][:6], order[1][:24]] == ["40/ws,", '42/ws,["connect_success"']
    assert sum("physics_updated" in packet for packet in order) == 1


async def test_a_body_of_a_mebibyte_is_passed_on_whole_and_its_answers_come_back(
    world: World,
) -> None:
    async with turn_taker(world.stack.urls) as ann:
        await ann.connects(world.token(world.name("ann")))
        for _ in range(2):
            ann.heard.clear()
            event = f'42/ws,["{"x" * 60_000}",{{}}]'
            assert await ann.says(*[event] * PARTS) == (200, "ok")
            while sum("UNKNOWN_EVENT" in packet for packet in ann.heard) < PARTS:
                assert (await ann.polls())[0] == 200


async def test_a_body_that_is_too_large_ends_the_session(world: World) -> None:
    async with turn_taker(world.stack.urls) as ann:
        await ann.connects(world.token(world.name("ann")))
        ann.next_url()
        assert (await ann.says("4" + "x" * 1_100_000))[0] == 400
        assert (await ann.polls())[0] == 400


async def test_attachments_pass_both_ways_byte_for_byte(world: World) -> None:
    universe = await world.universe()
    async with turn_taker(world.stack.urls) as ann:
        await ann.connects(world.token(world.name("ann")), recovery=0)
        await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
        await ann.until("43/ws,1")
        analysis = {
            "frequencies": {"_placeholder": True, "num": 0},
            "waveform": {"_placeholder": True, "num": 1},
            "timestamp": "2024-03-21T10:30:00Z",
        }
        payload = json.dumps(["audio_analysis", {"universeId": universe, "analysis": analysis}])
        sent = (f"452-/ws,{payload}", "bAQIDBA==", "bBQYHCA==")
        assert await ann.says(*sent) == (200, "ok")
        await ann.until("452-/ws,")
        assert (await ann.until("bAQIDBA=="), await ann.until("bBQYHCA==")) == sent[1:]


async def test_a_poll_that_its_client_gave_up_ends_the_session(world: World) -> None:
    universe = await world.universe()
    bob = await world.client("bob")
    await bob.joins(universe)
    async with turn_taker(world.stack.urls) as ann:
        name = world.name("ann")
        await ann.connects(world.token(name))
        await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
        await ann.until("43/ws,1")
        elsewhere = ann.url_at(world.stack.urls[1])
        async with asyncio.timeout(PATIENCE_S):
            status = 200
            # Whether a poll had arrived when it was given up shows by this only.
            while status == 200:
                status = await given_up_soon(elsewhere)
        assert status == 400
    assert (await bob.hears("participant_left"))["userId"] == name


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_id_of_no_session_is_a_bad_request_at_every_gateway(
    world: World, method: str
) -> None:
    async with turn_taker(world.stack.urls) as ann:
        name, replica, secret, proof = ann.sid.split(".")
        ids = [
            *("x", "", f"{name}.{secret}", f"{name}.{replica}.no", f"{name}.{replica}.{secret}"),
            *(f"{name}.{'a' * 22}.{secret}.{proof}", f"{name}.{replica}.{'a' * 22}.{proof}"),
        ]
        async with aiohttp.ClientSession() as http:
            for url in world.stack.urls:
                for sid in filter(None, ids):
                    address = f"{url}{POLLING}&sid={sid}"
                    async with http.request(method, address) as answer:
                        assert answer.status == 400


async def test_nobody_is_asked_about_an_id_that_no_gateway_made(world: World) -> None:
    asked: list[str] = []
    came = asyncio.Event()

    def note(message: Message) -> None:
        asked.append(message.headers["Hu-Session"])
        came.set()

    async with (
        turn_taker(world.stack.urls[:1]) as ann,
        connected_as("gateway", world.stack) as bus,
        aiohttp.ClientSession() as http,
    ):
        name, replica, secret, proof = ann.sid.split(".")
        await bus.subscribe(subjects.peer(replica), note)
        await bus.flush()
        made_up = f"{name}.{replica}.{secret[::-1]}.{proof}"
        for sid in (made_up, ann.sid):
            url = f"{world.stack.urls[1]}{POLLING}&sid={sid}"
            async with http.options(url) as answer:
                assert answer.status == (200 if sid == ann.sid else 400)
        await came.wait()
    assert asked == [ann.sid]


async def test_options_are_answered_by_whose_session_it_is(world: World) -> None:
    async with turn_taker(world.stack.urls) as ann, aiohttp.ClientSession() as http:
        for _ in range(2):
            async with http.options(ann.next_url()) as answer:
                assert answer.status == 200


async def test_a_gateway_that_drains_still_passes_requests_on(tmp_path: Path) -> None:
    async with (
        started(tmp_path, musics=0, HARMONIC_DRAIN_STAGGER_S="60") as stack,
        aiohttp.ClientSession() as http,
        turn_taker(stack.urls) as ann,
    ):
        await ann.connects(World(stack, http).token("ann"))
        draining = stack.gateways[1]
        # The second of these is not closed for half a minute.
        websockets = [await http.ws_connect(stack.urls[1] + WEBSOCKET) for _ in range(2)]
        draining.send_signal(signal.SIGTERM)
        assert (await websockets[0].receive()).type is not None
        while not (await websockets[0].receive()).type.name.startswith("CLOS"):
            pass
        async with http.get(stack.urls[1] + POLLING) as refused:
            assert refused.status == 503
        elsewhere = ann.url_at(stack.urls[1])
        async with http.post(elsewhere, data='42/ws,1["time_sync",{"t0":1}]') as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        async with http.get(elsewhere) as answer:
            assert "43/ws,1" in await answer.text()
        draining.kill()

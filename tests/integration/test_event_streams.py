"""Following a universe by server-sent events: what is sent, to whom, and when it ends."""

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harmonic_operator.steering import store_revocation
from harmonic_protocol import subjects
from harmonic_protocol.export import prose
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S, Client
from harness.event_source import EventSource, following
from harness.faults import down
from harness.node import run
from harness.world import World, started

KIB = 1024
MOST = 2
PAGE = "https://page.example"


def follows(
    world: World, universe: str, user: str = "reader", *, gateway: int = 0, after: str = ""
) -> AbstractAsyncContextManager[EventSource]:
    """A stream of a universe at a gateway."""
    return following(world.http, world.stack.urls[gateway], world.token(user), universe, after)


async def changes(client: Client, universe: str, *values: float) -> None:
    """Somebody in the room changes a parameter, to one value after the other."""
    for gravity in values:
        parameters = {"gravity": gravity}
        answer = await client.asks("update_physics", universeId=universe, parameters=parameters)
        assert answer["ok"], answer


async def test_a_stream_begins_with_the_state_and_goes_on_with_each_event(world: World) -> None:
    universe, (ann, _) = await world.together("ann", "bob")
    async with follows(world, universe) as first, follows(world, universe, gateway=1) as second:
        for stream in (first, second):
            state = await stream.hears("universe_state", universeId=universe, seq=2)
            assert [each["userId"] for each in state["participants"]] == ["ann", "bob"]
            assert state["parameters"]["physics"]["gravity"] == 9.81

        batch = {"physics": {"friction": 0.25}, "music": {"tempo": 92}}
        for name, fields in (
            ("update_physics", {"parameters": {"gravity": 1}}),
            ("update_parameters", batch),
            ("generate_music", {"duration": 1}),
        ):
            assert (await ann.asks(name, universeId=universe, **fields))["ok"]
        music = await ann.hears("music_generated")
        await ann.asks("leave_room", universeId=universe)

        for stream in (first, second):
            await stream.hears("participant_left", userId="ann")
            assert stream.numbers() == list(range(2, music["seq"] + 2))
        notes = [each.data["notes"] for each in first.heard if each.name == "music_generated"]
        assert notes == [music["notes"]]
        _, told = await world.call("GET", f"/universes/{universe}/events?after=2", "reader")
        assert told["items"] == [
            {"event": each.name, "data": each.data} for each in first.heard[1:]
        ]


async def test_who_follows_is_no_participant_and_is_sent_no_live_signals(world: World) -> None:
    universe, (ann,) = await world.together("ann", universe=await world.universe(maxParticipants=1))
    async with follows(world, universe) as stream:
        await stream.hears("universe_state")
        _, told = await world.call("GET", f"/universes/{universe}/participants", "reader")
        assert [each["userId"] for each in told["items"]] == ["ann"]
        preview = {"physics": {"gravity": 3}}
        assert (await ann.asks("preview_parameters", universeId=universe, **preview))["ok"]
        assert (await ann.asks("update_presence", universeId=universe, state={"x": 1}))["ok"]
        await changes(ann, universe, 3)
        await stream.hears("physics_updated")
        assert [each.name for each in stream.heard] == ["universe_state", "physics_updated"]


async def test_each_event_of_a_batch_is_a_place_to_go_on_from(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    async with follows(world, universe) as stream:
        await stream.hears("universe_state")
        sets = {
            "physics": {"gravity": 2},
            "music": {"tempo": 92},
            "visualization": {"glowIntensity": 1},
        }
        await ann.asks("update_parameters", universeId=universe, **sets)
        await changes(ann, universe, 4)
        await stream.hears("physics_updated", changed=["gravity"])
        await stream.hears("physics_updated")
    whole = stream.heard
    assert len({each.id for each in whole}) == len(whole)
    for number, event in enumerate(whole[:-1]):
        async with follows(world, universe, gateway=number % 2, after=event.id) as again:
            while len(again.heard) < len(whole) - number - 1:
                await again.next()
            assert again.heard == whole[number + 1 :]


async def test_the_place_may_stand_in_the_query_and_a_header_counts_before_it(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    async with follows(world, universe) as stream:
        await changes(ann, universe, 1, 2)
        await stream.hears("physics_updated")
        await stream.hears("physics_updated")
    state, first, second = stream.heard
    address = f"{world.stack.urls[0]}/api/v1/universes/{universe}/stream"
    bearer = {"Authorization": f"Bearer {world.token('reader')}"}
    for headers, due in (({}, first), ({"Last-Event-ID": first.id}, second)):
        async with world.http.get(
            address, params={"lastEventId": state.id}, headers={**bearer, **headers}
        ) as response:
            assert await EventSource(response).next() == due


async def test_a_log_that_does_not_go_on_from_a_place_begins_anew(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    async with follows(world, universe) as stream:
        await changes(ann, universe, 7)
        await stream.hears("physics_updated")
    _, position, mark = stream.last_id.split(":")
    another = str(100_000 + (int(mark) - 100_000 + 1) % 900_000)
    for place in (
        f"{universe}:{position}:{another}",
        f"{universe}:{int(position) + 1}:{mark}",
        f"{universe}:1:{another}",
    ):
        async with follows(world, universe, gateway=1, after=place) as again:
            state = await again.hears("universe_reset", reason="TRIMMED")
            assert state["parameters"]["physics"]["gravity"] == 7
            await changes(ann, universe, 7)
            await again.hears("physics_updated", seq=state["seq"] + 1)


async def test_a_page_follows_as_the_document_says(world: World, tmp_path: Path) -> None:
    universe, (ann,) = await world.together("ann")
    async with follows(world, universe) as stream:
        await stream.hears("universe_state")
        await changes(ann, universe, 1, 2, 3)
        await stream.hears("physics_updated")
    url = f"{world.stack.urls[0]}/api/v1/universes/{universe}/stream"
    program = tmp_path / "page.mjs"
    program.write_text(f"""
        const token = '{world.token("reader")}';
        let lastId = '{stream.last_id}';
        const heard = [];
        function hear(name, data) {{
          heard.push([name, data.parameters.gravity]);
          if (heard.length === 2) {{
            console.log(JSON.stringify(heard));
            process.exit();
          }}
        }}
        {prose.STREAM_BY_FETCH.replace("/api/v1/universes/universe-123/stream", url)}
    """)
    status, output = await run(tmp_path, program, timeout_s=PATIENCE_S)
    assert (status, json.loads(output)) == (0, [["physics_updated", 2], ["physics_updated", 3]])


@pytest.mark.parametrize("place", ["x", "another:1:100000", "u:1:100000,v:1:100000"])
async def test_what_is_no_id_is_refused(world: World, place: str) -> None:
    universe = await world.universe()
    status, answer = await world.call(
        "GET", f"/universes/{universe}/stream", "reader", headers={"Last-Event-ID": place}
    )
    assert (status, answer["error"]["code"]) == (400, "INVALID_PARAMETERS")
    assert [each["field"] for each in answer["error"]["details"]["fields"]] == ["lastEventId"]


async def test_who_asks_for_the_head_of_a_stream_is_sent_no_event(world: World) -> None:
    """What follows the head of an answer to HEAD would be taken for the next answer."""
    address = f"{world.stack.urls[0]}/api/v1/universes/{await world.universe()}/stream"
    headers = {"Authorization": f"Bearer {world.token('reader')}"}
    async with world.http.head(address, headers=headers) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
        assert await answer.read() == b""


async def test_who_may_not_see_a_universe_cannot_follow_it(world: World) -> None:
    universe = await world.universe("owner", visibility="private")
    path = f"/universes/{universe}/stream"
    for user, status in ((None, 401), ("stranger", 404)):
        assert (await world.call("GET", path, user))[0] == status
    async with follows(world, universe, "owner") as stream:
        await stream.hears("universe_state")


async def _is_revoked(world: World, _universe: str, user: str) -> None:
    async with connected_as("operator", world.stack) as bus:
        await store_revocation(Streams(bus), subjects.revoked_user(user), time.time())


def _calls(method: str, path: str, body: Any = None) -> Callable[..., Awaitable[None]]:
    async def call(world: World, universe: str, user: str) -> None:
        path_here = f"/universes/{universe}{path.format(user=user)}"
        status, answer = await world.call(method, path_here, "owner", body, gateway=1)
        assert status in {200, 204}, answer

    return call


#: What ends a stream of a member of a private, and of a visitor of a public universe; and the code
#: and reason that its client is told.
CAUSES: Mapping[str, tuple[str, Callable[..., Awaitable[None]], tuple[str, str | None]]] = {
    "revoked": ("public", _is_revoked, ("AUTH_ERROR", "REVOKED")),
    "removed": ("private", _calls("DELETE", "/members/{user}"), ("NOT_FOUND", None)),
    "banned": ("public", _calls("PUT", "/bans/{user}"), ("PERMISSION_DENIED", "BANNED")),
    "hidden": ("public", _calls("PATCH", "", {"visibility": "private"}), ("NOT_FOUND", None)),
    "deleted": ("public", _calls("DELETE", ""), ("NOT_FOUND", None)),
}


@pytest.mark.parametrize("cause", CAUSES)
async def test_a_stream_ends_with_its_users_right_to_see_the_universe(
    world: World, cause: str
) -> None:
    visibility, happens, (code, reason) = CAUSES[cause]
    user, other = world.name("reader"), world.name("other")
    universe = await world.universe(visibility=visibility)
    for each in (user, other) if visibility == "private" else ():
        await _calls("PUT", "/members/{user}", {"role": "view"})(world, universe, each)
    editor = await world.client("owner")
    await editor.joins(universe)
    async with follows(world, universe, user) as stream, follows(world, universe, other) as going:
        await stream.hears("universe_state")
        await going.hears("universe_state")
        await happens(world, universe, user)
        if cause != "deleted":
            await changes(editor, universe, 1)
        told = await stream.ends()
        assert (told["code"], told["details"].get("reason")) == (code, reason)
        assert "physics_updated" not in [each.name for each in stream.heard]
        status, answer = await world.call("GET", f"/universes/{universe}/stream", user)
        assert answer["error"]["code"] == code, status
        if cause in {"revoked", "removed", "banned"}:
            # Nobody else is concerned.
            await going.hears("physics_updated")


async def test_a_kick_ends_the_users_streams_at_every_gateway_and_they_may_come_again(
    world: World,
) -> None:
    user, other = world.name("reader"), world.name("other")
    universe, (_, editor) = await world.together(user, other)
    async with AsyncExitStack() as streams:
        first, second, going = [
            await streams.enter_async_context(follows(world, universe, who, gateway=at))
            for who, at in ((user, 0), (user, 1), (other, 0))
        ]
        for stream in (first, second, going):
            await stream.hears("universe_state")
        await _calls("DELETE", "/participants/{user}")(world, universe, user)
        for stream in (first, second):
            told = await stream.ends()
            assert (told["code"], told["details"]["reason"]) == ("PERMISSION_DENIED", "KICKED")
        await changes(editor, universe, 1)
        last = await going.hears("physics_updated")
    for gateway, stream in enumerate((second, first)):
        after = stream.last_id
        async with follows(world, universe, user, gateway=gateway, after=after) as again:
            await again.hears("participant_left", userId=user)
            await again.hears("physics_updated", seq=last["seq"])
            await changes(editor, universe, 2)
            await again.hears("physics_updated")
            assert stream.numbers() + again.numbers() == list(range(2, again.numbers()[-1] + 1))
            last = again.heard[-1].data


async def test_who_only_follows_is_no_participant_that_can_be_put_out(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    async with follows(world, universe) as stream:
        await stream.hears("universe_state")
        path = f"/universes/{universe}/participants/reader"
        assert (await world.call("DELETE", path, "owner"))[0] == 404
        await changes(ann, universe, 1)
        await stream.hears("physics_updated")


async def test_a_stream_ends_with_its_token(world: World) -> None:
    universe = await world.universe()
    brief = world.token("reader", lifetime_s=2)
    async with following(world.http, world.stack.urls[0], brief, universe) as stream:
        told = await stream.ends()
    assert (told["code"], told["details"]["reason"]) == ("AUTH_ERROR", "EXPIRED")


async def test_a_member_goes_on_where_a_universe_becomes_private(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    await _calls("PUT", "/members/{user}", {"role": "view"})(world, universe, "reader")
    async with follows(world, universe) as stream:
        await stream.hears("universe_state")
        await _calls("PATCH", "", {"visibility": "private"})(world, universe, "")
        await stream.hears("universe_updated", visibility="private")
        owner = await world.client("owner")
        await owner.joins(universe)
        await changes(owner, universe, 5)
        last = await stream.hears("physics_updated")
        numbers = stream.numbers()
        assert numbers == list(range(numbers[0], last["seq"] + 1))
        assert ann.heard


async def goes_on(world: World, universe: str, stream: EventSource, last_seq: int) -> None:
    """A stream that was cut goes on at the other gateway, up to a number."""
    async with follows(world, universe, gateway=1, after=stream.last_id) as again:
        while stream.numbers()[-1:] + again.numbers()[-1:] < [last_seq]:
            await again.next()
            if again.numbers()[-1:] == [last_seq]:
                break
    numbers = stream.numbers() + again.numbers()
    assert numbers == list(range(numbers[0], last_seq + 1))
    assert {each.name for each in again.heard} <= {"physics_updated"}


async def test_a_stream_goes_on_at_another_gateway_where_its_own_was_killed(frail: World) -> None:
    universe = await frail.universe()
    editor = await frail.client("ann", gateway=1)
    await editor.joins(universe)
    async with follows(frail, universe) as stream:
        await stream.hears("universe_state")
        await changes(editor, universe, 1, 2, 3)
        await stream.hears("physics_updated")
        async with down(frail.stack.gateways[0]):
            with pytest.raises(aiohttp.ClientError):
                await stream.ends()
            await changes(editor, universe, 4, 5, 6)
            await goes_on(frail, universe, stream, 7)


async def test_a_gateway_that_stops_sends_its_streams_elsewhere(frail: World) -> None:
    universe = await frail.universe()
    editor = await frail.client("ann", gateway=1)
    await editor.joins(universe)
    gateway = frail.stack.gateways[0]
    async with follows(frail, universe) as stream:
        await stream.hears("universe_state")
        await changes(editor, universe, 1)
        await stream.hears("physics_updated")
        try:
            stopping = asyncio.create_task(gateway.stop())
            assert await stream.ends() is None
            assert stream.retry_ms is not None
            await changes(editor, universe, 2, 3)
            await goes_on(frail, universe, stream, 4)
            assert await stopping == 0
        finally:
            await gateway.start()


@pytest.fixture(scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product in which users have few connections, and little may wait for each."""
    async with started(
        tmp_path_factory.mktemp("narrow"),
        HARMONIC_CONNECTIONS_PER_USER=str(MOST),
        HARMONIC_SEND_BUFFER_BYTES=str(64 * KIB),
        HARMONIC_ALLOWED_ORIGINS=PAGE,
    ) as running:
        yield running


@pytest.fixture
async def close(narrow: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(narrow, http)
        yield view
        await view.close()


async def test_a_stream_counts_as_a_connection_of_its_user(close: World) -> None:
    universe, user = await close.universe(), close.name("reader")
    path = f"/universes/{universe}/stream"
    async with AsyncExitStack() as stack:
        client = await close.client(user)
        stream = await stack.enter_async_context(follows(close, universe, user))
        await stream.hears("universe_state")
        assert await close.metric("event_streams") == 1
        assert await close.metric("connections") == 2
        status, answer = await close.call("GET", path, user)
        assert (status, answer["error"]["details"]["reason"]) == (429, "CONNECTIONS")
        assert "CONNECTIONS" in str(await close.refused(close.token(user)))
        # At another gateway they are counted anew, and others are not concerned.
        async with follows(close, universe, user, gateway=1), follows(close, universe, "other"):
            pass
        await client.close()
        async with follows(close, universe, user) as second:
            await second.hears("universe_state")


async def test_a_listed_page_may_follow_and_no_other(close: World) -> None:
    universe = await close.universe()
    address = f"{close.stack.urls[0]}/api/v1/universes/{universe}/stream"
    bearer = {"Authorization": f"Bearer {close.token('reader')}"}
    asked = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization, last-event-id",
    }
    async with close.http.options(address, headers={"Origin": PAGE, **asked}) as preflight:
        allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
        assert (preflight.status, "last-event-id" in allowed) == (204, True)
    async with close.http.get(address, headers={"Origin": PAGE, **bearer}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        await EventSource(response).hears("universe_state")
    other = {"Origin": "https://other.example", **bearer}
    async with close.http.get(address, headers=other) as response:
        assert response.status == 403


async def test_a_reader_that_does_not_read_is_cut_and_goes_on_from_where_it_was(
    close: World,
) -> None:
    universe = await close.universe()
    editor = await close.client("editor", gateway=1)
    await editor.joins(universe)
    kernel = socket.socket()
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
    kernel.setblocking(False)
    host, port = close.stack.urls[0].removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    await loop.sock_connect(kernel, (host, int(port)))
    request = (
        f"GET /api/v1/universes/{universe}/stream HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {close.token('sleeper')}\r\n\r\n"
    )
    await loop.sock_sendall(kernel, request.encode())
    read, found = b"", None
    async with asyncio.timeout(PATIENCE_S):
        while found is None:
            read += await loop.sock_recv(kernel, KIB)
            found = re.search(rb"id: (\S+)\nevent: universe_state\ndata: (.*)\n\n", read)
    last_id, first_seq = found[1].decode(), json.loads(found[2])["seq"]
    # From here on, it reads nothing.
    overflows = 'event_streams_ended_total{reason="overflow"}'
    async with asyncio.timeout(PATIENCE_S):
        while not await close.metric(overflows):
            asked = await editor.asks("generate_music", universeId=universe, duration=300)
            assert asked["ok"], asked
            last = await editor.hears("music_generated")
    async with asyncio.timeout(PATIENCE_S):
        assert await _reads_on(kernel) == "reset"
    async with follows(close, universe, "sleeper", after=last_id) as stream:
        await stream.hears("music_generated", seq=last["seq"])
        assert stream.numbers() == list(range(first_seq + 1, last["seq"] + 1))


async def _reads_on(kernel: socket.socket) -> str:
    """Read to the end, and how it ended."""
    loop = asyncio.get_running_loop()
    with kernel:
        try:
            while await loop.sock_recv(kernel, 64 * KIB):
                pass
        except ConnectionResetError:
            return "reset"
        return "closed"

"""What the fuzzer found once, and what is answered now."""

import asyncio
import json
from typing import Any

import pytest
from yarl import URL

from gateway.door import PATIENCE_S
from harmonic_local.tokens import make_token
from harness.world import SECRET, World

LONE = "\\ud800"


@pytest.mark.parametrize(
    "event",
    [
        f'["update_physics",{{"universeId":"{LONE}","parameters":{{"gravity":1}}}}]',
        f'["update_physics",{{"opId":"{LONE}"}}]',
        f'["update_physics",{{"{LONE}":1}}]',
        f'["{LONE}",{{}}]',
        f'["join_room",{{"universeId":"u{LONE}","mode":"edit"}}]',
        f'["refresh_token",{{"token":"{LONE}"}}]',
    ],
)
@pytest.mark.parametrize("ack", ["", "7"])
async def test_half_a_character_is_refused_and_ends_nothing(
    world: World, event: str, ack: str
) -> None:
    """It ended the gateway: what a client was told held it, and could not be encoded."""
    ann = await world.client("ann")

    await ann.says_raw(f"42/ws,{ack}{event}")

    refused = await ann.hears("room_error" if "join_room" in event else "error")
    assert refused["code"] in {"INVALID_PARAMETERS", "AUTH_ERROR"}
    assert (await ann.asks("self_destruct"))["error"]["code"] == "INVALID_PARAMETERS"


async def test_what_a_program_cut_in_two_is_kept_as_a_character_that_is_none(
    world: World,
) -> None:
    universe, (ann,) = await world.together("ann")

    said = {"universeId": universe, "parameters": {"gravity": 2}, "opId": "half"}
    text = json.dumps(["update_physics", said]).replace("half", LONE)
    await ann.says_raw(f"42/ws,{text}")

    await ann.hears("physics_updated")


async def test_a_user_with_half_a_character_is_not_let_in(world: World) -> None:
    refusal = await world.refused(make_token(SECRET, "\ud800"))

    assert refusal["data"]["details"]["reason"] == "INVALID"


async def test_an_event_with_attachments_that_nests_too_deeply_is_refused(world: World) -> None:
    """Filling the attachments in took more depth than reading had."""
    ann = await world.client("ann")
    await ann.hears("connect_success")

    placeholder = '{"_placeholder":true,"num":0}'
    deep = "[" * 800 + placeholder + "]" * 800
    await ann.says_raw(f'451-/ws,["update_physics",{deep}]')
    await ann.says_raw(b"x")

    error = await ann.hears_next("error")
    assert error["details"]["reason"] == "TOO_DEEP"


@pytest.mark.parametrize(
    "packet",
    [
        '40/other,{"a":"' + "x" * 20_000 + '"}',
        "43/ws,1[" + "[]," * 20_000 + "1]",
        '42/ws,1234567890123456["update_physics",{}]',
    ],
    ids=["a large connect", "a large ack", "a long ack id"],
)
async def test_a_packet_that_no_client_sends_ends_its_connection(world: World, packet: str) -> None:
    """The first took most of a second to read; the third's id was cut, and its ack went astray."""
    ann = await world.client("ann")

    await ann.says_raw(packet)

    async with asyncio.timeout(PATIENCE_S):
        await ann.gone.wait()


async def test_a_compressed_body_is_refused_unread(world: World) -> None:
    """Where it could not be inflated, it was answered INTERNAL_ERROR."""
    headers = {"Content-Encoding": "gzip"}

    status, answer = await world.call("POST", "/universes", "ann", {"name": "A"}, headers=headers)

    assert status == 415
    assert answer["error"]["code"] == "INVALID_PARAMETERS"


CHUNKED = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        ("/api/v1/universes", CHUNKED, "1\r\n{\r\nx\r\n"),
        ("/api/v1/universes", CHUNKED, "ffffffffffffffffff\r\n"),
        ("/api/v1/nothing", "Content-Encoding: gzip\r\nContent-Length: 3\r\n", "abc"),
        ("/socket.io/?EIO=4&transport=polling&sid=SID", CHUNKED, "1\r\n4\r\nx\r\n"),
        (
            "/socket.io/?EIO=4&transport=polling&sid=SID",
            "Content-Encoding: gzip\r\nContent-Length: 3\r\n",
            "abc",
        ),
    ],
)
async def test_a_body_that_is_broken_is_the_clients_fault(
    world: World, target: str, headers: str, body: str
) -> None:
    answer = await _posted(world, target, headers, body)

    assert answer.startswith(("HTTP/1.1 400", "HTTP/1.1 404", "HTTP/1.0 400"))
    assert "Traceback" not in world.logs()


async def test_what_follows_a_goodbye_in_a_body_is_not_looked_at(world: World) -> None:
    """A malformed packet there was answered INTERNAL_ERROR."""
    target = "/socket.io/?EIO=4&transport=polling&sid=SID"

    answer = await _posted(world, target, "Content-Length: 3\r\n", "1\x1ex")

    assert answer.startswith("HTTP/1.1 200")


async def test_a_body_that_is_too_late_for_its_session_is_no_failure(world: World) -> None:
    base = world.stack.urls[0]
    target = "/socket.io/?EIO=4&transport=polling"
    async with world.http.get(base + target) as response:
        target += f"&sid={json.loads((await response.text())[1:])['sid']}"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.gateway_ports[0])
    head = "Host: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    writer.write(f"POST {target} HTTP/1.1\r\n{head}4".encode())
    # Once this is answered, the former is being read.
    await world.http.get(f"{base}/healthz")
    async with world.http.post(base + target, data="1") as response:
        assert response.status == 200
    writer.write(b"\xff")

    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200")
    assert "Traceback" not in world.logs()


async def _posted(world: World, target: str, headers: str, body: str) -> str:
    port = world.stack.gateway_ports[0]
    if "SID" in target:
        polling = URL(f"{world.stack.urls[0]}/socket.io/?EIO=4&transport=polling")
        async with world.http.get(polling) as response:
            opened: dict[str, Any] = json.loads((await response.text())[1:])
        target = target.replace("SID", opened["sid"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {world.token('ann')}\r\n{headers}\r\n"
    )
    writer.write((head + body).encode())
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    return answer.decode()

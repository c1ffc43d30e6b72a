"""No secret shows: not in a log, a metric, an error, a process's title, or what a crash leaves."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import jwt
import pytest

from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harmonic_runtime.process.lifecycle import CANNOT_START_STATUS
from harness.leaks import find_leaks, keep_traces
from harness.world import SECRET, World, started


@pytest.fixture(scope="module")
async def doomed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product whose processes may be broken."""
    # Python says where it was when it dies of a signal.
    folder = tmp_path_factory.mktemp("doomed")
    async with started(folder, gateways=1, musics=1, PYTHONFAULTHANDLER="1") as running:
        yield running


@pytest.fixture
async def doomed_world(doomed: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(doomed, http)
        yield view
        await view.close()


def folder_of(stack: Stack) -> Path:
    return stack.plan.data.parent


async def test_tokens_in_queries_headers_and_messages_show_nowhere(world: World) -> None:
    good = world.token("ann")
    bad = jwt.encode({"sub": "ann", "exp": 1}, SECRET, algorithm="HS256")
    url = world.stack.urls[0]
    ann = await world.client("ann", query=f"?token={good}")
    await world.refused(bad, query=f"?token={bad}")
    for token in (good, bad, good[:-3]):
        await world.http.get(
            f"{url}/api/v1/universes?token={token}", headers={"Authorization": f"Bearer {token}"}
        )
    await ann.says("nonsense", token=good)
    await ann.says("update_physics", good)
    await ann.says(good)
    await ann.hears("error")

    await keep_traces(world.stack, folder_of(world.stack))
    assert find_leaks() == []


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /socket.io/?token=%b&more=%b HTTP/1.1",
        b"GET /socket.io/?token=%b HTTP/9.9.%b",
        b"NONSENSE\x00%b %b",
    ],
    ids=["too long", "of no version", "no HTTP"],
)
async def test_what_is_no_http_is_refused_and_quoted_nowhere(
    world: World, request_line: bytes
) -> None:
    token = world.token("ann").encode()
    before = world.logs()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.gateway_ports[0])
    writer.write(request_line % (token, b"x" * 9000) + b"\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()

    assert b" 400 Bad Request\r\n" in answer
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in answer
    assert b"aiohttp" not in answer
    assert token not in answer
    assert "Traceback" not in world.logs()[len(before) :]
    assert find_leaks() == []


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
@pytest.mark.parametrize("kind", ["gateways", "states", "musics"])
async def test_a_process_that_dies_leaves_no_secret_behind(
    doomed: Stack, doomed_world: World, kind: str, number: signal.Signals
) -> None:
    process: Managed = getattr(doomed, kind)[0]
    universe = await doomed_world.universe()
    ann = await doomed_world.client("ann", query=f"?token={doomed_world.token('ann')}")
    await ann.joins(universe)

    process.send_signal(number)
    assert await process.ended() == -number
    await process.start()

    assert find_leaks() == []


async def test_a_process_without_its_password_says_so_without_it(
    doomed: Stack, tmp_path: Path
) -> None:
    said: list[str] = []
    process = Managed(
        name="stranger",
        command=doomed.states[0].command,
        environment={
            **doomed.states[0].environment,
            "HARMONIC_OPS_PORT": "0",
            "HARMONIC_NATS_PASSWORD": "a-guessed-password",
            "HARMONIC_BUS_START_TIMEOUT_S": "1",
        },
        output=lambda _name, line: said.append(line),
        sign=lambda line: "cannot_start" in line,
    )
    await process.start()
    assert await process.ended() == CANNOT_START_STATUS
    await process.stop()

    assert "see HARMONIC_NATS_URL" in "".join(said)
    assert "a-guessed-password" not in "".join(said)


async def test_titles_and_metrics_are_among_what_is_searched(world: World) -> None:
    await keep_traces(world.stack, folder_of(world.stack))
    kinds = {file.suffix for file in folder_of(world.stack).iterdir() if file.is_file()}

    assert {".log", ".metrics", ".title"} <= kinds


@pytest.mark.parametrize("suffix", ["log", "metrics", "title"])
@pytest.mark.parametrize("form", ["{token}", "x={token}&y", '{{"a":"{rest}"}}', "{secret}"])
async def test_a_leak_would_be_found(doomed: Stack, suffix: str, form: str) -> None:
    token = jwt.encode({"sub": "ann"}, SECRET, algorithm="HS256")
    leak = folder_of(doomed) / f"leak.{suffix}"
    leak.write_text(form.format(token=token, rest=token.split(".")[2], secret=SECRET))

    found = find_leaks()
    leak.unlink()

    assert len(found) == 1
    assert found[0].startswith(str(leak))

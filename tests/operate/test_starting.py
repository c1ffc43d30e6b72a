"""What a service says while it starts, and why it does not."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.processes import Managed, free_port
from harmonic_local.stack import Stack, StackPlan, planned
from harness.world import SECRET

KINDS = ("state", "music", "gateway")


@asynccontextmanager
async def prepared(data: Path, lines: list[str]) -> AsyncIterator[Stack]:
    """A product of which nothing runs yet."""
    stack = planned(StackPlan(data=data, jwt_secret=SECRET), lambda _name, line: lines.append(line))
    try:
        yield stack
    finally:
        for process in reversed(stack.processes):
            await process.stop()


async def waits_for(http: aiohttp.ClientSession, url: str, *, after: str = "none") -> str:
    """What a process that starts says that it waits for, once it says so.

    What begins with ``after`` is passed over.
    """
    while True:
        try:
            async with http.get(f"{url}/startupz") as answer:
                body = await answer.json()
        except aiohttp.ClientConnectionError:
            body = {}
        if "waitingFor" in body and not body["waitingFor"].startswith(after):
            assert body["status"] == "starting"
            return str(body["waitingFor"])
        # It has not begun to listen, or to wait for it; nothing tells when it will.
        await asyncio.sleep(0.05)


async def test_services_wait_for_the_broker_and_say_so(tmp_path: Path) -> None:
    async with prepared(tmp_path, []) as stack, aiohttp.ClientSession() as http:
        starting = [asyncio.create_task(process.start()) for process in stack.services]
        for kind in KINDS:
            url = stack.ops_urls[f"{kind}-1"]
            assert (await waits_for(http, url)).startswith("NATS at nats://127.0.0.1:")
            async with http.get(f"{url}/readyz") as answer:
                assert answer.status == 503
            async with http.get(f"{url}/healthz") as answer:
                assert answer.status == 200

        for process in stack.brokers:
            await process.start()
        await asyncio.gather(*starting)

        for kind in KINDS:
            async with http.get(f"{stack.ops_urls[f'{kind}-1']}/startupz") as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "ready"})


async def test_a_service_says_which_stream_it_waits_for(tmp_path: Path) -> None:
    async with prepared(tmp_path, []) as stack, aiohttp.ClientSession() as http:
        for process in stack.brokers:
            await process.start()
        (music,) = stack.musics
        starting = asyncio.create_task(music.start())

        said = await waits_for(http, stack.ops_urls["music-1"], after="NATS")
        assert said == "stream HU_JOBS"

        for process in stack.states:
            await process.start()
        await starting


async def last_words(process: Managed, lines: Sequence[str]) -> tuple[int, list[dict[str, object]]]:
    """The exit status of a process that does not start, and what it logged as an error."""
    process.sign = lambda line: "cannot_start" in line
    await process.start()
    status = await process.ended()
    await process.stop()
    assert not any("Traceback" in line for line in lines)
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    return status, [line for line in logged if line["level"] == "error"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("port taken", r"^Cannot listen on 127\.0\.0\.1:\d+ for /healthz.*HARMONIC_OPS_PORT"),
        ("wrong password", r"^NATS at .*Authorization Violation.*HARMONIC_NATS_URL"),
        ("no certificate", r"HARMONIC_NATS_CA_FILE"),
        ("no broker", r"^NATS at .*HARMONIC_NATS_URL"),
    ],
)
async def test_what_keeps_a_service_from_starting_is_one_line(
    tmp_path: Path, kind: str, fault: str, reason: str
) -> None:
    lines: list[str] = []
    async with prepared(tmp_path, lines) as stack:
        (process,) = [each for each in stack.services if each.name == f"{kind}-1"]
        if fault != "no broker":
            await stack.brokers[0].start()
        lines.clear()
        taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", free_port())
        port = taken.sockets[0].getsockname()[1]
        changed = {
            "port taken": {"HARMONIC_OPS_PORT": str(port)},
            "wrong password": {"HARMONIC_NATS_PASSWORD": "guessed"},
            "no certificate": {"HARMONIC_NATS_CA_FILE": str(tmp_path / "none.pem")},
            "no broker": {},
        }
        process.environment = {
            **process.environment,
            "HARMONIC_BUS_START_TIMEOUT_S": "1",
            **changed[fault],
        }
        async with taken:
            status, errors = await last_words(process, lines)

    assert status == 3
    (line,) = errors
    assert line["event"] == "cannot_start"
    assert re.search(reason, str(line["reason"]))

"""What a service says while it starts, and why it does not."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.bus import CONFIG
from harmonic_local.processes import Managed, free_port
from harmonic_local.stack import Stack, StackPlan, planned
from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.process.lifecycle import CANNOT_START_STATUS
from harmonic_runtime.process.settings import INVALID_SETTINGS_STATUS
from harmonic_state.settings import StateSettings
from harmonic_state.storage import stream_configs
from harness.broker import connected_as, tls_broker
from harness.certificates import Authority
from harness.client import PATIENCE_S
from harness.world import SECRET
from operate.series import scrape

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
                assert (await answer.json())["waitingFor"].startswith("NATS at ")
            async with http.get(f"{url}/healthz") as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "alive"})
            assert (await scrape(http, url)).value("harmonic_waiting_to_start") == 1

        for process in stack.brokers:
            await process.start()
        await asyncio.gather(*starting)

        for kind in KINDS:
            url = stack.ops_urls[f"{kind}-1"]
            for question in ("startupz", "readyz"):
                async with http.get(f"{url}/{question}") as answer:
                    assert (answer.status, await answer.json()) == (200, {"status": "ready"})
            assert (await scrape(http, url)).value("harmonic_waiting_to_start") == 0


async def test_a_replica_that_sets_up_the_streams_says_that_it_waits_for_jetstream(
    tmp_path: Path,
) -> None:
    async with prepared(tmp_path, []) as stack, aiohttp.ClientSession() as http:
        (broker,) = stack.brokers
        without_jetstream(stack, tmp_path)
        await broker.start()
        starting = asyncio.create_task(stack.states[0].start())
        said = await waits_for(http, stack.ops_urls["state-1"], after="NATS")
        assert said == "JetStream, to set up the streams"
        starting.cancel()


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


async def test_the_streams_that_gateways_wait_for_are_made_after_all_others(
    tmp_path: Path,
) -> None:
    """A gateway that finds them may use any stream."""
    made: list[str] = []
    names = [str(config["name"]) for config in stream_configs(StateSettings())]
    limits = {subjects.limit_stream(rate) for rate in (*GLOBAL_RATES, *SERVICE_RATES)}
    async with prepared(tmp_path, []) as stack:
        for process in stack.brokers:
            await process.start()
        all_made = asyncio.Event()

        def note(message: Message) -> None:
            made.append(message.subject.rpartition(".")[2])
            if set(names) <= set(made):
                all_made.set()

        async with connected_as("admin", stack) as bus, asyncio.timeout(PATIENCE_S):
            await bus.subscribe("$JS.EVENT.ADVISORY.STREAM.CREATED.*", note)
            await bus.flush()
            await stack.states[0].start()
            await all_made.wait()

    assert set(made[-len(limits) :]) == limits


# What keeps a service from starting.


def without_jetstream(stack: Stack, _folder: Path) -> None:
    """The broker keeps no streams."""
    (broker,) = stack.brokers
    at = broker.command.index("--jetstream")
    broker.command = [*broker.command[:at], *broker.command[at + 3 :]]


def with_a_small_store(stack: Stack, folder: Path, bound: str = "max_file_store: 1MB") -> None:
    """The broker may store less than the streams reserve."""
    without_jetstream(stack, folder)
    config = folder / "small.conf"
    users = os.path.relpath(CONFIG.with_name("users-by-password.conf"), folder)
    store = f"jetstream {{ store_dir: {folder / 'store'}, {bound} }}"
    config.write_text(f"include {users}\n{store}\n")
    (broker,) = stack.brokers
    at = broker.command.index("--config") + 1
    broker.command = [*broker.command[:at], str(config), *broker.command[at + 1 :]]


def unchanged(_stack: Stack, _folder: Path) -> None:
    """Nothing is wrong with the broker."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What a service does not find, the settings that it has then, and what it says."""

    reason: str
    settings: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Stack, Path], None] = unchanged
    kinds: Sequence[str] = KINDS


LACKS = {
    "wrong password": Lack(
        r"^NATS at .*Authorization Violation.*HARMONIC_NATS_URL",
        {"HARMONIC_NATS_PASSWORD": "guessed"},
    ),
    "no certificate": Lack(
        r"HARMONIC_NATS_CA_FILE", {"HARMONIC_NATS_CA_FILE": "/nowhere/none.pem"}
    ),
    "no broker": Lack(r"^NATS at .*HARMONIC_NATS_URL", {"HARMONIC_NATS_URL": "nats://127.0.0.1:1"}),
    "inbox denied": Lack(
        r"^NATS at .* lets this process hear no answers .*HARMONIC_NATS_INBOX_PREFIX",
        {"HARMONIC_NATS_INBOX_PREFIX": "_INBOX.others"},
    ),
    "no JetStream": Lack(
        r"^The stream HU_\w+ (cannot be set up.*|is not there): JetStream is not enabled there",
        prepare=without_jetstream,
    ),
    "a store that is too small": Lack(
        r"HARMONIC_\w+_STREAM_BYTES says\): insufficient storage resources available",
        prepare=with_a_small_store,
        kinds=("state",),
    ),
    "too little memory for streams": Lack(
        r"HU_BARS .*memory: raise max_memory_store there\): insufficient memory resources",
        prepare=partial(with_a_small_store, bound="max_memory_store: 32MB"),
        kinds=("state",),
    ),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a service ended that did not start: its exit status, and all that it wrote."""

    status: int
    lines: Sequence[str]

    @property
    def errors(self) -> list[dict[str, object]]:
        """What it logged as an error."""
        logged = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in logged if line["level"] == "error"]


async def refusal(process: Managed, **settings: str) -> Refusal:
    """Start a service that cannot, with these settings, and wait for its end."""
    lines: list[str] = []
    started = replace(
        process,
        output=lambda _name, line: lines.append(line),
        sign=lambda _line: True,
        environment={**process.environment, "HARMONIC_BUS_START_TIMEOUT_S": "1", **settings},
    )
    await started.start()
    status = await started.ended()
    await started.stop()
    return Refusal(status, lines)


async def refusals(stack: Stack, kinds: Sequence[str], **settings: str) -> dict[str, Refusal]:
    """Start services of these kinds at once, none of which can."""
    processes = [each for each in stack.services if each.name.removesuffix("-1") in kinds]
    ended = await asyncio.gather(*(refusal(process, **settings) for process in processes))
    return {process.name: each for process, each in zip(processes, ended, strict=True)}


def is_told_in_a_line(refused: Refusal, reason: str) -> None:
    """It is one line of the log, and the documented status."""
    assert refused.status == CANNOT_START_STATUS
    (line,) = refused.errors
    assert line["event"] == "cannot_start"
    assert re.search(reason, str(line["reason"])), line
    assert not any("Traceback" in line for line in refused.lines)


@pytest.mark.parametrize("name", LACKS)
async def test_what_keeps_services_from_starting_is_one_line(tmp_path: Path, name: str) -> None:
    lack = LACKS[name]
    async with prepared(tmp_path / "stack", []) as stack:
        lack.prepare(stack, tmp_path)
        await stack.brokers[0].start()
        for refused in (await refusals(stack, lack.kinds, **lack.settings)).values():
            is_told_in_a_line(refused, lack.reason)


async def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    async with prepared(tmp_path, []) as stack:
        await stack.brokers[0].start()
        taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", free_port())
        port = str(taken.sockets[0].getsockname()[1])
        async with taken:
            for refused in (await refusals(stack, KINDS, HARMONIC_OPS_PORT=port)).values():
                is_told_in_a_line(
                    refused, rf"^Cannot listen on 127\.0\.0\.1:{port} for /healthz.*OPS_PORT"
                )
            # The gateway listens for clients as the last thing of all, so it needs the streams.
            await stack.states[0].start()
            (gateway,) = stack.gateways
            own = {"HARMONIC_OPS_PORT": str(free_port()), "HARMONIC_BUS_START_TIMEOUT_S": "20"}
            refused = await refusal(gateway, **own, HARMONIC_PORT=port)
            is_told_in_a_line(
                refused, rf"^Cannot listen on 127\.0\.0\.1:{port} for clients.*HARMONIC_PORT"
            )


async def test_a_broker_of_an_authority_that_is_not_trusted_is_one_line(tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    async with (
        tls_broker(tmp_path / "tls") as broker,
        prepared(tmp_path / "stack", []) as stack,
    ):
        found = await refusals(
            stack, KINDS, HARMONIC_NATS_URL=broker.url, HARMONIC_NATS_CA_FILE=str(other.ca_file)
        )
        for refused in found.values():
            is_told_in_a_line(refused, r"certificate verify failed.*see HARMONIC_NATS_CA_FILE")


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        *((kind, "HARMONIC_OPS_PORT") for kind in KINDS),
        ("gateway", "HARMONIC_PORT"),
    ],
)
async def test_an_address_of_kubernetes_service_links_is_refused_as_such(
    tmp_path: Path, kind: str, variable: str
) -> None:
    async with prepared(tmp_path, []) as stack:
        (found,) = (await refusals(stack, (kind,), **{variable: "tcp://10.0.0.1:80"})).values()
    assert found.status == INVALID_SETTINGS_STATUS
    (line,) = found.lines
    assert line.startswith(f"{variable} is an address that Kubernetes service links put there")

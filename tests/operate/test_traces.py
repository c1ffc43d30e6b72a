"""One update is one trace, over a gateway, its owner, and every gateway that sends it on."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest

from harmonic_runtime.observability.tracing import NoTracer, open_tracer, trace_id_of
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings
from harness.world import World, started
from operate.collector import Collector, collector

CLIENTS_SPAN = "00f067aa0ba902b7"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
#: The gateway and the owner that carry an update out, and the gateways that send it to members.
SPANS = 4


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Collector]:
    async with collector() as running:
        yield running


@pytest.fixture(scope="module")
async def traced(
    receiver: Collector, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Two gateways and a state service that record the traces that clients want recorded."""
    directory = tmp_path_factory.mktemp("traced")
    async with (
        started(directory, HARMONIC_TRACES_URL=receiver.url, HARMONIC_TRACES_SHARE="0") as stack,
        aiohttp.ClientSession() as http,
    ):
        view = World(stack, http)
        yield view
        await view.close()


async def test_an_update_is_one_trace_over_both_gateways_and_its_owner(
    traced: World, receiver: Collector
) -> None:
    universe, (ann, bob) = await traced.together("ann", "bob")
    await ann.says(
        "update_physics",
        universeId=universe,
        parameters={"gravity": 1.5},
        traceparent=f"00-{TRACE_ID}-{CLIENTS_SPAN}-01",
    )
    await bob.hears("physics_updated")

    command, owner, *deliveries = await receiver.trace(TRACE_ID, SPANS)
    assert (command.service, command.name) == ("harmonic-gateway", "update_physics")
    assert command.parent_id == CLIENTS_SPAN
    assert (owner.service, owner.name) == ("harmonic-state", "own update_physics")
    assert owner.parent_id == command.span_id
    assert {(span.service, span.name) for span in deliveries} == {("harmonic-gateway", "deliver")}
    assert {span.parent_id for span in deliveries} == {owner.span_id}
    assert len({span.replica for span in deliveries}) == 2
    assert all(span.began_ns <= span.ended_ns and not span.failed for span in deliveries)


async def test_a_refused_command_is_a_failed_span_with_the_id_that_the_client_is_told(
    traced: World, receiver: Collector
) -> None:
    trace_id = TRACE_ID[::-1]
    client = await traced.client("ann")
    await client.says(
        "update_physics",
        universeId="nowhere",
        parameters={"gravity": 1.5},
        traceparent=f"00-{trace_id}-{CLIENTS_SPAN}-01",
    )
    error = await client.hears("error")

    assert error["details"]["errorId"] == trace_id
    command, owner = await receiver.trace(trace_id, 2)
    assert (command.failed, owner.failed) == (True, True)


async def test_a_trace_that_nobody_wants_recorded_is_not(
    traced: World, receiver: Collector
) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    universe, (ann,) = await traced.together("ann")
    for flags, last in (("00", trace_id), ("01", TRACE_ID.replace("4", "7"))):
        await ann.says(
            "update_physics",
            universeId=universe,
            parameters={"gravity": 2.5},
            traceparent=f"00-{last}-{CLIENTS_SPAN}-{flags}",
        )
    # Spans are sent in order: once the second one's are there, the first one's would be.
    await receiver.trace(last, SPANS - 1)
    assert trace_id not in {span.trace_id for span in receiver.spans}


async def test_a_context_that_is_none_is_refused(traced: World) -> None:
    client = await traced.client("ann")
    await client.says("leave_room", universeId="u", traceparent="00-no-context-01")
    error = await client.hears("room_error")
    assert error["details"]["fields"][0]["field"] == "traceparent"


async def test_a_gateway_makes_a_trace_where_the_client_brings_none(
    receiver: Collector, tmp_path: Path
) -> None:
    async with (
        started(tmp_path, HARMONIC_TRACES_URL=receiver.url, HARMONIC_TRACES_SHARE="1") as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann, bob) = await world.together("ann", "bob")
        await ann.says("update_music", universeId=universe, parameters={"tempo": 99})
        await bob.hears("music_updated")
        command = await receiver.named("update_music")
        spans = await receiver.trace(command.trace_id, SPANS)
        await world.close()
    assert command.parent_id == ""
    assert [span.name for span in spans] == [
        "update_music",
        "own update_music",
        "deliver",
        "deliver",
    ]


def test_without_a_collector_opentelemetry_is_not_imported() -> None:
    program = (
        "import sys, harmonic_gateway.service, harmonic_state.service, harmonic_music.service\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_a_service_that_lacks_opentelemetry_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "harmonic_runtime.observability.otlp", raising=False)
    settings = cast("ServiceSettings", SimpleNamespace(traces_url="http://127.0.0.1:1/v1/traces"))
    with pytest.raises(CannotStart, match=r"install harmonic-gateway\[tracing\]"):
        await open_tracer(settings, "gateway").__aenter__()


def test_without_tracing_a_request_has_a_context_all_the_same() -> None:
    tracer = NoTracer()
    given = f"00-{TRACE_ID}-{CLIENTS_SPAN}-01"
    assert tracer.begin("x", given).traceparent == given
    made = {trace_id_of(tracer.begin("x").traceparent) for _ in range(100)}
    assert len(made) == 100
    assert all(len(trace_id) == 32 for trace_id in made)

"""The bus: each service may do what it needs there, and nothing else."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from chaos.owners import ask, replica_id
from harmonic_local import bus as bus_users
from harmonic_local.processes import free_port
from harmonic_local.stack import broker
from harmonic_operator.replicas import describe
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller, Envelope
from harmonic_protocol.messages.universes import GetUniverse
from harmonic_protocol.operating import Describe
from harmonic_runtime.bus.client import BusTimeout
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harness.broker import connected, connected_as, credentials
from harness.world import World
from security.permissions import (
    MAY_PUBLISH,
    MAY_SUBSCRIBE,
    SERVICES,
    STREAMS,
    due,
    may_publish,
    may_subscribe,
)

FAR_FUTURE_MS = 10**13


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mapping[str, str]]:
    """A broker that is configured as the product's is, without the product: its users' settings."""
    passwords = bus_users.make_passwords()
    port = free_port()
    process = broker(
        tmp_path_factory.mktemp("guarded"),
        port,
        lambda _name, _line: None,
        config=bus_users.CONFIG,
        environment=bus_users.broker_environment(passwords),
    )
    await process.start()
    yield {"url": f"nats://127.0.0.1:{port}", **passwords}
    await process.stop()


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_may_say_what_it_needs_to_and_nothing_else(
    guarded: Mapping[str, str], name: str
) -> None:
    metrics = Metrics()
    async with connected(guarded["url"], metrics=metrics, **credentials(name, guarded)) as bus:
        allowed = await may_publish(bus, metrics)

    assert allowed == due(MAY_PUBLISH, name)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_may_hear_what_it_needs_to_and_nothing_else(
    guarded: Mapping[str, str], name: str
) -> None:
    metrics = Metrics()
    async with connected(guarded["url"], metrics=metrics, **credentials(name, guarded)) as bus:
        allowed = await may_subscribe(bus, metrics)

    assert allowed == due(MAY_SUBSCRIBE, name)


async def test_what_was_denied_is_logged_with_its_subject(guarded: Mapping[str, str]) -> None:
    with capture_logs() as lines:
        async with connected(guarded["url"], **credentials("music", guarded)) as bus:
            with pytest.raises(BusTimeout):
                await bus.request("hu.log.7.u", b"", timeout_s=0.1)

    assert [line["error"] for line in lines if line["event"] == "bus_error"] == [
        'Error: nats: permissions violation for publish to "hu.log.7.u"'
    ]


@pytest.mark.parametrize(
    "secrets",
    [{}, {"nats_user": "state", "nats_password": "guessed"}],
    ids=["no password", "a wrong password"],
)
async def test_who_cannot_say_who_they_are_is_not_let_in(
    guarded: Mapping[str, str], secrets: Mapping[str, Any]
) -> None:
    with capture_logs() as lines, pytest.raises(CannotStart) as refused:
        async with connected(guarded["url"], bus_start_timeout_s=1, **secrets):
            pass

    assert "Authorization Violation" in str(lines)
    assert "guessed" not in f"{lines} {refused.value}"


@pytest.mark.parametrize("place", ["hu.log.7", "hu.snapshot.7", "$JS.API"])
async def test_an_owner_answers_to_callers_and_into_no_stream(world: World, place: str) -> None:
    replica = replica_id(world.stack, world.stack.states[0])
    reply = f"{place}.{world.name('forged')}"
    headers = Envelope(Caller("ann", "ann"), FAR_FUTURE_MS).to_headers()
    async with connected_as("gateway", world.stack) as bus:
        await bus.publish(
            f"hu.state.{replica}.get_universe", b'{"universeId":"x"}', headers=headers, reply=reply
        )
        # Requests are taken in order: once this one is answered, the other was.
        await ask(
            bus, replica, GetUniverse.model_validate({"universeId": "x"}), Caller("ann", "ann")
        )

    async with connected_as("admin", world.stack) as bus:
        for stream in STREAMS:
            assert await Streams(bus).last(stream, reply) is None


async def test_no_replica_answers_an_operator_into_a_stream(world: World) -> None:
    """State services may write logs; operators may not."""
    universe = world.name("forged")
    reply = subjects.log(universe)
    async with connected_as("operator", world.stack) as bus:
        await bus.publish(subjects.operate("state", Describe.name), b"{}", reply=reply)
        # Requests are taken in order: once this one is answered, the other was.
        assert (await describe(bus, "state")).described

    async with connected_as("admin", world.stack) as bus:
        assert await Streams(bus).last(subjects.log_stream_of(universe), reply) is None

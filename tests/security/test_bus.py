"""The bus: each service may do what it needs there, and nothing else."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from chaos.owners import ask, replica_id
from harmonic_local import bus as bus_users
from harmonic_local.processes import free_port
from harmonic_local.stack import broker
from harmonic_protocol.envelope import Caller, Envelope
from harmonic_protocol.messages.universes import GetUniverse
from harmonic_runtime.bus.client import Bus, BusTimeout
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harness.broker import connected, connected_as, count, credentials
from harness.world import World

SERVICES = ("gateway", "state", "music", "operator")

GATEWAY, STATE, MUSIC, OPERATOR = ({name} for name in SERVICES)
NOBODY: set[str] = set()
FAR_FUTURE_MS = 10**13
LIMITS = [f"HU_LIMIT_{rate}" for rate in ("PARAMETERS", "GENERATIONS", "ROOMS", "OPERATIONS")]
LOGS = [f"HU_LOG_{number}" for number in range(4)]
OTHER_STREAMS = [
    "HU_SNAPSHOT",
    "HU_INDEX",
    "HU_OWNED",
    "HU_NOTES",
    "HU_SESSIONS",
    "HU_JOBS",
    "HU_REVOCATIONS",
    "HU_REPLICAS",
    "HU_OPERATOR",
]
STREAMS = [*LOGS, *OTHER_STREAMS, *LIMITS]


def _read(verb: str, readers: Mapping[str, set[str]]) -> dict[str, set[str]]:
    return {f"$JS.API.{verb}.{stream}": readers.get(stream, NOBODY) for stream in STREAMS}


#: Who may say something on which subject; for all others, it is not to be.
MAY_PUBLISH: Mapping[str, set[str]] = {
    "hu.log.7.u": STATE,
    "hu.live.7.u": NOBODY,
    "hu.signal.7.u": GATEWAY,
    "hu.snapshot.7.u": STATE,
    "hu.index.public.u": STATE,
    "hu.owned.user": STATE,
    "hu.notes.7.u.r": MUSIC,
    "hu.midi.7.u.r": MUSIC,
    "hu.jobs.music": STATE,
    "hu.session.user.pid": GATEWAY,
    "hu.session.gateways.gateway": GATEWAY,
    "hu.ping.gateway": GATEWAY,
    "hu.peer.gateway": GATEWAY,
    "hu.limit.parameters.user": GATEWAY,
    "hu.revoked.user.digest": OPERATOR,
    "hu.switch.audio": OPERATOR,
    "hu.restored": OPERATOR,
    "hu.replica.gateway.digest": GATEWAY,
    "hu.replica.state.digest": STATE,
    "hu.replica.music.digest": MUSIC,
    "hu.operate.gateway.drain": OPERATOR,
    "hu.operate.state.describe": OPERATOR,
    "hu.heads": STATE,
    "hu.alive.gateway": GATEWAY,
    "hu.alive.state": STATE,
    "hu.who.gateway": GATEWAY | STATE,
    "hu.who.state": GATEWAY | MUSIC | OPERATOR,
    "hu.state.replica.update_physics": GATEWAY,
    "hu.state.replica.complete_music": MUSIC,
    "hu.state.replica.expire_music": NOBODY,
    "hu.state.replica.inspect_universe": OPERATOR,
    "hu.state.replica.remove_user": OPERATOR,
    "_INBOX.gateway.id.1": STATE | GATEWAY,
    "_INBOX.music.id.1": STATE,
    "_INBOX.admin.id.1": STATE,
    "_INBOX.state.id.1": NOBODY,
    "_INBOX.operator.id.1": GATEWAY | STATE | MUSIC,
    **{f"$JS.API.STREAM.{verb}.{name}": STATE for verb in ("CREATE", "UPDATE") for name in STREAMS},
    **{f"$JS.API.STREAM.{verb}.{name}": NOBODY for verb in ("DELETE",) for name in STREAMS},
    **_read(
        "STREAM.INFO",
        {
            **dict.fromkeys(STREAMS, STATE | OPERATOR),
            **dict.fromkeys([*LIMITS, "HU_OPERATOR"], STATE | GATEWAY | OPERATOR),
            "HU_REVOCATIONS": STATE | GATEWAY | MUSIC | OPERATOR,
            "HU_JOBS": STATE | MUSIC | OPERATOR,
        },
    ),
    **_read("STREAM.PURGE", dict.fromkeys([*LOGS, "HU_INDEX", "HU_NOTES"], STATE)),
    **_read(
        "STREAM.MSG.GET",
        {
            **dict.fromkeys([*LOGS, "HU_SNAPSHOT", "HU_INDEX", "HU_OWNED"], STATE),
            **dict.fromkeys([*LIMITS, "HU_SESSIONS", "HU_REVOCATIONS"], GATEWAY),
            "HU_OPERATOR": GATEWAY | STATE,
            "HU_NOTES": GATEWAY | MUSIC,
            "HU_REPLICAS": OPERATOR,
        },
    ),
    **_read(
        "DIRECT.GET",
        {
            **dict.fromkeys([*LOGS, "HU_INDEX"], STATE),
            **dict.fromkeys(["HU_SESSIONS", "HU_REVOCATIONS", "HU_OPERATOR"], GATEWAY),
            "HU_REPLICAS": OPERATOR,
        },
    ),
    **_read("STREAM.MSG.DELETE", {}),
    **_read("STREAM.SNAPSHOT", dict.fromkeys(STREAMS, OPERATOR)),
    **_read("STREAM.RESTORE", dict.fromkeys(STREAMS, OPERATOR)),
    "$JS.SNAPSHOT.ACK.HU_LOG_0.id": OPERATOR,
    "$JS.SNAPSHOT.RESTORE.HU_LOG_0.id": OPERATOR,
    **{f"$JS.API.CONSUMER.CREATE.{name}": NOBODY for name in STREAMS},
    **{f"$JS.API.CONSUMER.CREATE.{name}.spy": NOBODY for name in STREAMS},
    **{f"$JS.API.CONSUMER.CREATE.{name}.spy.hu.log": NOBODY for name in STREAMS},
    **{f"$JS.API.CONSUMER.DURABLE.CREATE.{name}.spy": NOBODY for name in STREAMS},
    "$JS.API.CONSUMER.CREATE.HU_JOBS.composers": MUSIC,
    "$JS.API.CONSUMER.MSG.NEXT.HU_JOBS.composers": MUSIC,
    "$JS.API.CONSUMER.DELETE.HU_JOBS.composers": NOBODY,
    "$JS.ACK.HU_JOBS.composers.1.1.1.1.0": MUSIC,
    "$JS.API.INFO": STATE | OPERATOR,
    "$JS.API.CONSUMER.INFO.HU_JOBS.composers": STATE | MUSIC,
    "$JS.API.STREAM.NAMES": NOBODY,
    "$JS.API.STREAM.LIST": NOBODY,
    "$SYS.REQ.SERVER.PING": NOBODY,
    "$SYS.REQ.ACCOUNT.PING.CONNZ": NOBODY,
}

#: Who may hear what is said on which subject.
MAY_SUBSCRIBE: Mapping[str, set[str]] = {
    "_INBOX.gateway.id.*": GATEWAY,
    "_INBOX.state.id.*": STATE,
    "_INBOX.music.id.*": MUSIC,
    "_INBOX.operator.id.*": OPERATOR,
    "_INBOX.admin.id.*": NOBODY,
    "_INBOX.>": NOBODY,
    "hu.log.7.u": NOBODY,
    "hu.live.7.u": GATEWAY | OPERATOR,
    "hu.signal.7.u": GATEWAY,
    "hu.snapshot.7.u": NOBODY,
    "hu.index.public.u": NOBODY,
    "hu.owned.user": NOBODY,
    "hu.notes.7.u.r": NOBODY,
    "hu.midi.7.u.r": NOBODY,
    "hu.jobs.music": NOBODY,
    "hu.session.user.pid": NOBODY,
    "hu.ping.gateway": GATEWAY,
    "hu.peer.gateway": GATEWAY,
    "hu.limit.parameters.user": NOBODY,
    "hu.revoked.user.digest": GATEWAY,
    "hu.switch.audio": GATEWAY,
    "hu.restored": NOBODY,
    "hu.replica.state.digest": NOBODY,
    "hu.operate.gateway.*": GATEWAY,
    "hu.operate.state.*": STATE,
    "hu.operate.music.*": MUSIC,
    "hu.heads": GATEWAY,
    "hu.alive.gateway": GATEWAY | STATE,
    "hu.alive.state": GATEWAY | MUSIC | OPERATOR,
    "hu.who.gateway": GATEWAY,
    "hu.who.state": STATE,
    "hu.state.replica.*": STATE,
    "hu.>": NOBODY,
    "$JS.API.>": NOBODY,
    "$JS.ACK.>": NOBODY,
    "$JS.EVENT.>": NOBODY,
    "$SYS.>": NOBODY,
    ">": NOBODY,
}


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


class User:
    """A service's user at the broker."""

    def __init__(self, bus: Bus, metrics: Metrics) -> None:
        self._bus = bus
        self._metrics = metrics

    async def may_publish(self, subject: str) -> bool:
        await self._bus.publish(subject, b"")
        return await self._went_well()

    async def may_subscribe(self, subject: str) -> bool:
        subscription = await self._bus.subscribe(subject, lambda _message: None)
        went_well = await self._went_well()
        await subscription.close()
        return went_well

    async def _went_well(self) -> bool:
        before = count(self._metrics, "bus_errors_total")
        await self._bus.flush()
        return count(self._metrics, "bus_errors_total") == before


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_may_say_what_it_needs_to_and_nothing_else(
    guarded: Mapping[str, str], name: str
) -> None:
    metrics = Metrics()
    async with connected(guarded["url"], metrics=metrics, **credentials(name, guarded)) as bus:
        user = User(bus, metrics)
        allowed = {subject for subject in MAY_PUBLISH if await user.may_publish(subject)}

    assert allowed == {subject for subject, users in MAY_PUBLISH.items() if name in users}


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_may_hear_what_it_needs_to_and_nothing_else(
    guarded: Mapping[str, str], name: str
) -> None:
    metrics = Metrics()
    async with connected(guarded["url"], metrics=metrics, **credentials(name, guarded)) as bus:
        user = User(bus, metrics)
        allowed = {subject for subject in MAY_SUBSCRIBE if await user.may_subscribe(subject)}

    assert allowed == {subject for subject, users in MAY_SUBSCRIBE.items() if name in users}


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

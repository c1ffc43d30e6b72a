"""What each service may say and hear on the bus, and how a broker is asked."""

from collections.abc import Mapping

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.observability.metrics import Metrics
from harness.broker import count

SERVICES = ("gateway", "state", "music", "operator")

GATEWAY, STATE, MUSIC, OPERATOR = ({name} for name in SERVICES)
NOBODY: set[str] = set()
RATES = ("PARAMETERS", "GENERATIONS", "ROOMS", "OPERATIONS", "SERVICE_CALLS", "SERVICE_PIECES")
LIMITS = [f"HU_LIMIT_{rate}" for rate in RATES]
LOGS = [f"HU_LOG_{number}" for number in range(4)]
OTHER_STREAMS = [
    "HU_SNAPSHOT",
    "HU_INDEX",
    "HU_OWNED",
    "HU_NOTES",
    "HU_BARS",
    "HU_SESSIONS",
    "HU_JOBS",
    "HU_REVOCATIONS",
    "HU_REPLICAS",
    "HU_OPERATOR",
    "HU_AUDIT",
    "HU_LEASES",
]
STREAMS = [*LOGS, *OTHER_STREAMS, *LIMITS]
#: Those with subjects that hold a digest of a user's id.
USER_LIMITS = [f"HU_LIMIT_{rate}" for rate in ("PARAMETERS", "GENERATIONS", "ROOMS", "OPERATIONS")]
OF_USERS = [
    *("HU_SESSIONS", "HU_INDEX", "HU_OWNED", "HU_REVOCATIONS", "HU_LEASES"),
    *USER_LIMITS,
]


def _read(verb: str, readers: Mapping[str, set[str]]) -> dict[str, set[str]]:
    return {f"$JS.API.{verb}.{stream}": readers.get(stream, NOBODY) for stream in STREAMS}


#: Who may say something on which subject; for all others, it is not to be.
MAY_PUBLISH: Mapping[str, set[str]] = {
    "hu.log.7.u": STATE,
    "hu.live.7.u": NOBODY,
    "hu.signal.7.u": GATEWAY | STATE,
    "hu.snapshot.7.u": STATE,
    "hu.index.public.u": STATE,
    "hu.owned.user": STATE,
    "hu.notes.7.u.r": MUSIC,
    "hu.midi.7.u.r": MUSIC,
    "hu.jobs.music": STATE,
    "hu.bars.7.u.0": MUSIC,
    "hu.compose.bar": STATE,
    "hu.playing": STATE,
    "hu.session.user.pid": GATEWAY,
    "hu.session.gateways.gateway": GATEWAY,
    "hu.ping.gateway": GATEWAY,
    "hu.peer.gateway": GATEWAY,
    "hu.limit.parameters.user": GATEWAY,
    "hu.revoked.user.digest": OPERATOR,
    "hu.switch.audio": OPERATOR,
    "hu.restored": OPERATOR,
    "hu.audit.universe.u.user.nobody": STATE,
    "hu.audit.instance.revoke.operator.nobody": OPERATOR,
    "hu.replica.gateway.digest": GATEWAY,
    "hu.replica.state.digest": STATE,
    "hu.replica.music.digest": MUSIC,
    "hu.operate.gateway.drain": OPERATOR,
    "hu.operate.state.describe": OPERATOR,
    "hu.heads": STATE,
    "hu.alive.gateway": GATEWAY,
    "hu.alive.state": STATE,
    "hu.who.gateway": GATEWAY | STATE,
    "hu.who.state": GATEWAY | STATE | MUSIC | OPERATOR,
    "hu.state.replica.update_physics": GATEWAY,
    "hu.state.replica.complete_music": MUSIC,
    "hu.state.replica.expire_music": NOBODY,
    "hu.state.replica.record_bar": NOBODY,
    **{
        f"hu.state.replica.{request}": OPERATOR
        for request in (
            *("inspect_universe", "remove_user", "operator_ban", "operator_unban"),
            *("trace_user", "erase_user", "forget_history"),
        )
    },
    "_INBOX.gateway.id.1": STATE | GATEWAY,
    "_INBOX.music.id.1": STATE,
    "_INBOX.admin.id.1": STATE,
    "_INBOX.state.id.1": NOBODY,
    "_INBOX.state.witness.id.1": GATEWAY,
    "_INBOX.state.bars.id.1": MUSIC,
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
    **_read(
        "STREAM.PURGE",
        {
            **dict.fromkeys([*LOGS, "HU_NOTES"], STATE),
            **dict.fromkeys(OF_USERS, OPERATOR),
            "HU_INDEX": STATE | OPERATOR,
            "HU_AUDIT": OPERATOR,
        },
    ),
    **_read(
        "STREAM.MSG.GET",
        {
            **dict.fromkeys([*LOGS, "HU_SNAPSHOT"], STATE),
            **dict.fromkeys(["HU_INDEX", "HU_OWNED"], STATE | OPERATOR),
            **dict.fromkeys(LIMITS, GATEWAY),
            **dict.fromkeys([*USER_LIMITS, "HU_SESSIONS", "HU_REVOCATIONS"], GATEWAY | OPERATOR),
            "HU_OPERATOR": GATEWAY | STATE,
            "HU_NOTES": GATEWAY | MUSIC,
            "HU_REPLICAS": OPERATOR,
            "HU_LEASES": OPERATOR,
            "HU_AUDIT": STATE | OPERATOR,
        },
    ),
    **_read(
        "DIRECT.GET",
        {
            **dict.fromkeys(OF_USERS, OPERATOR),
            **dict.fromkeys(LOGS, STATE),
            "HU_INDEX": STATE | OPERATOR,
            **dict.fromkeys(["HU_SESSIONS", "HU_REVOCATIONS"], GATEWAY | OPERATOR),
            "HU_BARS": GATEWAY,
            "HU_OPERATOR": GATEWAY,
            "HU_REPLICAS": OPERATOR,
            "HU_AUDIT": STATE | OPERATOR,
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
    "_INBOX.state.witness.id.*": STATE,
    "_INBOX.state.bars.id.*": STATE,
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
    "hu.bars.7.u.0": GATEWAY,
    "hu.compose.bar": MUSIC,
    "hu.playing": STATE,
    "hu.session.user.pid": NOBODY,
    "hu.ping.gateway": GATEWAY,
    "hu.peer.gateway": GATEWAY,
    "hu.limit.parameters.user": NOBODY,
    "hu.revoked.user.digest": GATEWAY,
    "hu.switch.audio": GATEWAY,
    "hu.restored": NOBODY,
    "hu.audit.universe.u.user.nobody": NOBODY,
    "hu.replica.state.digest": NOBODY,
    "hu.operate.gateway.*": GATEWAY,
    "hu.operate.state.*": STATE,
    "hu.operate.music.*": MUSIC,
    "hu.heads": GATEWAY,
    "hu.alive.gateway": GATEWAY | STATE,
    "hu.alive.state": GATEWAY | STATE | MUSIC | OPERATOR,
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


async def may_publish(bus: Bus, metrics: Metrics) -> set[str]:
    """The subjects of the table on which the bus's user may say something."""
    user = User(bus, metrics)
    return {subject for subject in MAY_PUBLISH if await user.may_publish(subject)}


async def may_subscribe(bus: Bus, metrics: Metrics) -> set[str]:
    """The subjects of the table that the bus's user may hear."""
    user = User(bus, metrics)
    return {subject for subject in MAY_SUBSCRIBE if await user.may_subscribe(subject)}


def due(table: Mapping[str, set[str]], name: str) -> set[str]:
    """The subjects of a table that are a service's."""
    return {subject for subject, users in table.items() if name in users}

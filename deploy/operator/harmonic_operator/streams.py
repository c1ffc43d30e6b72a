"""The product's streams and their brokers, as the broker's API reports them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.inspection import Inspection, StoreShare
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.streams import STREAM_NOT_FOUND

INFO_TIMEOUT_S = 3.0
LOGS = tuple(subjects.log_stream(number) for number in range(subjects.LOG_STREAMS))
LIMITS = tuple(subjects.limit_stream(rate) for rate in (*GLOBAL_RATES, *SERVICE_RATES))
STREAMS = (
    *LOGS,
    subjects.SNAPSHOT_STREAM,
    subjects.INDEX_STREAM,
    subjects.OWNED_STREAM,
    subjects.NOTES_STREAM,
    subjects.BARS_STREAM,
    subjects.JOBS_STREAM,
    subjects.SESSIONS_STREAM,
    subjects.REVOCATIONS_STREAM,
    subjects.REPLICAS_STREAM,
    subjects.OPERATOR_STREAM,
    subjects.AUDIT_STREAM,
    subjects.LEASES_STREAM,
    *LIMITS,
)


@dataclass(frozen=True, slots=True)
class BrokerCopy:
    """A broker's copy of a stream, and how many messages it is behind the leader."""

    broker: str
    current: bool
    behind: int


@dataclass(frozen=True, slots=True)
class StreamReport:
    """A stream's state; ``problem`` says why it is not known, if so.

    A stream that ``is_absent`` does not exist, according to the brokers' leader. ``drops`` says
    that the broker drops the oldest messages beyond the stream's bound.
    """

    name: str
    problem: str | None = None
    is_absent: bool = False
    messages: int = 0
    bytes: int = 0
    max_bytes: int | None = None
    drops: bool = False
    last_sequence: int = 0
    leader: str = ""
    copies: tuple[BrokerCopy, ...] = ()

    @property
    def fill(self) -> float | None:
        """How full it is, from 0 to 1; ``None`` without a bound in bytes."""
        return self.bytes / self.max_bytes if self.max_bytes else None


async def stream_states(bus: Bus) -> list[StreamReport]:
    """All streams that the product needs, including those that do not exist."""
    return list(await asyncio.gather(*(_state(bus, name) for name in STREAMS)))


async def store_state(bus: Bus) -> tuple[StoreShare, ...] | None:
    """What the account has stored, and its limits; ``None`` if the broker does not tell."""
    try:
        return await Inspection(bus).store()
    except BusUnavailable:
        return None


async def _state(bus: Bus, name: str) -> StreamReport:
    try:
        info = await call(bus, f"STREAM.INFO.{name}", {}, timeout_s=INFO_TIMEOUT_S)
    except ApiRefused as refused:
        if refused.code == STREAM_NOT_FOUND:
            return StreamReport(name, "is missing", is_absent=True)
        return StreamReport(name, f"cannot be asked: {refused}")
    except BusUnavailable as error:
        return StreamReport(name, f"has no leader that answers: {error}")
    return read_state(name, info)


def read_state(name: str, info: Mapping[str, Any]) -> StreamReport:
    """A stream's state from the broker's answer."""
    config, state = info["config"], info["state"]
    cluster = info.get("cluster") or {}
    most = int(config.get("max_bytes", -1))
    return StreamReport(
        name,
        messages=int(state["messages"]),
        bytes=int(state["bytes"]),
        max_bytes=most if most > 0 else None,
        drops=config.get("discard") == "old",
        last_sequence=int(state["last_seq"]),
        leader=str(cluster.get("leader", "")),
        copies=tuple(
            BrokerCopy(
                str(each["name"]),
                bool(each.get("current")) and not each.get("offline", False),
                int(each.get("lag", 0)),
            )
            for each in cluster.get("replicas") or ()
        ),
    )

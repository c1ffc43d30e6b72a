"""The broker's view of its streams: how full they are, and what waits in a work queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.streams import STREAM_NOT_FOUND

_CONSUMER_NOT_FOUND = 10014
Storage: TypeAlias = Literal["file", "memory"]
#: What the broker calls the amounts of each kind.
_AMOUNTS: Mapping[Storage, str] = {"file": "storage", "memory": "memory"}


@dataclass(frozen=True, slots=True)
class StreamState:
    """How much a stream holds; ``fill`` is the share of its nearest bound, 0 without bounds."""

    bytes: int = 0
    messages: int = 0
    fill: float = 0.0


@dataclass(frozen=True, slots=True)
class StoreShare:
    """What an account's streams take, in bytes; ``max_bytes`` is ``None`` where it has no bound.

    Some accounts have bounds by the number of copies: then ``tier`` is ``R1`` or ``R3``.
    """

    storage: Storage
    tier: str
    bytes: int
    max_bytes: int | None = None

    @property
    def fill(self) -> float:
        """The share of its bound, 0 without one."""
        return self.bytes / self.max_bytes if self.max_bytes else 0.0


def read_store(info: Mapping[str, Any]) -> tuple[StoreShare, ...]:
    """What an account has stored, from the broker's answer."""
    tiers: Mapping[str, Any] = info.get("tiers") or {"": info}
    found = []
    for tier, share in tiers.items():
        for storage, amount in _AMOUNTS.items():
            bound = int(share["limits"][f"max_{amount}"])
            found.append(
                StoreShare(storage, tier, int(share[amount]), bound if bound > 0 else None)
            )
    return tuple(found)


class Inspection:
    """Asks JetStream about streams, as their leaders know them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def stream(self, name: str) -> StreamState | None:
        """How full a stream is; ``None`` if it does not exist.

        Raise :class:`BusUnavailable` where nobody answers.
        """
        try:
            info = await call(self._bus, f"STREAM.INFO.{name}", {})
        except ApiRefused as refused:
            if refused.code == STREAM_NOT_FOUND:
                return None
            raise
        state, config = info["state"], info["config"]
        held, messages = int(state["bytes"]), int(state["messages"])
        shares = [
            amount / bound
            for amount, bound in (
                (held, int(config.get("max_bytes", -1))),
                (messages, int(config.get("max_msgs", -1))),
            )
            if bound > 0
        ]
        return StreamState(held, messages, max(shares, default=0.0))

    async def store(self) -> tuple[StoreShare, ...]:
        """What the account stores and may store; raise :class:`BusUnavailable` without answer."""
        return read_store(await call(self._bus, "INFO", {}))

    async def unfinished(self, stream: str, consumer: str) -> int:
        """The messages that a consumer was not given, or did not acknowledge; 0 without it.

        The consumer's leader answers: followers may be behind.
        """
        try:
            info = await call(self._bus, f"CONSUMER.INFO.{stream}.{consumer}", {})
        except ApiRefused as refused:
            if refused.code in {STREAM_NOT_FOUND, _CONSUMER_NOT_FOUND}:
                return 0
            raise
        return int(info["num_pending"]) + int(info["num_ack_pending"])

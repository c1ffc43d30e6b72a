"""The brokers behind the product, asked directly: who leads which stream, and what is stored."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from chaos.history import LogRecord
from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.log import Record
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.wire import decode_headers
from harness.broker import connected_as
from harness.waiting import POLL_S, until

LOG_STREAMS = [subjects.log_stream(number) for number in range(subjects.LOG_STREAMS)]
ALL_STREAMS = [
    *LOG_STREAMS,
    *(subjects.SNAPSHOT_STREAM, subjects.INDEX_STREAM),
    *(subjects.NOTES_STREAM, subjects.JOBS_STREAM),
]
#: A stream whose leader is gone has another after 4 to 8 s, and a follower catches up in less.
HEALTHY_TIMEOUT_S = 60.0
#: Messages that are asked for at the same time.
READ_AT_ONCE = 200
_PREVIOUS = "Nats-Expected-Last-Subject-Sequence"
_NO_MESSAGE = 10037


class Cluster:
    """The brokers of a running product."""

    def __init__(self, stack: Stack, bus: Bus) -> None:
        self._stack = stack
        self.bus = bus

    async def info(self, stream: str) -> Mapping[str, Any] | None:
        """What the stream's leader says of it; ``None`` while it has none."""
        try:
            return await call(self.bus, f"STREAM.INFO.{stream}", {}, timeout_s=0.5)
        except BusUnavailable:
            return None

    async def leader(self, stream: str, *, but: Managed | None = None) -> Managed:
        """The process of the stream's leader, once it has one, and another one than ``but``."""
        if len(self._stack.brokers) == 1:
            return self._stack.brokers[0]
        while True:
            info = await self.info(stream)
            name = info["cluster"].get("leader") if info else None
            for broker in self._stack.brokers:
                if broker.name == name and broker is not but:
                    return broker
            await asyncio.sleep(POLL_S)

    async def healthy(self) -> None:
        """Return when every stream has a leader, and its followers all that it has."""

        async def are_healthy() -> bool:
            infos = [await self.info(stream) for stream in ALL_STREAMS]
            return all(_is_healthy(info, len(self._stack.brokers)) for info in infos)

        await until(are_healthy, HEALTHY_TIMEOUT_S)

    async def logs(self) -> dict[str, list[LogRecord]]:
        """All universes' logs, as the streams' leaders have them."""
        logs: dict[str, list[LogRecord]] = defaultdict(list)
        for stream in LOG_STREAMS:
            info = await self._sure(f"STREAM.INFO.{stream}", {})
            first, last = max(info["state"]["first_seq"], 1), info["state"]["last_seq"]
            for start in range(first, last + 1, READ_AT_ONCE):
                end = min(start + READ_AT_ONCE, last + 1)
                part = await asyncio.gather(*(self._get(stream, n) for n in range(start, end)))
                for universe, record in filter(None, part):
                    logs[universe].append(record)
        return logs

    async def _get(self, stream: str, sequence: int) -> tuple[str, LogRecord] | None:
        try:
            answer = await self._sure(f"STREAM.MSG.GET.{stream}", {"seq": sequence})
        except ApiRefused:
            return None
        message = answer["message"]
        record = Record.model_validate_json(base64.b64decode(message["data"]))
        headers = decode_headers(base64.b64decode(message.get("hdrs", "")) or None)
        previous = headers.get(_PREVIOUS)
        return message["subject"].rpartition(".")[2], LogRecord(
            sequence,
            None if previous is None else int(previous),
            tuple((event.name, event.data) for event in record.events),
        )

    async def _sure(self, name: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """An answer of the API, in the end: streams are without a leader at times."""
        async with asyncio.timeout(HEALTHY_TIMEOUT_S):
            while True:
                try:
                    return await call(self.bus, name, body)
                except BusUnavailable as error:
                    if isinstance(error, ApiRefused) and error.code == _NO_MESSAGE:
                        raise
                await asyncio.sleep(POLL_S)


def _is_healthy(info: Mapping[str, Any] | None, brokers: int) -> bool:
    if info is None:
        return False
    if brokers == 1:
        return True
    replicas = info["cluster"].get("replicas", [])
    return (
        bool(info["cluster"].get("leader"))
        and len(replicas) == brokers - 1
        and all(replica.get("current") and not replica.get("offline") for replica in replicas)
    )


@asynccontextmanager
async def cluster_of(stack: Stack) -> AsyncIterator[Cluster]:
    """A connection to the brokers that finds another one where one dies."""
    async with connected_as("admin", stack) as bus:
        yield Cluster(stack, bus)

"""Streams as files: archives a stream from a broker, and restores it into one without it.

It is the broker's own format: every message with its sequence, its headers and its time. ADR-8 of
NATS's architecture describes how chunks are transferred.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harmonic_operator.connection import NotDone
from harmonic_runtime.bus.client import Bus, NoResponders
from harmonic_runtime.bus.jetstream import ApiRefused, call
from harmonic_runtime.bus.wire import DESCRIPTION, STATUS, Message

CHUNK_BYTES = 128 * 1024
#: Seconds that the broker may take to begin, between two chunks, and to accept one.
CHUNK_TIMEOUT_S = 30.0
#: Brokers tell one another of new subscriptions with a short delay.
HAND_OVER_ATTEMPTS, HAND_OVER_PAUSE_S = 40, 0.1
#: Seconds that brokers that have just started may take to find one another.
PEERS_TIMEOUT_S, PEERS_PAUSE_S = 20.0, 0.25
#: The error if fewer brokers are there than the stream is to have copies.
NO_PEERS = 10005
#: The broker's message that ends the transfer.
_END = "204"


@dataclass(frozen=True, slots=True)
class Archived:
    """The archive of a stream."""

    config: Mapping[str, Any]
    state: Mapping[str, Any]
    bytes: int
    sha256: str


async def archive(bus: Bus, stream: str, path: Path, advance: Callable[[int], None]) -> Archived:
    """Write a stream, as it is at one moment, to a file; ``advance`` is called with written bytes.

    Raise :class:`NotDone` if the broker ends the transfer before the stream is complete.
    """
    inbox = bus.new_inbox()
    with path.open("wb") as file:
        written = _Written(bus, file.write, advance)
        subscription = await bus.subscribe(inbox, written.take)
        try:
            asked = {"deliver_subject": inbox, "no_consumers": True, "chunk_size": CHUNK_BYTES}
            answer = await call(bus, f"STREAM.SNAPSHOT.{stream}", asked, timeout_s=CHUNK_TIMEOUT_S)
            await written.whole()
        finally:
            await subscription.close()
    return Archived(answer["config"], answer["state"], written.bytes, written.digest.hexdigest())


class _Written:
    """Writes chunks as they arrive, and asks for more."""

    def __init__(
        self, bus: Bus, write: Callable[[bytes], object], advance: Callable[[int], None]
    ) -> None:
        self._bus = bus
        self._write = write
        self._advance = advance
        self._news = asyncio.Event()
        self._ended: str | None = None
        self.bytes = 0
        self.digest = hashlib.sha256()

    def take(self, message: Message) -> None:
        if not message.payload:
            status = message.headers.get(STATUS, _END)
            self._ended = f"{status} {message.headers.get(DESCRIPTION, '')}".strip()
        else:
            self._write(message.payload)
            self.digest.update(message.payload)
            self.bytes += len(message.payload)
            self._advance(len(message.payload))
            if message.reply:
                self._bus.post(message.reply, b"")
        self._news.set()

    async def whole(self) -> None:
        """Return once the stream is complete."""
        while self._ended is None:
            self._news.clear()
            try:
                async with asyncio.timeout(CHUNK_TIMEOUT_S):
                    await self._news.wait()
            except TimeoutError:
                raise NotDone("The broker sends no more of the stream.") from None
        if not self._ended.startswith(_END):
            raise NotDone(f"The broker ended the stream early: {self._ended}.")


async def unarchive(
    bus: Bus,
    stream: str,
    path: Path,
    *,
    config: Mapping[str, Any],
    state: Mapping[str, Any],
    advance: Callable[[int], None],
) -> None:
    """Restore a stream from a file; raise :class:`NotDone` if the result differs from ``state``."""
    begun = await begin_restoring(bus, stream, {"config": config, "state": state})
    place = str(begun["deliver_subject"])
    with path.open("rb") as file:
        for chunk in _chunks(file.read):
            await _hand_over(bus, place, chunk)
            advance(len(chunk))
    ended = await _hand_over(bus, place, b"")
    check_restored(stream, ended.payload, state)


async def begin_restoring(bus: Bus, stream: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The broker's answer once it begins to restore a stream.

    Brokers that have just started get time to find one another. Raise ``ApiRefused`` if they do
    not, or for any other error.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + PEERS_TIMEOUT_S
    while True:
        try:
            return await call(bus, f"STREAM.RESTORE.{stream}", asked, timeout_s=CHUNK_TIMEOUT_S)
        except ApiRefused as refused:
            if refused.code != NO_PEERS or loop.time() > ends_at:
                raise
            await asyncio.sleep(PEERS_PAUSE_S)


async def _hand_over(bus: Bus, place: str, chunk: bytes) -> Message:
    """Send the broker a chunk, and return its answer.

    Another broker may lead the stream, and this one may not know yet that it listens there.
    """
    for _ in range(HAND_OVER_ATTEMPTS):
        try:
            return await bus.request(place, chunk, timeout_s=CHUNK_TIMEOUT_S)
        except NoResponders:
            await asyncio.sleep(HAND_OVER_PAUSE_S)
    raise NotDone("The broker does not listen for the stream that it is to be given.")


def check_restored(stream: str, answer: bytes, state: Mapping[str, Any]) -> None:
    """Raise :class:`NotDone` unless the broker's last answer confirms the whole stream."""
    said = json.loads(answer)
    error = said.get("error")
    if error is not None:
        raise NotDone(f"{stream} could not be restored: {error.get('description')}.")
    found = said["state"]
    if any(found[name] != state[name] for name in ("messages", "last_seq")):
        raise NotDone(f"{stream} was restored with other messages than it was saved with.")


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(CHUNK_BYTES):
        yield chunk

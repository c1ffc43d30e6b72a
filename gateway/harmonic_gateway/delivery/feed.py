"""One universe's stored records as this gateway hears them: every one once, in order.

The broker republishes what is stored, at most once; each record names the position of the one
before it. So a missing one shows when the next arrives, or when an owner's reply names a
position that was not heard of, and is fetched from the owner before anything after it passes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from harmonic_gateway.delivery.frames import Delivery, deliver, read_record, with_notes
from harmonic_gateway.delivery.places import place
from harmonic_gateway.sockets import Frame
from harmonic_protocol.internal import LogPart
from harmonic_protocol.log import MusicStored, Notice
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.lifecycle import Tasks

#: How long a record that an owner spoke of may be on its way before it is fetched.
OVERDUE_S = 0.3
#: Pauses between two attempts to fetch what is missing.
RETRY_S = 0.5
#: Records that may wait for one that is missing; beyond it they are fetched again later.
MAX_WAITING_RECORDS = 4096

SEQUENCE = "Nats-Sequence"
PREVIOUS_SEQUENCE = "Nats-Last-Sequence"


@dataclass(frozen=True, slots=True)
class _Heard:
    position: int
    previous: int
    delivery: Delivery


class LogTrimmed(Exception):
    """The log does not reach back to a position any more."""


class Feed:
    """The records of one universe from some position on.

    ``sink`` gets each record's position, frames and notices, synchronously and in order.
    ``on_lost`` is called, and nothing comes any more, where what is missing is not kept anywhere.
    """

    def __init__(
        self,
        *,
        universe_id: str,
        sink: Callable[[int, list[Frame], list[Notice]], None],
        read_log: Callable[[str, int], Awaitable[LogPart]],
        fetch_notes: Callable[[MusicStored], Awaitable[bytes | None]],
        on_lost: Callable[[], None],
        tasks: Tasks,
        log: BoundLogger,
    ) -> None:
        self.universe_id = universe_id
        self.position: int | None = None
        self._sink = sink
        self._read_log = read_log
        self._fetch_notes = fetch_notes
        self._on_lost = on_lost
        self._tasks = tasks
        self._log = log
        self._waiting: deque[_Heard] = deque()
        self._fetching = False
        self._stale = False
        self._expected = 0
        self._overdue: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self, position: int) -> None:
        """Begin right after ``position``, or before it with all that was heard of since then.

        Somebody else's snapshot may be older than the one that ``position`` is of.
        """
        first = self._waiting[0].previous if self._waiting else position
        self.position = min(position, first)
        self._advance()

    def close(self) -> None:
        """Deliver nothing more."""
        self._closed = True
        self._waiting.clear()
        if self._overdue is not None:
            self._overdue.cancel()

    def hear(self, message: Message) -> None:
        """Take a republished record."""
        heard = _Heard(
            int(message.headers[SEQUENCE]),
            int(message.headers[PREVIOUS_SEQUENCE]),
            read_record(message.payload),
        )
        if len(self._waiting) >= MAX_WAITING_RECORDS:
            # The chain will show that it is missing.
            return
        self._waiting.append(heard)
        self._advance()

    def expect(self, position: int) -> None:
        """An owner spoke of ``position``: fetch it if it does not come by itself."""
        self._expected = max(self._expected, position)
        if self._closed or self._overdue or self.position is None:
            return
        if self._expected > self.position:
            self._overdue = asyncio.get_running_loop().call_later(OVERDUE_S, self._check)

    def resync(self) -> None:
        """Something may have been lost on the way: ask the owner."""
        self._stale = True
        self._advance()

    def _check(self) -> None:
        self._overdue = None
        if self.position is not None and self._expected > self.position:
            self._log.info("record_overdue", universe=self.universe_id)
            self.resync()

    def _advance(self) -> None:
        while self.position is not None and not self._fetching and not self._closed:
            if self._stale:
                self._begin(self._fetch_missing())
            elif not self._waiting:
                return
            elif self._waiting[0].position <= self.position:
                self._waiting.popleft()
            elif self._waiting[0].previous > self.position:
                self._log.info("record_missed", universe=self.universe_id)
                self._stale = True
            elif self._waiting[0].delivery.pieces():
                self._begin(self._complete(self._waiting[0]))
            else:
                heard = self._waiting.popleft()
                self._pass_on(heard.position, heard.delivery, {})

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._fetching = True
        self._tasks.start(work, name=f"feed {self.universe_id}")

    def _pass_on(self, position: int, delivery: Delivery, notes: Mapping[str, bytes]) -> None:
        if self._closed:
            return
        frames = [
            frame if isinstance(frame, Frame) else with_notes(frame, notes[frame.request_id])
            for frame in delivery.frames
            if isinstance(frame, Frame) or frame.request_id in notes
        ]
        for index, frame in enumerate(frames, start=1):
            whole = index == len(frames)
            frame.offset = place(self.universe_id, position, None if whole else index)
        self.position = position
        self._sink(position, frames, delivery.notices)

    async def _complete(self, heard: _Heard) -> None:
        """Pass the first waiting record on, once the notes it refers to are there."""
        try:
            notes = await self._notes(heard.delivery)
            if self._waiting and self._waiting[0] is heard:
                self._waiting.popleft()
                self._pass_on(heard.position, heard.delivery, notes)
        finally:
            self._fetching = False
        self._advance()

    async def _notes(self, delivery: Delivery) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for piece in delivery.pieces():
            notes = await self._fetch_notes(piece)
            if notes is None:
                self._log.warning("notes_missing", request=piece.request_id)
            else:
                found[piece.request_id] = notes
        return found

    async def _fetch_missing(self) -> None:
        try:
            while self._stale and not self._closed and self.position is not None:
                try:
                    part = await self._read_log(self.universe_id, self.position)
                except BusUnavailable:
                    await asyncio.sleep(RETRY_S)
                    continue
                except LogTrimmed:
                    self._lose()
                    return
                for logged in part.records:
                    delivery = deliver([event.model_dump() for event in logged.record.events])
                    self._pass_on(logged.position, delivery, await self._notes(delivery))
                self._stale = not part.complete
                if part.complete and not self._joins_up():
                    # The owner's replica of the log lags behind what was republished.
                    self._stale = True
                    await asyncio.sleep(RETRY_S)
        finally:
            self._fetching = False
        self._advance()
        # Whoever was asked may not have known of what another owner spoke of.
        self.expect(self._expected)

    def _lose(self) -> None:
        self._log.error("log_trimmed", universe=self.universe_id, position=self.position)
        self.close()
        self._on_lost()

    def _joins_up(self) -> bool:
        position = self.position or 0
        ahead = next((heard for heard in self._waiting if heard.position > position), None)
        return ahead is None or ahead.previous <= position

"""Following one universe's log: does what its chain asks for, and reports the outcome.

The decisions are the chain's (:mod:`harmonic_gateway.delivery.chain`).
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, assert_never

from harmonic_gateway.delivery.arrival import RecordArrival
from harmonic_gateway.delivery.chain import (
    Chain,
    Deliver,
    FetchNotes,
    FetchRecords,
    Heard,
    Lose,
    Pause,
    StartTimer,
    Step,
)
from harmonic_gateway.delivery.frames import RecordDelivery, deliver, read_record, with_notes
from harmonic_gateway.delivery.history import History, LogTrimmed
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.delivery.places import Position, mark_of, place
from harmonic_gateway.sockets import Frame
from harmonic_protocol import subjects
from harmonic_protocol.envelope import CARRIED_OUT, RequestTrace
from harmonic_protocol.internal import LoggedRecord
from harmonic_protocol.log import Notice
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.reading import is_republished
from harmonic_runtime.bus.wire import STORED_SEQUENCE, STORED_SUBJECT, Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.lifecycle import Tasks

#: How long a record that an owner spoke of may be on its way before it is fetched.
OVERDUE_S = 0.3
#: Pauses between two attempts to fetch what is missing.
RETRY_S = 0.5

PREVIOUS_SEQUENCE = "Nats-Last-Sequence"

Sink = Callable[[int, list[Frame], list[Notice]], None]


@dataclass(frozen=True, slots=True)
class FeedEvents:
    """What a feed reports besides its records.

    ``lost``: missing records are kept nowhere, and the feed has ended. ``doubtful``: a record came
    at an earlier position: it was late, or the log was turned back, which its owner knows.
    ``foreign``: a message came that no owner has stored; only its position counts.
    ``carried_out``: a record came that names commands, in this header, and has this position.
    """

    lost: Callable[[], None]
    doubtful: Callable[[], None]
    foreign: Callable[[], None]
    carried_out: Callable[[str, int], None]


class Feed:
    """The records of one universe from some position on.

    ``sink`` gets each record's position, frames and notices, synchronously and in order.
    """

    def __init__(
        self,
        universe_id: str,
        *,
        sink: Sink,
        tell: FeedEvents,
        history: History,
        meter: DeliveryMeter,
        tasks: Tasks,
        log: BoundLogger,
    ) -> None:
        self._meter = meter
        self.universe_id = universe_id
        self._sink = sink
        self._tell = tell
        self._log_subject = subjects.log(universe_id)
        self._history = history
        self._tasks = tasks
        self._log = log
        self._chain = Chain()
        #: The record that was delivered last, and its position; or where to begin.
        self._last: tuple[int, str] = (Position(0), "")
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, position: int) -> int:
        """Set where to begin, ``position`` or before it; followed by :meth:`go_on`."""
        begun = self._chain.begin(position)
        self._last = begun, ""
        return begun

    def go_on(self) -> None:
        """Do all that can be done now."""
        while (step := self._chain.next()) is not None:
            self._do(step)

    def close(self) -> None:
        """Deliver nothing more."""
        self._chain.close()
        self._meter.caught_up(self.universe_id)
        if self._timer is not None:
            self._timer.cancel()

    def hear(self, message: Message) -> None:
        """Take a republished record."""
        headers, names = message.headers, ""
        if is_republished(headers, self._log_subject):
            delivery, names = read_record(message.payload), headers.get(CARRIED_OUT, "")
        else:
            self._tell.foreign()
            if headers.get(STORED_SUBJECT) != self._log_subject:
                # It is in no log.
                return
            delivery = RecordDelivery([], [])
        heard = Heard(
            int(headers[STORED_SEQUENCE]),
            int(headers[PREVIOUS_SEQUENCE]),
            delivery,
            RecordArrival(message.arrived_s, RequestTrace.from_headers(headers)),
            len(message.payload),
        )
        if self._chain.position is not None and heard.position <= self._last[0]:
            self._hear_again(heard)
        elif self._chain.position is not None and heard.delivery.loses_history:
            self.turned_back()
        elif self._chain.pass_on(heard):
            self._deliver(heard, {})
        else:
            self._chain.hear(heard)
            self.go_on()
        if names:
            # After its frames, in the same turn: both are one write to whoever asked.
            self._tell.carried_out(names, heard.position)

    def _hear_again(self, heard: Heard) -> None:
        """Take a record at an earlier position: it was delivered, or the log was turned back."""
        position, record_id = self._last
        if heard.delivery.loses_history:
            self.turned_back()
        elif heard.position < position:
            self._tell.doubtful()
        elif record_id not in {"", heard.delivery.record_id}:
            self.turned_back()

    def turned_back(self) -> None:
        """The log has lost records that were delivered, or others that were due."""
        self._chain.trimmed()
        self.go_on()

    def expect(self, position: int) -> None:
        """Note a position that an owner named: fetch it if it does not arrive by itself.

        Where another record stands there than the one that was delivered, the log was turned back.
        """
        known, said = self._last[0], mark_of(position)
        if position == known and said is not None and mark_of(known) not in {None, said}:
            self.turned_back()
            return
        if self._chain.expect(position):
            self.go_on()

    def _do(self, step: Step) -> None:
        match step:
            case Deliver(heard=heard, notes=notes):
                self._deliver(heard, notes)
            case FetchNotes(heard=heard):
                self._meter.behind(self.universe_id)
                self._start(self._fetch_notes(heard.delivery))
            case FetchRecords(after_position=after):
                self._meter.behind(self.universe_id)
                self._log.info("log_read", universe=self.universe_id, after=after)
                self._start(self._read_log(after))
            case Pause():
                self._start(self._pause())
            case StartTimer():
                self._meter.behind(self.universe_id)
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(OVERDUE_S, self._time_out)
            case Lose():
                self._log.error("log_trimmed", universe=self.universe_id)
                self.close()
                self._tell.lost()
            case _:
                assert_never(step)

    def _deliver(self, heard: Heard, notes: Mapping[str, bytes]) -> None:
        record_id = heard.delivery.record_id
        position = Position.of_record(heard.position, record_id)
        frames = frames_of(self.universe_id, position, heard.delivery, notes)
        self._last = position, record_id
        self._meter.caught_up(self.universe_id)
        self._sink(position, frames, heard.delivery.notices)
        if frames and heard.arrival is not None:
            self._meter.written(heard.arrival)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(work, name=f"feed {self.universe_id}")

    def _time_out(self) -> None:
        if self._chain.awaits_record:
            # It may lie in a queue: a gateway that is behind must not ask for what it has.
            self._start(self._catch_up())
        else:
            self._judge()

    async def _catch_up(self) -> None:
        with suppress(BusUnavailable):
            await self._history.caught_up()
        self._judge()

    def _judge(self) -> None:
        if self._chain.timed_out() and not self._chain.is_closed:
            self._log.info("record_overdue", universe=self.universe_id)
        self.go_on()

    async def _fetch_notes(self, delivery: RecordDelivery) -> None:
        self._chain.notes_fetched(await _notes_of(delivery, self._history))
        self.go_on()

    async def _read_log(self, after_position: int) -> None:
        try:
            position, record_id = self._last
            known = (record_id, mark_of(position)) if position == after_position else ("", None)
            part = await self._history.read(self.universe_id, after_position, *known)
        except BusUnavailable:
            self._chain.read_failed()
        except LogTrimmed:
            self._chain.trimmed()
        else:
            records = []
            for logged in part.records:
                records.append(Heard(logged.position, after_position, _delivery_of(logged)))
                after_position = logged.position
            self._chain.part_read(records, complete=part.complete)
        self.go_on()

    async def _pause(self) -> None:
        await asyncio.sleep(RETRY_S)
        self._chain.paused()
        self.go_on()


async def read_frames(
    universe_id: str, logged: LoggedRecord, history: History
) -> tuple[RecordDelivery, list[Frame]]:
    """A record's delivery, and its frames with their offsets."""
    delivery = _delivery_of(logged)
    position = Position.of_record(logged.position, logged.record.id)
    return delivery, frames_of(universe_id, position, delivery, await _notes_of(delivery, history))


def _delivery_of(logged: LoggedRecord) -> RecordDelivery:
    return deliver([event.model_dump() for event in logged.record.events], logged.record.id)


async def _notes_of(delivery: RecordDelivery, history: History) -> dict[str, bytes]:
    """The notes of a delivery's pieces, if they are still kept."""
    found = {piece.request_id: await history.notes(piece) for piece in delivery.pieces()}
    return {request_id: notes for request_id, notes in found.items() if notes is not None}


def frames_of(
    universe_id: str, position: int, delivery: RecordDelivery, notes: Mapping[str, bytes]
) -> list[Frame]:
    """A record's frames with their offsets, without pieces whose notes are missing."""
    frames = [
        frame if isinstance(frame, Frame) else with_notes(frame, notes[frame.request_id])
        for frame in delivery.frames
        if isinstance(frame, Frame) or frame.request_id in notes
    ]
    for index, frame in enumerate(frames, start=1):
        whole = index == len(frames)
        frame.offset = place(universe_id, position, None if whole else index)
    return frames

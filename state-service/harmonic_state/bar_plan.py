"""What the next bar of an endless piece needs, and when its record is due. Pure.

Each replica of the state service keeps a plan of each piece that it knows of. The replica that is
first in rank for the universe acts when the record is due. Each further replica acts one step
later, unless another one has said by then that it acted. That is sooner than a dead replica is
detected. Two replicas that act at once are harmless, since a bar is recorded once.

Invariants:

- One piece of work is under way at a time: asking a composer, recording, or reading the log.
- A bar is recorded only with the end and the state of the bar before, as a composer reported them.
- What another replica reported counts until the log is read.
"""

from typing import TypeAlias

from harmonic_protocol.internal import RecordBar
from harmonic_protocol.log import BarRecorded
from harmonic_protocol.pieces import BarJob, BarMade, PieceGoesOn
from harmonic_protocol.value import value
from harmonic_state.domain.universe import EndlessState

#: A record is due this long after the beginning of the bar before, so that what a member changed
#: until that bar began has arrived, ...
ARRIVAL_US = 200_000
#: ... and at least and at most this long before that bar ends.
LEAST_LEAD_US, MOST_LEAD_US = 1_600_000, 2_800_000
#: Microseconds that each further replica in rank acts later.
STEP_US = 350_000
#: Microseconds without an attempt after a failure. Reading a log may cost much, so the pause is
#: doubled with each failure in a row to read or to write it, up to the second number.
RETRY_US, MOST_RETRY_US = 200_000, 3_200_000
#: Bytes of a plan in memory, roughly: with what another replica announced, but without a piece; and
#: of a piece with its latest bar, without the texts of states.
PLAN_BYTES, PIECE_BYTES = 1_500, 4_000


@value
class AskComposer:
    """Have a composer make the latest bar, whose notes it stores; report :meth:`BarPlan.made`."""

    job: BarJob


@value
class RecordNext:
    """Record the next bar; report :meth:`BarPlan.learned` or :meth:`BarPlan.failed`."""

    request: RecordBar


@value
class LookAtLog:
    """Read the log; report :meth:`BarPlan.learned` or :meth:`BarPlan.failed`."""


@value
class WaitUntil:
    """Do nothing before this moment, in microseconds of Unix time."""

    at_us: int


@value
class AwaitWork:
    """Work is under way; wait for its report."""


@value
class Forget:
    """Drop the plan: the piece is over."""


Step: TypeAlias = AskComposer | RecordNext | LookAtLog | WaitUntil | AwaitWork | Forget


class BarPlan:
    """A universe's endless piece as this replica knows it, and the work for its next bar."""

    def __init__(self, universe_id: str) -> None:
        self._universe_id = universe_id
        self._piece: EndlessState | None = None
        self._made: BarMade | None = None
        self._told: PieceGoesOn | None = None
        self._works = False
        self._not_before_us = 0
        self._pause_us = RETRY_US

    # Events.

    def learned(self, piece: EndlessState | None) -> None:
        """The piece as the log has it: ``None`` if none is played."""
        self._piece, self._told = piece, None
        if self._made is not None and _record_of(piece, self._made) is None:
            self._made = None

    def done(self) -> None:
        """The log was read or written; :meth:`learned` was told the result."""
        self._works = False
        self._pause_us = RETRY_US

    def failed(self, now_us: int) -> None:
        """The log could be neither read nor written."""
        self._works = False
        self._not_before_us = now_us + self._pause_us
        self._pause_us = min(2 * self._pause_us, MOST_RETRY_US)

    def unanswered(self, now_us: int) -> None:
        """No composer has made the bar."""
        self._works = False
        self._not_before_us = now_us + RETRY_US

    def made(self, made: BarMade) -> PieceGoesOn | None:
        """Note a bar that a composer has made; return what to tell the other replicas."""
        self._works = False
        latest = _record_of(self._piece, made)
        if latest is None:
            return None
        self._made = made
        return PieceGoesOn(
            universe_id=self._universe_id,
            stream_id=made.stream_id,
            bar=made.bar,
            due_us=_ends_us(latest, made) - _lead_us(made),
        )

    def told(self, word: PieceGoesOn) -> None:
        """Note when the record after a bar is due, as this or another replica announced it."""
        if word.due_us is not None:
            self._told = word
        elif self._piece is None or self._piece.stream_id == word.stream_id:
            self._piece = self._told = self._made = None

    # What is to be done.

    @property
    def is_over(self) -> bool:
        """Whether nothing is played, as far as is known."""
        return self._piece is None and self._told is None

    @property
    def size_bytes(self) -> int:
        """The bytes that the plan takes in memory, roughly."""
        size_bytes = PLAN_BYTES
        if self._piece is not None:
            latest = self._piece.latest
            size_bytes += PIECE_BYTES + len((latest and latest.state) or "")
        if self._made is not None:
            size_bytes += len(self._made.state)
        return size_bytes

    def next(self, now_us: int, turn: int) -> Step:
        """The next step of the replica that is ``turn``-th in rank for the universe, from 0."""
        if self._works:
            return AwaitWork()
        if self.is_over:
            return Forget()
        if now_us < self._not_before_us:
            return WaitUntil(self._not_before_us)
        step = self._step(now_us, turn * STEP_US)
        self._works = isinstance(step, AskComposer | RecordNext | LookAtLog)
        return step

    def _step(self, now_us: int, later_us: int) -> Step:
        latest = self._piece.latest if self._piece is not None else None
        told, made = self._told, self._made
        is_elsewhere = told is not None and (
            latest is None or told.stream_id != latest.stream_id or told.bar > latest.bar
        )
        if told is not None and told.due_us is not None and (is_elsewhere or made is None):
            if now_us < told.due_us + later_us:
                return WaitUntil(told.due_us + later_us)
            if is_elsewhere:
                return LookAtLog()
        if self._piece is None or latest is None:
            return Forget()
        if made is None:
            piece = self._piece
            job = job_of(self._universe_id, latest, seed=piece.seed, style=piece.style)
            return AskComposer(job)
        ends_us = _ends_us(latest, made)
        due_us = ends_us - _lead_us(made) + later_us
        if now_us < due_us:
            return WaitUntil(due_us)
        return RecordNext(
            RecordBar(
                universe_id=self._universe_id,
                stream_id=latest.stream_id,
                bar=latest.bar + 1,
                starts_us=ends_us,
                state=made.state,
            )
        )


def job_of(universe_id: str, record: BarRecorded, *, seed: int, style: str | None) -> BarJob:
    """What a composer needs for the bar of a record, of a piece with this seed and style."""
    return BarJob(
        universe_id=universe_id,
        stream_id=record.stream_id,
        seed=seed,
        style=style,
        bar=record.bar,
        starts_us=record.starts_us,
        as_of=record.as_of,
        music=record.music,
        physics=record.physics,
        state=record.state,
    )


def _record_of(piece: EndlessState | None, made: BarMade) -> BarRecorded | None:
    """The record of a bar that a composer made, if it is the latest of the piece."""
    latest = piece.latest if piece is not None else None
    if latest is None or (latest.stream_id, latest.bar) != (made.stream_id, made.bar):
        return None
    return latest


def _ends_us(latest: BarRecorded, made: BarMade) -> int:
    return latest.starts_us + made.duration_us


def _lead_us(made: BarMade) -> int:
    return min(max(made.duration_us - ARRIVAL_US, LEAST_LEAD_US), MOST_LEAD_US)

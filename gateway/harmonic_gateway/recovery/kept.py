"""The ends of logs as they are sent to clients that return: encoded once, for all of them. Pure.

Clients of one room return together, and miss nearly the same. So what was read for one of them is
kept for a short time, within a bound in bytes.

The invariants:

- The records of a :class:`KeptLog` follow one another in its log, without a hole.
- A block holds what a client is sent of consecutive records: at most as many packets as one poll
  is answered with.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from harmonic_gateway.delivery.places import Place, mark_of
from harmonic_gateway.sockets import Frame
from harmonic_gateway.sockets.frames import MAX_JOINED_BYTES, JoinedFrame
from harmonic_gateway.sockets.limits import MAX_PACKETS_PER_POLL
from harmonic_protocol.log import record_mark

#: What an event takes in memory besides its bytes, which are kept twice, or about that.
EVENT_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event that members saw, and its frame, unless it is not sent again."""

    seq: int | None
    frame: Frame | None


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record of the log: what members saw of it."""

    position: int
    record_id: str
    events: tuple[KeptEvent, ...]

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        frames = [event.frame for event in self.events if event.frame is not None]
        return EVENT_BYTES + sum(EVENT_BYTES + 2 * frame.size_bytes for frame in frames)


@dataclass(frozen=True, slots=True)
class Missed:
    """What a client is sent again, how many events it is, and the ``seq`` after which it comes."""

    frames: list[Frame]
    events: int
    from_seq: int


@dataclass(frozen=True, slots=True)
class _Block:
    """The records up to ``last``, by their index, in one frame."""

    last: int
    frame: Frame
    events: int


@dataclass(slots=True)
class KeptLog:
    """Consecutive records of one log after a position, and what they take in memory."""

    after: int
    records: list[KeptRecord] = field(default_factory=list)
    size_bytes: int = 0
    _blocks: dict[int, _Block] = field(default_factory=dict)
    _blocked: int = 0

    def add(self, record: KeptRecord) -> None:
        """Add the record that follows the last one."""
        self.records.append(record)
        self.size_bytes += record.size_bytes

    def index_of(self, position: int) -> int | None:
        """Where the record at a position is, if it is here."""
        index = bisect_left(self.records, position, key=lambda record: record.position)
        is_here = index < len(self.records) and self.records[index].position == position
        return index if is_here else None

    def reaches_back_to(self, at: Place) -> bool:
        """Whether all that follows a place is here, as far as this log goes."""
        index = self.index_of(at.position)
        if index is not None:
            return at.mark in {None, record_mark(self.records[index].record_id)}
        return (
            at.frames is None
            and at.position == self.after
            and at.mark in {None, mark_of(self.after)}
        )

    def ends_with(self, position: int, record_id: str | None) -> bool:
        """Whether that very record stands here at a position."""
        index = self.index_of(position)
        return index is not None and self.records[index].record_id == record_id

    def missed(self, at: Place, until: int, to_seq: int) -> Missed:
        """What a client at a place missed, up to the record at ``until``."""
        start = bisect_left(self.records, at.position, key=lambda record: record.position)
        end = bisect_left(self.records, until + 1, key=lambda record: record.position)
        frames: list[Frame] = []
        events, first_seq, index = 0, None, start
        for record in self.records[start:end]:
            first_seq = next((event.seq for event in self._after(at, record)), None)
            if first_seq is not None:
                break
        self._join(end)
        while index < end:
            block = self._blocks.get(index)
            record = self.records[index]
            if block is not None and block.last < end and record.position > at.position:
                frames.append(block.frame)
                events += block.events
                index = block.last + 1
                continue
            again = [event.frame for event in self._after(at, record) if event.frame is not None]
            frames += again
            events += len(again)
            index += 1
        return Missed(frames, events, to_seq if first_seq is None else first_seq - 1)

    @staticmethod
    def _after(at: Place, record: KeptRecord) -> Sequence[KeptEvent]:
        """The events of a record that a client at a place does not have."""
        if record.position != at.position:
            return record.events
        return record.events[at.frames or len(record.events) :]

    def _join(self, end: int) -> None:
        """Join what can be joined of the records before an index, and is not yet."""
        first = self._blocked
        group: list[Frame] = []
        for index in range(first, end):
            record = self.records[index]
            added = [event.frame for event in record.events if event.frame is not None]
            size_bytes = sum(frame.size_bytes for frame in (*group, *added))
            if len(group) + len(added) > MAX_PACKETS_PER_POLL or size_bytes > MAX_JOINED_BYTES:
                self._close_block(first, index - 1, group)
                first, group = index, []
            group += added
        self._blocked = first

    def _close_block(self, first: int, last: int, group: Sequence[Frame]) -> None:
        size_bytes = sum(frame.size_bytes for frame in group)
        if 1 < len(group) <= MAX_PACKETS_PER_POLL and size_bytes <= MAX_JOINED_BYTES:
            self._blocks[first] = _Block(last, JoinedFrame(group), len(group))


class KeptLogs:
    """The kept logs of all universes; those that were asked for last have room."""

    def __init__(self, bound_bytes: int, keep_s: float) -> None:
        self._bound_bytes = bound_bytes
        self._keep_s = keep_s
        self._logs: dict[str, tuple[KeptLog, float]] = {}

    @property
    def size_bytes(self) -> int:
        """What all of them take in memory, about."""
        return sum(log.size_bytes for log, _ in self._logs.values())

    def of(self, universe_id: str, now_s: float) -> KeptLog | None:
        """What is kept of a log; it is asked for again."""
        self.expire(now_s)
        found = self._logs.pop(universe_id, None)
        if found is None:
            return None
        self._logs[universe_id] = found[0], now_s + self._keep_s
        return found[0]

    def keep(self, universe_id: str, log: KeptLog, now_s: float) -> None:
        """Keep this for the next one, and forget others where it is too much."""
        self._logs.pop(universe_id, None)
        self._logs[universe_id] = log, now_s + self._keep_s
        size_bytes = self.size_bytes
        for other in list(self._logs):
            if size_bytes <= self._bound_bytes:
                break
            size_bytes -= self._logs.pop(other)[0].size_bytes

    def forget(self, universe_id: str) -> None:
        """What is kept of a log is of no use any more."""
        self._logs.pop(universe_id, None)

    def expire(self, now_s: float) -> bool:
        """Forget what nobody asked for; whether anything is left."""
        for universe_id, (_, until_s) in list(self._logs.items()):
            if until_s > now_s:
                break
            del self._logs[universe_id]
        return bool(self._logs)

"""Whether members were sent what their rooms' logs hold: each frame once, and in order. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Of all that is wrong, so much is told.
MAX_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that every member is to get, as the log has it or as a member was sent it."""

    seq: int
    name: str
    timestamp: str


@dataclass(slots=True)
class Stay:
    """What a member was sent of a room, from a ``room_joined`` on, over any number of cuts.

    It is due all frames after ``after_seq``, and if it is there ``to_the_end``, up to the last.
    """

    who: str
    universe: str
    after_seq: int
    frames: list[Sent] = field(default_factory=list)
    to_the_end: bool = True


@dataclass(frozen=True, slots=True)
class Return:
    """A client with a secret to come back with was connected again."""

    who: str
    away_s: float
    recovered: bool


@dataclass
class Seen:
    """What a client's notes come to."""

    stays: list[Stay] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def read_notes(who: str, notes: Iterable[Sequence[Any]]) -> Seen:
    """Make sense of what ``members.mjs`` noted."""
    reader = _Reader(who)
    for at_ms, what, *details in notes:
        getattr(reader, what)(at_ms, *details)
    return reader.seen


class _Reader:
    """A method for each kind of note."""

    def __init__(self, who: str) -> None:
        self.seen = Seen()
        self._who = who
        self._current: dict[str, Stay] = {}
        self._away_since_ms: int | None = None
        self._knows: bool | None = None

    def connect(self, at_ms: int, recovered: bool | None, had_pid: bool) -> None:  # noqa: FBT001 -- as noted
        if had_pid and self._away_since_ms is not None:
            away_s = (at_ms - self._away_since_ms) / 1000
            self.seen.returns.append(Return(self._who, away_s, bool(recovered)))
        self._knows = recovered
        if recovered is False:
            self._begin_anew()

    def connect_success(self, _at_ms: int, recovered: bool) -> None:  # noqa: FBT001 -- as noted
        if self._knows not in (None, recovered):
            self.seen.errors.append(f"{self._who} was told {recovered}, and knows {self._knows}")
        if not recovered:
            self._begin_anew()

    def disconnect(self, at_ms: int, _reason: str) -> None:
        self._away_since_ms = at_ms

    def connect_error(self, _at_ms: int, *_: object) -> None:
        """It tries again."""

    def room_joined(self, _at_ms: int, universe: str, seq: int, from_seq: int | None) -> None:
        if universe not in self._current:
            stay = Stay(self._who, universe, seq if from_seq is None else from_seq)
            self._current[universe] = stay
            self.seen.stays.append(stay)

    def state_recovered(self, _at_ms: int, *_: object) -> None:
        """What it says shows in the frames before."""

    def frame(self, _at_ms: int, universe: str, seq: int, name: str, at: str, _: object) -> None:
        if universe in self._current:
            self._current[universe].frames.append(Sent(seq, name, at))
        else:
            self.seen.errors.append(f"{self._who} was sent {name} of {universe}, and was not in")

    def error(self, _at_ms: int, *details: object) -> None:
        self.seen.errors.append(f"{self._who} was sent {details}")

    def _begin_anew(self) -> None:
        for stay in self._current.values():
            stay.to_the_end = False
        self._current.clear()


@dataclass
class Verdict:
    """How many frames were sent rightly, and otherwise; with examples."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled or confused."""
        return not any(self.counts[kind] for kind in WRONGS)

    def add(self, kind: str, stay: Stay, found: Sequence[object]) -> None:
        """Count what was found."""
        self.counts[kind] += len(found)
        if found and len(self.examples) < MAX_EXAMPLES:
            named = list(found[:MAX_EXAMPLES])
            self.examples.append(f"{kind}: {stay.who} in {stay.universe}: {named}")


WRONGS = ("missing", "duplicated", "out of order", "unknown")


def check(logs: dict[str, list[Sent]], stays: Iterable[Stay]) -> Verdict:
    """Hold what members were sent against the logs."""
    verdict = Verdict()
    for stay in stays:
        log = {frame.seq: frame for frame in logs[stay.universe]}
        seqs = [frame.seq for frame in stay.frames]
        last_seq = max(seqs, default=stay.after_seq)
        due = [seq for seq in log if seq > stay.after_seq and (stay.to_the_end or seq <= last_seq)]
        got = Counter(seqs)
        verdict.counts["sent"] += len(seqs)
        verdict.add("missing", stay, [seq for seq in due if seq not in got])
        verdict.add("duplicated", stay, [seq for seq, times in got.items() if times > 1])
        verdict.add("out of order", stay, _late(seqs))
        wrong = [frame for frame in stay.frames if log.get(frame.seq) != frame]
        verdict.add("unknown", stay, wrong)
    return verdict


def _late(seqs: Sequence[int]) -> list[int]:
    """Those that came after a later one, for the first time."""
    late: list[int] = []
    known: set[int] = set()
    highest = 0
    for seq in seqs:
        if seq < highest and seq not in known:
            late.append(seq)
        known.add(seq)
        highest = max(highest, seq)
    return late


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan

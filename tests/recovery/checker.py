"""Whether members were sent what their rooms' logs hold: each frame once, and in order. Pure."""

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


def read_notes(  # noqa: C901 -- the one table of what is noted
    who: str, notes: Iterable[Sequence[Any]]
) -> Seen:
    """Make sense of what ``members.mjs`` noted."""
    seen = Seen()
    current: dict[str, Stay] = {}
    away_since_ms: int | None = None
    for at_ms, what, *details in notes:
        match what:
            case "connect":
                recovered, had_pid = details
                if had_pid and away_since_ms is not None:
                    seen.returns.append(Return(who, (at_ms - away_since_ms) / 1000, recovered))
                if not recovered:
                    _begin_anew(current)
            case "disconnect":
                away_since_ms = at_ms
            case "room_joined":
                universe, seq, from_seq = details
                if universe not in current:
                    after = seq if from_seq is None else from_seq
                    current[universe] = Stay(who, universe, after)
                    seen.stays.append(current[universe])
            case "frame":
                universe, seq, name, timestamp, _ = details
                if universe in current:
                    current[universe].frames.append(Sent(seq, name, timestamp))
                else:
                    seen.errors.append(f"{who} was sent {name} of {universe} before it was in")
            case "error":
                seen.errors.append(f"{who} was sent {details}")
    return seen


def _begin_anew(current: dict[str, Stay]) -> None:
    for stay in current.values():
        stay.to_the_end = False
    current.clear()


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

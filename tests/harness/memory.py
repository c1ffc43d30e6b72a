"""Streams in memory, for units that stand on streams: what they do with what streams may answer.

They are no broker: nothing else may be tested with them, and ``runtime/test_memory.py`` runs the
same steps with them and with a real broker's, so that both answer alike.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harmonic_runtime.bus.streams import Stored, StreamFull, Streams, WrongSequence
from harmonic_runtime.bus.wire import NO_HEADERS


class SetClock:
    """A clock that stands still until the test moves it on."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def unix_s(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Failure:
    """What becomes of an append: it fails so, and is stored all the same or not.

    With ``overtaken_by``, another one's message is stored in its place.
    """

    error: Exception
    stored: bool = False
    overtaken_by: bytes | None = None


@dataclass
class MemoryStreams(Streams):
    """Streams by name, each with the patterns of its subjects.

    ``limits`` are how many messages a subject may have, by its first words.
    """

    patterns: Mapping[str, Sequence[str]]
    clock: SetClock = field(default_factory=SetClock)
    limits: dict[str, int] = field(default_factory=dict)
    configs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    #: What happens to the next appends, and to the next readings; ``None`` is nothing special.
    failures: deque[Failure | None] = field(default_factory=deque)
    unreadable: deque[Exception | None] = field(default_factory=deque)
    #: Raised by the next appends, which are not even sent.
    unsendable: deque[Exception] = field(default_factory=deque)
    #: What was asked for: appends by subject, with their time limits.
    appends: list[tuple[str, float]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    #: Subjects whose last message cannot be read: a broker takes them for empty.
    lost_ends: set[str] = field(default_factory=set)
    sequence: int = 0

    def lose_end(self, subject: str) -> None:
        """Damage the subject's last message, as a flipped byte on a disk does."""
        self.stored.remove(self._of(subject)[-1])
        self.lost_ends.add(subject)

    async def wait_for(self, stream: str) -> Mapping[str, Any]:
        return {"config": self.configs[stream]}

    def begin_append(
        self,
        subject: str,
        payload: bytes,
        *,
        timeout_s: float,
        expected_last_subject_sequence: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        on_outcome: Callable[[int | Exception], None],
    ) -> None:
        if self.unsendable:
            raise self.unsendable.popleft()
        expected = expected_last_subject_sequence
        on_outcome(self._stored(subject, payload, timeout_s, expected, headers))

    def _stored(
        self,
        subject: str,
        payload: bytes,
        timeout_s: float,
        expected: int | None,
        headers: Mapping[str, str],
    ) -> int | Exception:
        assert any(_matches(one, subject) for some in self.patterns.values() for one in some)
        self.appends.append((subject, timeout_s))
        self.headers.append(headers)
        failure = self.failures.popleft() if self.failures else None
        if failure is not None and failure.overtaken_by is not None:
            payload = failure.overtaken_by
        elif failure is not None and not failure.stored:
            return failure.error
        kept = self._of(subject)
        last = kept[-1].sequence if kept and subject not in self.lost_ends else 0
        if expected not in {None, last}:
            return WrongSequence(f"wrong last sequence: {last}")
        for words, limit in self.limits.items():
            if subject.startswith(words) and len(kept) >= limit:
                return StreamFull("maximum messages per subject exceeded")
        self.sequence += 1
        now_ms = round(self.clock.seconds * 1000)
        message = Stored(self.sequence, subject, payload, expected, stored_ms=now_ms)
        self.stored.append(message)
        self.lost_ends.discard(subject)
        return self.sequence if failure is None else failure.error

    async def last(self, stream: str, subject: str) -> Stored | None:
        found = self._read(stream, subject)
        return None if subject in self.lost_ends else next(reversed(found), None)

    async def first(self, stream: str, subject: str) -> Stored | None:
        return next(iter(self._read(stream, subject)), None)

    async def read(
        self, stream: str, subject: str, *, from_sequence: int, limit: int
    ) -> list[Stored]:
        assert limit > 0
        found = [one for one in self._read(stream, subject) if one.sequence >= from_sequence]
        return found[:limit]

    async def newest(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        newest = {one.subject: one for each in subjects for one in self._read(stream, each)}
        return list(newest.values())

    async def latest(self, stream: str, subjects: str, *, limit: int) -> list[Stored]:
        newest = {one.subject: one for one in self._read(stream, subjects)}
        return sorted(newest.values(), key=lambda one: one.sequence)[:limit]

    async def purge(self, stream: str, subject: str, *, up_to: int | None = None) -> None:
        self._check(stream, subject)
        gone = self._of(subject)
        self.stored = [
            one
            for one in self.stored
            if one not in gone or (up_to is not None and one.sequence > up_to)
        ]

    def _read(self, stream: str, subject: str) -> list[Stored]:
        self._check(stream, subject)
        failure = self.unreadable.popleft() if self.unreadable else None
        if failure is not None:
            raise failure
        return self._of(subject)

    def _check(self, stream: str, subject: str) -> None:
        patterns = self.patterns[stream]
        assert any(_matches(pattern, subject) for pattern in patterns), (stream, subject)

    def _of(self, subject: str) -> list[Stored]:
        return [one for one in self.stored if _matches(subject, one.subject)]


def _matches(pattern: str, subject: str) -> bool:
    words = re.escape(pattern).replace(r"\*", "[^.]+").replace(">", ".+")
    return re.fullmatch(words, subject) is not None

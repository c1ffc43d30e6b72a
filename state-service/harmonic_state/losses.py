"""Whether a log has lost records that members were sent. Pure.

A gateway names the position and the ``seq`` up to which its members were sent a log: with its
requests, to an owner that loads the universe, and about a room that it has lost, until an owner
has answered. The log has lost records if the universe's ``seq`` is below that number once the log
was read to its end. Then the owner appends ``history_lost``, whose ``seq`` is above the number.

So what is stored tells whether a loss was mended, wherever it is read from: the log, a snapshot or
memory. A gateway may name a number again and for any time, to any owner, and no owner mends the log
for it again. If two owners append ``history_lost``, one conflicts, reads the other's record, and
its ``seq`` is above the number as well.

What the owner itself knows, in memory or by a snapshot, is compared with the log in ``lineage``.

A broker with a damaged store may take records and not show them. Then the log stays as damaged as
before ``history_lost`` was appended, and another such record would be the next one of thousands.
"""

from enum import Enum, auto
from typing import Self

from harmonic_protocol.value import value
from harmonic_state.loaded import Loaded

#: Seconds until a loss is written down again of which the broker did not show the record.
UNPROVEN_S = 60.0


@value
class Seen:
    """How far members were sent a log, by what gateways say.

    ``position`` and ``seq`` are the furthest that were named. ``unnumbered`` is the furthest
    position of those that were named without a ``seq``, by gateways of the version before.
    """

    position: int = 0
    seq: int = 0
    unnumbered: int = 0

    @classmethod
    def named(cls, position: int, seq: int) -> Self:
        """What one gateway says; a ``seq`` of 0 is none."""
        return cls(position, seq, 0 if seq else position)

    def further(self, other: "Seen") -> "Seen":
        """The furthest of both."""
        return Seen(
            max(self.position, other.position),
            max(self.seq, other.seq),
            max(self.unnumbered, other.unnumbered),
        )


NOTHING_SEEN = Seen()


class Finding(Enum):
    """How a log compares with what members were sent of it."""

    WHOLE = auto()
    """all of that is in it, or was, and the loss is written down"""
    BEHIND = auto()
    """it has to be read on first: another owner may have stored more"""
    LOST = auto()
    """it has lost records, and does not say so"""


class Losses:
    """Compares a log that is known to its end with what members were sent of it."""

    def __init__(self) -> None:
        self._by_asked = NOTHING_SEEN
        self._looked_for = NOTHING_SEEN
        self._answered_position = 0
        self._unproven_until_s = self._told_until_s = 0.0

    def loaded(self, seen: Seen) -> None:
        """The log was loaded, and the gateways that were asked have ``seen`` it so far."""
        self._by_asked, self._looked_for = self._by_asked.further(seen), NOTHING_SEEN

    def written_down(self, named: Seen) -> None:
        """The log says that records were lost: who named a position alone is answered by that."""
        self._answered_position = max(self._answered_position, self.seen(named).unnumbered)

    def wrote_down(self, named: Seen, now_s: float) -> None:
        """This owner has just stored that records were lost: the log has to show it."""
        self.written_down(named)
        self._unproven_until_s = now_s + UNPROVEN_S

    def proven(self) -> None:
        """The log was seen to go on, or to end, where it was assumed to."""
        self._unproven_until_s = 0.0

    def are_hidden(self, loaded: Loaded, now_s: float) -> bool:
        """Whether the broker does not show what this owner has just stored of a loss."""
        return loaded.is_damaged and now_s < self._unproven_until_s

    def is_news(self) -> bool:
        """Whether that is said for the first time since the loss was written down."""
        told, self._told_until_s = self._told_until_s, self._unproven_until_s
        return told != self._unproven_until_s

    def seen(self, named: Seen) -> Seen:
        """How far members were sent the log; ``named`` is what gateways of requests say."""
        return self._by_asked.further(named)

    def find(self, named: Seen, known: Loaded) -> Finding:
        """Compare the known end of the log with what was ``named``, and what asked gateways said.

        If the result is ``BEHIND``, the log is read on before this is asked again.
        """
        seen, looked_for = self.seen(named), self._looked_for
        is_short = seen.position > known.position and seen.position > looked_for.position
        if is_short or (seen.seq > known.seq and seen.seq > looked_for.seq):
            self._looked_for = looked_for.further(seen)
            return Finding.BEHIND
        unanswered = seen.unnumbered > max(known.position, self._answered_position)
        if known.is_damaged or seen.seq > known.seq or unanswered:
            return Finding.LOST
        return Finding.WHOLE

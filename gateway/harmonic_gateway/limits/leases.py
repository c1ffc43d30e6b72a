"""The leases by which one gateway grants a part of one user's allowance by itself. Pure.

A lease is a message on its own subject. One gateway stores and renews it by compare-and-set, and
the broker removes it ``KEPT_S`` after it was stored. From a lease, its gateway grants at most
``slots`` requests in any window, for ``VALID_S`` after it *asked* for the lease. Its last grant has
left the window when the broker removes the message, and no other gateway can store the lease
earlier. So all holders together never grant more than the leases' slots in any window, even if
gateways fail or answers are lost. Clocks need not agree: each gateway reads only its own.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from harmonic_protocol.leasing import VALID_S, Division

#: An allowance's window. The broker keeps a lease this much longer than it is valid.
WINDOW_S = 60
KEPT_S = VALID_S + WINDOW_S
#: A lease in use is renewed at this age.
RENEWED_AFTER_S = VALID_S / 2
#: How long a lease is not asked for after a refusal, or after an append without an answer.
TAKEN_S = 60


class LeaseAppend(NamedTuple):
    """Store the lease of this number if its last message has this sequence; 0 means no message."""

    number: int
    expected_sequence: int


class Granted(NamedTuple):
    """A request is granted; ``renewal`` is to be stored, if set, but the request does not wait."""

    renewal: LeaseAppend | None


class NotLeased(Enum):
    """What to do with a request that no lease grants."""

    #: Ask again after the pending append.
    WAIT = auto()
    #: Ask the stream, which holds the other half of the allowance.
    GO_SINGLY = auto()


#: The outcome of a request. For a ``LeaseAppend``, make the append and ask again after it.
Decision: TypeAlias = Granted | LeaseAppend | NotLeased


@dataclass(slots=True)
class _Lease:
    """A lease that this gateway holds, valid from ``asked_s``.

    Without a ``sequence``, the outcome of its renewal is unknown.
    """

    sequence: int | None
    asked_s: float
    granted_s: deque[float] = field(default_factory=deque)

    def is_valid(self, now_s: float) -> bool:
        return now_s < self.asked_s + VALID_S

    def used(self, now_s: float) -> int:
        """How many requests it granted in the window that ends now."""
        while self.granted_s and self.granted_s[0] <= now_s - WINDOW_S:
            self.granted_s.popleft()
        return len(self.granted_s)


class Leases:
    """The leases of one user's allowance that this gateway holds, or asks for.

    ``first`` is the number of the lease that it tries first: gateways with different numbers seldom
    ask for the same lease. All times are of this gateway's monotonic clock.
    """

    __slots__ = ("_asked_s", "_division", "_held", "_order", "_taken_until_s")

    def __init__(self, division: Division, first: int) -> None:
        self._division = division
        self._order = tuple((first + n) % division.leases + 1 for n in range(division.leases))
        self._held: dict[int, _Lease] = {}
        #: When each pending append was asked for, by the lease's number.
        self._asked_s: dict[int, float] = {}
        self._taken_until_s: dict[int, float] = {}

    def ask(self, now_s: float) -> Decision:
        """Grant a request, or return what has to be done first."""
        self._forget(now_s)
        for number, lease in self._held.items():
            if lease.is_valid(now_s) and lease.used(now_s) < self._division.slots:
                lease.granted_s.append(now_s)
                return Granted(self._renewal(number, lease, now_s))
        if any(self._is_claimed(number, now_s) for number in self._asked_s):
            return NotLeased.WAIT
        return self._claim(now_s) or NotLeased.GO_SINGLY

    def stored(self, number: int, sequence: int) -> None:
        """Note a successful append: the lease is valid from when the append was asked for."""
        asked_s = self._asked_s.pop(number)
        lease = self._held.setdefault(number, _Lease(sequence, asked_s))
        lease.sequence, lease.asked_s = sequence, asked_s

    def refused(self, number: int, now_s: float) -> None:
        """Note a refused append: the lease is another gateway's, or ours of unknown sequence."""
        del self._asked_s[number]
        self._held.pop(number, None)
        self._taken_until_s[number] = now_s + TAKEN_S

    def unknown(self, number: int, now_s: float) -> None:
        """Note an append of unknown outcome: the lease is valid as it was before."""
        del self._asked_s[number]
        self._taken_until_s[number] = now_s + TAKEN_S
        if number in self._held:
            self._held[number].sequence = None

    def free_at_s(self, now_s: float) -> float | None:
        """When one of the full leases has a free slot again; ``None`` if none is full."""
        times = [
            lease.granted_s[0] + WINDOW_S
            for lease in self._held.values()
            if lease.sequence is not None and lease.used(now_s) >= self._division.slots
        ]
        return min(times, default=None)

    def used(self, now_s: float) -> int:
        """How many requests the leases granted in the window that ends now."""
        return sum(lease.used(now_s) for lease in self._held.values())

    def is_over(self, now_s: float) -> bool:
        """Whether no lease is held or asked for."""
        self._forget(now_s)
        return not self._held and not self._asked_s

    def _is_claimed(self, number: int, now_s: float) -> bool:
        """Whether the lease's pending append would give slots that no held lease has now."""
        lease = self._held.get(number)
        return lease is None or not lease.is_valid(now_s)

    def _forget(self, now_s: float) -> None:
        """Drop leases that the broker has removed, and expired ones that cannot be renewed."""
        for number, lease in tuple(self._held.items()):
            kept_s = VALID_S if lease.sequence is None else KEPT_S
            if now_s >= lease.asked_s + kept_s and number not in self._asked_s:
                del self._held[number]

    def _renewal(self, number: int, lease: _Lease, now_s: float) -> LeaseAppend | None:
        is_young = now_s < lease.asked_s + RENEWED_AFTER_S
        if is_young or lease.sequence is None or number in self._asked_s:
            return None
        return self._append(number, lease.sequence, now_s)

    def _claim(self, now_s: float) -> LeaseAppend | None:
        """Ask for an expired lease of our own, or else for another lease."""
        for number, lease in self._held.items():
            lapsed = lease.sequence is not None and not lease.is_valid(now_s)
            if lapsed and lease.used(now_s) < self._division.slots:
                return self._append(number, lease.sequence or 0, now_s)
        for number in self._order:
            is_taken = now_s < self._taken_until_s.get(number, now_s)
            if not is_taken and number not in self._held:
                return self._append(number, 0, now_s)
        return None

    def _append(self, number: int, expected_sequence: int, now_s: float) -> LeaseAppend:
        self._asked_s[number] = now_s
        return LeaseAppend(number, expected_sequence)

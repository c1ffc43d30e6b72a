"""Stores and renews the leases of all users at the broker: the driver of :mod:`~.leases`."""

from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeAlias, assert_never
from zlib import crc32

from harmonic_gateway import metrics as table
from harmonic_gateway.limits.leases import WINDOW_S, Granted, LeaseAppend, Leases, NotLeased
from harmonic_protocol import subjects
from harmonic_protocol.leasing import Division
from harmonic_protocol.messages.declaration import RateClass
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import AppendContended, StreamFull, Streams, WrongSequence
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock

#: How long the broker may take to store a lease.
APPEND_TIMEOUT_S = 1.0
#: Users with leases here. Above the bound, the user whose last append is oldest is dropped first.
MAX_LESSEES = 100_000

#: A user, and the allowance that is leased.
Key: TypeAlias = tuple[str, RateClass]


class LeaseAnswer(Enum):
    """Whether a request is granted from a lease."""

    GRANTED = auto()
    #: No lease has a free slot: ask the stream.
    SINGLY = auto()
    #: The broker did not answer: this gateway counts alone.
    ALONE = auto()


class _Terms(NamedTuple):
    """The division of an allowance, and since when it holds, by the monotonic clock."""

    division: Division
    since_s: float


class _User:
    """A user's leases here, and the requests that wait for a pending claim."""

    __slots__ = ("division", "key", "leases", "waiting")

    def __init__(self, key: Key, division: Division, first: int) -> None:
        self.key = key
        self.division = division
        self.leases = Leases(division, first)
        self.waiting: deque[Callable[[LeaseAnswer], None]] = deque()


class Lessee:
    """Holds leases of users' allowances, and grants requests from them, in order for each user."""

    def __init__(self, streams: Streams, gateway_id: str, clock: Clock, metrics: Metrics) -> None:
        self._streams = streams
        self._first = crc32(gateway_id.encode())
        self._clock = clock
        self._terms: dict[RateClass, _Terms] = {}
        self._users: OrderedDict[Key, _User] = OrderedDict()
        self._granted = metrics.counter(table.ALLOWANCES_LEASED)
        outcomes = metrics.counters(table.LEASE_APPENDS)
        self._appends = {name: outcomes.of(name) for name in ("stored", "refused", "unknown")}

    def divide(self, rate: RateClass, division: Division) -> None:
        """Set the division of an allowance into leases.

        The broker drops its record of grants when the division changes. So nothing is leased until
        those grants have left the window.
        """
        known = self._terms.get(rate)
        if known is None:
            self._terms[rate] = _Terms(division, self._clock.monotonic())
        elif known.division != division:
            self._terms[rate] = _Terms(division, self._clock.monotonic() + WINDOW_S)

    def begin(
        self, user_id: str, rate: RateClass, on_answer: Callable[[LeaseAnswer], None]
    ) -> None:
        """Grant a request from a lease; ``on_answer`` is called at once, or after a claim."""
        now_s = self._clock.monotonic()
        user = self._user((user_id, rate), now_s)
        if user is None:
            on_answer(LeaseAnswer.SINGLY)
        else:
            # In order of arrival.
            user.waiting.append(on_answer)
            self._go_on(user, now_s)

    def used(self, user_id: str, rate: RateClass) -> int:
        """How many of a user's requests were granted from leases in the last window."""
        user = self._users.get((user_id, rate))
        return user.leases.used(self._clock.monotonic()) if user is not None else 0

    def free_in_s(self, user_id: str, rate: RateClass) -> float | None:
        """Seconds until a full lease of a user has a free slot; ``None`` if no lease is full."""
        user = self._users.get((user_id, rate))
        now_s = self._clock.monotonic()
        at_s = user.leases.free_at_s(now_s) if user is not None else None
        return at_s - now_s if at_s is not None else None

    def _user(self, key: Key, now_s: float) -> _User | None:
        """A user's leases; ``None`` if its allowance is not leased, or not yet."""
        user = self._users.get(key)
        terms = self._terms.get(key[1])
        if user is not None and (user.waiting or (terms and user.division == terms.division)):
            return user
        self._users.pop(key, None)
        if terms is None or not terms.division.slots or now_s < terms.since_s:
            return None
        self._make_room(now_s)
        user = self._users[key] = _User(key, terms.division, self._first)
        return user

    def _make_room(self, now_s: float) -> None:
        """Drop the oldest two users without leases; above the bound, also those with leases."""
        for key in tuple(islice(self._users, 2)):
            user = self._users[key]
            is_over = user.leases.is_over(now_s) or len(self._users) >= MAX_LESSEES
            if is_over and not user.waiting:
                del self._users[key]

    def _go_on(self, user: _User, now_s: float) -> None:
        """Answer the requests of a user that can be answered now."""
        while user.waiting:
            decision = user.leases.ask(now_s)
            match decision:
                case Granted(renewal):
                    self._granted.inc()
                    user.waiting.popleft()(LeaseAnswer.GRANTED)
                    if renewal is not None:
                        self._append(user, renewal, is_claim=False)
                case LeaseAppend():
                    self._append(user, decision, is_claim=True)
                    return
                case NotLeased.WAIT:
                    return
                case NotLeased.GO_SINGLY:
                    user.waiting.popleft()(LeaseAnswer.SINGLY)
                case unreachable:
                    assert_never(unreachable)

    def _append(self, user: _User, append: LeaseAppend, *, is_claim: bool) -> None:
        """Store a lease. Requests wait for a claim, but not for a renewal."""
        user_id, rate = user.key
        if self._users.get(user.key) is user:
            self._users.move_to_end(user.key)
        heard = partial(self._heard, user, append, is_claim=is_claim)
        try:
            self._streams.begin_append(
                subjects.lease(rate, append.number, user_id),
                b"",
                timeout_s=APPEND_TIMEOUT_S,
                expected_last_subject_sequence=append.expected_sequence,
                on_outcome=heard,
            )
        except BusUnavailable as error:
            heard(error)

    def _heard(
        self,
        user: _User,
        append: LeaseAppend,
        outcome: int | Exception,
        *,
        is_claim: bool,
    ) -> None:
        now_s = self._clock.monotonic()
        if isinstance(outcome, int):
            self._appends["stored"].inc()
            user.leases.stored(append.number, outcome)
        elif isinstance(outcome, WrongSequence | StreamFull | AppendContended):
            self._appends["refused"].inc()
            user.leases.refused(append.number, now_s)
        else:
            self._appends["unknown"].inc()
            user.leases.unknown(append.number, now_s)
            if is_claim:
                # Otherwise each of them would wait as long for the broker.
                waiting, user.waiting = user.waiting, deque()
                for on_answer in waiting:
                    on_answer(LeaseAnswer.ALONE)
        self._go_on(user, now_s)

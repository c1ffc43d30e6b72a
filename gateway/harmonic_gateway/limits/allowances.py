"""The allowances of users: how many requests in any minute, over all connections and gateways.

Half of an allowance may be leased (:mod:`~.leases`): from a lease, a gateway grants without asking.
A stream counts the rest. It holds one message per granted request, removes each after a minute, and
bounds their number per user. The stream's leader decides on one request after the other, so the
window slides exactly and no gateway needs to know of another.

While a gateway cannot reach the stream, it grants the full allowance by its own count. Then a user
gets at most the allowance times the number of gateways, and is not refused for a failure of ours.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar, assert_never

from harmonic_gateway import metrics as table
from harmonic_gateway.limits.lessee import LeaseAnswer, Lessee
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol import subjects
from harmonic_protocol.leasing import METADATA, Division
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES, RateClass
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import BusUnavailable, settle
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.failures import CannotStart

K = TypeVar("K")
V = TypeVar("V")

#: How long the limiter may take to answer before a gateway counts by itself.
TAKE_TIMEOUT_S = 1.0
#: How often a gateway reads the allowances again.
LEARNING_INTERVAL_S = 10.0
#: Added to the time that a client is told to wait: streams remove messages late, and clocks differ.
RETRY_MARGIN_MS = 300
#: Keys whose refusals, or own counts, are kept in memory: the latest.
MAX_USERS = 10_000
_WINDOW_MS = 60_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most ``limit`` requests in any ``window_ms``."""

    limit: int
    window_ms: int = _WINDOW_MS


class _Asked(NamedTuple):
    """A request that is to be granted: its user and rate class, and when it came, in Unix time."""

    key: tuple[str, RateClass]
    allowance: Allowance
    now_ms: int


#: A coroutine that returns the refusal of a request, or ``None`` if it is granted.
Undecided: TypeAlias = Coroutine[Any, Any, Refused | None]


def counted_rates(settings: GatewaySettings) -> tuple[RateClass, ...]:
    """The rate classes that are counted; those of services only if services may act.

    State services of an earlier version have no streams for services.
    """
    return (*GLOBAL_RATES, *SERVICE_RATES) if settings.lets_services_act else GLOBAL_RATES


class Allowances:
    """Grants or refuses requests of each of ``rates``."""

    def __init__(
        self,
        streams: Streams,
        rates: Sequence[RateClass] = GLOBAL_RATES,
        *,
        gateway_id: str = "",
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._streams = streams
        self._rates = rates
        self._clock = clock
        self._lessee = Lessee(streams, gateway_id, clock, metrics)
        self.allowances: Mapping[RateClass, Allowance] = {}
        self._refused_until_ms: OrderedDict[tuple[str, RateClass], int] = OrderedDict()
        self._own: OrderedDict[tuple[str, RateClass], deque[int]] = OrderedDict()
        outcomes = metrics.counters(table.ALLOWANCES)
        self._granted = {rate: outcomes.of(rate.value, "granted") for rate in rates}
        self._refused = {rate: outcomes.of(rate.value, "refused") for rate in rates}
        self._alone = metrics.counter(table.ALLOWANCES_COUNTED_ALONE)

    async def learn(self) -> None:
        """Read the allowances from the streams; raise ``CannotStart`` if one does not appear."""
        infos = await asyncio.gather(
            *(self._streams.wait_for(subjects.limit_stream(rate)) for rate in self._rates)
        )
        learnt = {}
        for rate, info in zip(self._rates, infos, strict=True):
            config = info["config"]
            division = Division.read((config.get("metadata") or {}).get(METADATA))
            self._lessee.divide(rate, division)
            learnt[rate] = Allowance(
                int(config["max_msgs_per_subject"]) + division.leased,
                int(config["max_age"]) // 10**6,
            )
        # The same object until it changes: messages made from it are kept.
        if learnt != self.allowances:
            self.allowances = learnt

    async def keep_learning(self) -> None:
        """Read the allowances again, for ever: a restarted state service may have changed them.

        A change of a stream takes effect at once; this updates what clients are told.
        """
        while True:
            await asyncio.sleep(LEARNING_INTERVAL_S)
            with suppress(CannotStart):
                await self.learn()

    async def take(self, user_id: str, rate: RateClass | None) -> Refused | None:
        """Grant one request of a user, or return the refusal, which says when to ask again."""
        begun: asyncio.Future[Refused | Undecided | None] = (
            asyncio.get_running_loop().create_future()
        )
        self.begin(user_id, rate, partial(settle, begun))
        outcome = await begun
        return outcome if outcome is None or isinstance(outcome, Refused) else await outcome

    def begin(
        self,
        user_id: str,
        rate: RateClass | None,
        on_outcome: Callable[[Refused | Undecided | None], None],
    ) -> None:
        """As :meth:`take`, for callers without a task.

        ``on_outcome`` is called with the result, or with a coroutine that returns it.
        """
        allowance = self.allowances.get(rate) if rate is not None else None
        if rate is None or allowance is None:
            on_outcome(None)
            return
        asked = _Asked((user_id, rate), allowance, int(self._clock.unix_s() * 1000))
        until_ms = self._refused_until_ms.get(asked.key, 0)
        if asked.now_ms < until_ms:
            on_outcome(self._outcome(asked, until_ms))
            return
        self._lessee.begin(user_id, rate, partial(self._leased, asked, on_outcome))

    def _leased(
        self,
        asked: "_Asked",
        on_outcome: Callable[[Refused | Undecided | None], None],
        answer: LeaseAnswer,
    ) -> None:
        """Grant a request that a lease covers; otherwise ask the stream, or count alone."""
        match answer:
            case LeaseAnswer.GRANTED:
                on_outcome(self._outcome(asked, 0))
            case LeaseAnswer.SINGLY:
                self._ask(asked, on_outcome)
            case LeaseAnswer.ALONE:
                on_outcome(self._outcome(asked, self._take_alone(asked)))
            case unreachable:
                assert_never(unreachable)

    def _ask(
        self, asked: "_Asked", on_outcome: Callable[[Refused | Undecided | None], None]
    ) -> None:
        user_id, rate = asked.key
        subject = subjects.limit(rate, user_id)

        def take(stored: int | Exception) -> None:
            if isinstance(stored, StreamFull):
                on_outcome(self._full(asked, subject))
            else:
                alone = isinstance(stored, Exception)
                on_outcome(self._outcome(asked, self._take_alone(asked) if alone else 0))

        try:
            self._streams.begin_append(subject, b"", timeout_s=TAKE_TIMEOUT_S, on_outcome=take)
        except BusUnavailable as error:
            take(error)

    def _outcome(self, asked: "_Asked", until_ms: int) -> Refused | None:
        """Grant a request, unless its user has to wait until ``until_ms``."""
        _, rate = asked.key
        if until_ms <= asked.now_ms:
            self._granted[rate].inc()
            return None
        self._refused[rate].inc()
        return limited(asked.allowance, until_ms - asked.now_ms)

    async def _full(self, asked: "_Asked", subject: str) -> Refused | None:
        """Refuse a request of a used-up allowance until the oldest one leaves the window."""
        user_id, rate = asked.key
        until_ms = await self._free_at_ms(rate, subject, asked.allowance, asked.now_ms)
        leased_in_s = self._lessee.free_in_s(user_id, rate)
        if leased_in_s is not None:
            leased_at_ms = asked.now_ms + int(leased_in_s * 1000) + RETRY_MARGIN_MS
            until_ms = min(until_ms, leased_at_ms)
        remember(self._refused_until_ms, asked.key, until_ms)
        return self._outcome(asked, until_ms)

    async def _free_at_ms(
        self, rate: RateClass, subject: str, allowance: Allowance, now_ms: int
    ) -> int:
        """When the oldest granted request leaves the window, in Unix time."""
        try:
            oldest = await self._streams.first(subjects.limit_stream(rate), subject)
        except BusUnavailable:
            oldest = None
        at_ms = oldest.stored_ms if oldest is not None else now_ms
        return max(at_ms + allowance.window_ms, now_ms) + RETRY_MARGIN_MS

    def _take_alone(self, asked: "_Asked") -> int:
        key, allowance, now_ms = asked
        self._alone.inc()
        granted = self._own.get(key)
        if granted is None:
            granted = deque()
        remember(self._own, key, granted)
        while granted and granted[0] <= now_ms - allowance.window_ms:
            granted.popleft()
        if len(granted) + self._lessee.used(*key) >= allowance.limit:
            return granted[0] + allowance.window_ms + RETRY_MARGIN_MS
        granted.append(now_ms)
        return 0


def open_allowances(
    streams: Streams,
    settings: GatewaySettings,
    gateway_id: str,
    clock: Clock,
    metrics: Metrics,
) -> Allowances:
    """The allowances of all rate classes that a gateway counts."""
    rates = counted_rates(settings)
    return Allowances(streams, rates, gateway_id=gateway_id, clock=clock, metrics=metrics)


def limited(allowance: Allowance, retry_after_ms: int) -> Refused:
    """``RATE_LIMITED``, with the time after which the client may try again."""
    return refused(
        Code.RATE_LIMITED,
        "Too many requests",
        limit=allowance.limit,
        windowMs=allowance.window_ms,
        retryAfterMs=max(1, retry_after_ms),
    )


def remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep a value for a key; above ``MAX_USERS``, drop the key that was kept least recently."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MAX_USERS:
        kept.popitem(last=False)

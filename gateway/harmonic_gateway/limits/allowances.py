"""What one user may do in any minute, over all connections and gateways; and a guard before it.

The allowances are kept by streams: one message per granted request, at most so many per user,
each gone when its minute is over. The stream's leader decides, one request after the other, so
the window slides exactly and no gateway needs to know of another.

Without the stream, each gateway grants the same by its own count for the time being: a user gets
at most as many times the allowance as there are gateways, and nobody is turned away for a
failure that is ours.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

from harmonic_gateway import metrics as table
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES, RateClass
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import BusUnavailable, settle
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.series import Counter
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.failures import CannotStart

K = TypeVar("K")
V = TypeVar("V")

#: How long the limiter may take to answer before a gateway counts by itself.
TAKE_TIMEOUT_S = 1.0
#: How often it is asked whether what is allowed has changed.
LEARNING_INTERVAL_S = 10.0
#: Added to what a client is told to wait: messages are let go a little late, and clocks differ.
RETRY_MARGIN_MS = 300
#: Users whose refusals, or own counts, are kept in memory: the latest.
MAX_USERS = 10_000
_WINDOW_MS = 60_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most ``limit`` requests in any ``window_ms``."""

    limit: int
    window_ms: int = _WINDOW_MS


class _Asked(NamedTuple):
    """A request that is to be granted: whose, and when it was asked."""

    key: tuple[str, RateClass]
    allowance: Allowance
    now_ms: int


#: What is to be awaited to know whether a request is granted.
Undecided: TypeAlias = Coroutine[Any, Any, Refused | None]


def counted_rates(settings: GatewaySettings) -> tuple[RateClass, ...]:
    """What is counted: of services only where they may act.

    A state service of an earlier version keeps no streams for them.
    """
    return (*GLOBAL_RATES, *SERVICE_RATES) if settings.lets_services_act else GLOBAL_RATES


class Allowances:
    """Grants requests, of each of ``rates``."""

    def __init__(
        self,
        streams: Streams,
        rates: Sequence[RateClass] = GLOBAL_RATES,
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._streams = streams
        self._rates = rates
        self._clock = clock
        self.allowances: Mapping[RateClass, Allowance] = {}
        self._refused_until_ms: OrderedDict[tuple[str, RateClass], int] = OrderedDict()
        self._own: OrderedDict[tuple[str, RateClass], deque[int]] = OrderedDict()
        outcomes = metrics.counters(table.ALLOWANCES)
        self._granted = {rate: outcomes.of(rate.value, "granted") for rate in rates}
        self._refused = {rate: outcomes.of(rate.value, "refused") for rate in rates}
        self._alone = metrics.counter(table.ALLOWANCES_COUNTED_ALONE)

    async def learn(self) -> None:
        """Read from the streams what is allowed; raise ``CannotStart`` if they do not come."""
        infos = await asyncio.gather(
            *(self._streams.wait_for(subjects.limit_stream(rate)) for rate in self._rates)
        )
        learnt = {
            rate: Allowance(
                int(info["config"]["max_msgs_per_subject"]),
                int(info["config"]["max_age"]) // 10**6,
            )
            for rate, info in zip(self._rates, infos, strict=True)
        }
        # The same object until that changes: what is told of it is kept.
        if learnt != self.allowances:
            self.allowances = learnt

    async def keep_learning(self) -> None:
        """Learn for ever what is allowed by now: the state service sets it, and may be restarted.

        What is granted is the streams' to say at once; this is what clients are told of it.
        """
        while True:
            await asyncio.sleep(LEARNING_INTERVAL_S)
            with suppress(CannotStart):
                await self.learn()

    async def take(self, user_id: str, rate: RateClass | None) -> Refused | None:
        """Grant one request of a user, or say when to ask again."""
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

        ``on_outcome`` is called with what that returns, or with what is to be awaited for it.
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
        """Grant a request, unless the user is to wait until then."""
        _, rate = asked.key
        if until_ms <= asked.now_ms:
            self._granted[rate].inc()
            return None
        self._refused[rate].inc()
        return limited(asked.allowance, until_ms - asked.now_ms)

    async def _full(self, asked: "_Asked", subject: str) -> Refused | None:
        """All is granted that is allowed: refuse until the oldest is out of the window."""
        _, rate = asked.key
        until_ms = await self._free_at_ms(rate, subject, asked.allowance, asked.now_ms)
        _remember(self._refused_until_ms, asked.key, until_ms)
        return self._outcome(asked, until_ms)

    async def _free_at_ms(
        self, rate: RateClass, subject: str, allowance: Allowance, now_ms: int
    ) -> int:
        """When the oldest granted request is no longer in the window."""
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
        _remember(self._own, key, granted)
        while granted and granted[0] <= now_ms - allowance.window_ms:
            granted.popleft()
        if len(granted) >= allowance.limit:
            return granted[0] + allowance.window_ms + RETRY_MARGIN_MS
        granted.append(now_ms)
        return 0


def limited(allowance: Allowance, retry_after_ms: int) -> Refused:
    """``RATE_LIMITED``, with the time after which it is worth another try."""
    return refused(
        Code.RATE_LIMITED,
        "Too many requests",
        limit=allowance.limit,
        windowMs=allowance.window_ms,
        retryAfterMs=max(1, retry_after_ms),
    )


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MAX_USERS:
        kept.popitem(last=False)


class FloodGuard:
    """A leaky bucket: so many a second on average, and a burst (the generic cell rate algorithm).

    See ITU-T I.371: ``due`` is the theoretical arrival time of the next one.
    """

    __slots__ = ("_burst", "_burst_s", "_due", "_interval_s")

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval_s = 1 / per_second
        self._burst_s = self._interval_s * burst
        self._burst = burst
        self._due = 0.0

    @property
    def allowance(self) -> Allowance:
        """The burst, and the time in which it is earned."""
        return Allowance(self._burst, int(self._burst_s * 1000))

    def take(self, now_s: float, *, counts: int = 1) -> float:
        """0 if one may pass now, else the seconds until it may.

        One that ``counts`` for more than a burst is let pass after a burst's time.
        """
        due_s = self._due_after(now_s, counts)
        wait_s = due_s - now_s - self._burst_s
        if wait_s > 0:
            return wait_s
        self._due = due_s
        return 0.0

    def look(self, now_s: float, *, counts: int = 1) -> float:
        """What :meth:`take` would return now; takes nothing."""
        return max(self._due_after(now_s, counts) - now_s - self._burst_s, 0.0)

    def busy_s(self, now_s: float) -> float:
        """For how long what has passed still counts."""
        return max(self._due - now_s, 0.0)

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Have what passed at another gateway count for so long."""
        self._due = now_s + min(busy_s, self._burst_s)

    def _due_after(self, now_s: float, counts: int) -> float:
        return max(self._due, now_s) + min(counts * self._interval_s, self._burst_s)


class Guards:
    """A flood guard for each address or user, for the latest of them."""

    def __init__(self, per_second: float, burst: int, refused: Counter) -> None:
        self._per_second = per_second
        self._burst = burst
        self._guards: OrderedDict[str, FloodGuard] = OrderedDict()
        self._refused = refused

    def __bool__(self) -> bool:
        """Whether there is anybody who has taken something."""
        return bool(self._guards)

    def take(self, whose: str, now_s: float) -> float:
        """0 if one may pass now, else the seconds until it may."""
        guard = self._guards.get(whose) or FloodGuard(self._per_second, self._burst)
        _remember(self._guards, whose, guard)
        wait_s = guard.take(now_s)
        if wait_s:
            self._refused.inc()
        return wait_s

    def look(self, whose: str, now_s: float) -> float:
        """What :meth:`take` would return now; takes nothing."""
        guard = self._guards.get(whose)
        wait_s = guard.look(now_s) if guard is not None else 0.0
        if wait_s:
            self._refused.inc()
        return wait_s

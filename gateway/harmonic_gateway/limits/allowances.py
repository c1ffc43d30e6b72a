"""What one user may do in any minute, over all connections and gateways.

Half of an allowance may be leased (:mod:`~.leases`): from a lease, a gateway grants without asking.
The rest is kept by streams: one message per granted request, at most so many per user, each gone
when its minute is over. The stream's leader decides, one request after the other, so the window
slides exactly and no gateway needs to know of another.

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
        """Read from the streams what is allowed; raise ``CannotStart`` if they do not come."""
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
        self._lessee.begin(user_id, rate, partial(self._leased, asked, on_outcome))

    def _leased(
        self,
        asked: "_Asked",
        on_outcome: Callable[[Refused | Undecided | None], None],
        answer: LeaseAnswer,
    ) -> None:
        """Grant what a lease does; else ask the stream for one."""
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
        """Grant a request, unless the user is to wait until then."""
        _, rate = asked.key
        if until_ms <= asked.now_ms:
            self._granted[rate].inc()
            return None
        self._refused[rate].inc()
        return limited(asked.allowance, until_ms - asked.now_ms)

    async def _full(self, asked: "_Asked", subject: str) -> Refused | None:
        """All is granted that is allowed: refuse until the oldest is out of the window."""
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
    """The allowances of all rates that a gateway counts."""
    rates = counted_rates(settings)
    return Allowances(streams, rates, gateway_id=gateway_id, clock=clock, metrics=metrics)


def limited(allowance: Allowance, retry_after_ms: int) -> Refused:
    """``RATE_LIMITED``, with the time after which it is worth another try."""
    return refused(
        Code.RATE_LIMITED,
        "Too many requests",
        limit=allowance.limit,
        windowMs=allowance.window_ms,
        retryAfterMs=max(1, retry_after_ms),
    )


def remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep a value of the latest users, or addresses."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MAX_USERS:
        kept.popitem(last=False)

"""Flood guards of single connections, addresses and users, which come before the allowances."""

from collections import OrderedDict

from harmonic_gateway.limits.allowances import Allowance, remember
from harmonic_runtime.observability.series import Counter


class FloodGuard:
    """A leaky bucket: a rate per second, and a burst (the generic cell rate algorithm).

    See ITU-T I.371: ``due`` is the theoretical arrival time of the next event.
    """

    __slots__ = ("_burst", "_burst_s", "_due", "_interval_s")

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval_s = 1 / per_second
        self._burst_s = self._interval_s * burst
        self._burst = burst
        self._due = 0.0

    @property
    def allowance(self) -> Allowance:
        """The burst, and the time in which it refills."""
        return Allowance(self._burst, int(self._burst_s * 1000))

    def take(self, now_s: float, *, counts: int = 1) -> float:
        """Let one event pass: return 0, or the seconds until it may.

        An event that ``counts`` for more than a burst may pass once the burst has refilled.
        """
        due_s = self._due_after(now_s, counts)
        wait_s = due_s - now_s - self._burst_s
        if wait_s > 0:
            return wait_s
        self._due = due_s
        return 0.0

    def look(self, now_s: float, *, counts: int = 1) -> float:
        """What :meth:`take` would return now, without counting an event."""
        return max(self._due_after(now_s, counts) - now_s - self._burst_s, 0.0)

    def busy_s(self, now_s: float) -> float:
        """Seconds until the events passed so far no longer count."""
        return max(self._due - now_s, 0.0)

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Count the events that passed at another gateway, for ``busy_s`` seconds."""
        self._due = now_s + min(busy_s, self._burst_s)

    def _due_after(self, now_s: float, counts: int) -> float:
        return max(self._due, now_s) + min(counts * self._interval_s, self._burst_s)


class Guards:
    """A flood guard for each address or user; only the latest are kept."""

    def __init__(self, per_second: float, burst: int, refused: Counter) -> None:
        self._per_second = per_second
        self._burst = burst
        self._guards: OrderedDict[str, FloodGuard] = OrderedDict()
        self._refused = refused

    def __bool__(self) -> bool:
        """Whether any event was counted."""
        return bool(self._guards)

    def take(self, whose: str, now_s: float) -> float:
        """Let one event pass: return 0, or the seconds until it may."""
        guard = self._guards.get(whose) or FloodGuard(self._per_second, self._burst)
        remember(self._guards, whose, guard)
        wait_s = guard.take(now_s)
        if wait_s:
            self._refused.inc()
        return wait_s

    def look(self, whose: str, now_s: float) -> float:
        """What :meth:`take` would return now, without counting an event."""
        guard = self._guards.get(whose)
        wait_s = guard.look(now_s) if guard is not None else 0.0
        if wait_s:
            self._refused.inc()
        return wait_s

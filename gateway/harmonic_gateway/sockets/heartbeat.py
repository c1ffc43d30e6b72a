"""A session's heartbeat: pings, their answers, and the client that leaves one unanswered."""

import asyncio
from typing import Protocol

from harmonic_gateway.sockets.handed import HandedHeartbeat


class Beating(Protocol):
    """What a heartbeat needs of its session."""

    def ping(self) -> None:
        """Send a ping after all that was sent before."""

    def ping_pending_until_s(self, timeout_s: float) -> float | None:
        """Until when a ping that has not left yet may wait; ``None`` where it has left."""

    def answer_waits_until_s(self, timeout_s: float) -> float:
        """Until when an answer may wait on this side, which reads its client slowly."""

    def answered(self) -> None:
        """The latest ping was answered, after ``round_trip_ms``."""

    def unanswered(self) -> None:
        """The latest ping was not answered in time."""


class Heartbeat:
    """Pings a client every ``interval_s``, and has at most one ping unanswered.

    ``round_trip_ms`` is how long the latest answer took, if there was any.
    """

    __slots__ = (
        "_answered_at_s",
        "_beating",
        "_interval_s",
        "_is_due",
        "_loop",
        "_pinged_at_s",
        "_timeout_s",
        "_timer",
        "round_trip_ms",
    )

    def __init__(self, beating: Beating, interval_s: float, timeout_s: float) -> None:
        self._beating = beating
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._is_due = False
        self.round_trip_ms: float | None = None
        self._loop = asyncio.get_running_loop()
        # The client has just shown that it is there.
        self._answered_at_s = self._pinged_at_s = self._loop.time()
        self._timer = self._loop.call_later(interval_s, self._beat)

    @property
    def in_doubt(self) -> bool:
        """Whether a ping has not been answered yet."""
        return self._is_due

    @property
    def answers(self) -> bool:
        """Whether the client answered within the last interval, or was not sent a ping so far."""
        silent_s = self._loop.time() - self._answered_at_s
        return silent_s <= self._interval_s

    def ping_now(self) -> None:
        """Ping, unless a ping waits for its answer: a dead client is known a timeout later."""
        if not self._is_due:
            self._timer.cancel()
            self._beat()

    def pong(self) -> None:
        """The client answered. An answer to a ping that has not left yet is none."""
        if self._is_due and self._beating.ping_pending_until_s(self._timeout_s) is None:
            self._is_due = False
            self._answered_at_s = self._loop.time()
            self.round_trip_ms = 1000 * (self._answered_at_s - self._pinged_at_s)
            self._beating.answered()

    def hand_over(self) -> HandedHeartbeat:
        """How it stands, for another gateway to go on with."""
        now_s = self._loop.time()
        return HandedHeartbeat(
            answered_ago_s=now_s - self._answered_at_s,
            pinged_ago_s=now_s - self._pinged_at_s,
            is_due=self._is_due,
            round_trip_ms=self.round_trip_ms,
        )

    def go_on(self, handed: HandedHeartbeat) -> None:
        """Go on as it stood at another gateway: a ping that was sent there may be answered here."""
        now_s = self._loop.time()
        self._answered_at_s = now_s - handed.answered_ago_s
        self._pinged_at_s = now_s - handed.pinged_ago_s
        self._is_due, self.round_trip_ms = handed.is_due, handed.round_trip_ms
        self._timer.cancel()
        if handed.is_due:
            self._timer = self._loop.call_at(self._pinged_at_s + self._timeout_s, self._check)
        else:
            self._timer = self._loop.call_at(self._pinged_at_s + self._interval_s, self._beat)

    def stop(self) -> None:
        """The session is over."""
        self._is_due = False
        self._timer.cancel()

    def _beat(self) -> None:
        self._is_due = True
        self._pinged_at_s = self._loop.time()
        self._timer = self._loop.call_later(self._timeout_s, self._check)
        self._beating.ping()

    def _check(self) -> None:
        if not self._is_due:
            pause_s = max(self._interval_s - self._timeout_s, 0)
            self._timer = self._loop.call_later(pause_s, self._beat)
            return
        # A client that is behind but reads on has yet to come to the ping; or its answer waits.
        pending_until_s = self._beating.ping_pending_until_s(self._timeout_s) or 0.0
        until_s = max(pending_until_s, self._beating.answer_waits_until_s(self._timeout_s))
        if until_s > self._loop.time():
            self._timer = self._loop.call_at(until_s, self._check)
        else:
            self._beating.unanswered()

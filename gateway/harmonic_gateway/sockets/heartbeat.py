"""A session's heartbeat: it sends pings, and reports answers and missing answers."""

import asyncio
from typing import Protocol

from harmonic_gateway.sockets.handed import HandedHeartbeat
from harmonic_runtime.process.deadlines import Deadlines


class Beating(Protocol):
    """The interface of a heartbeat's session."""

    def ping(self) -> None:
        """Send a ping, after all that was sent before."""

    def ping_pending_until_s(self, timeout_s: float) -> float | None:
        """Until when a ping may wait to be sent, by the loop's clock; ``None`` once it is sent."""

    def answer_waits_until_s(self, timeout_s: float) -> float:
        """Until when an answer may wait here, since this side may read its client slowly."""

    def answered(self) -> None:
        """The latest ping was answered, after ``round_trip_ms``."""

    def unanswered(self) -> None:
        """The latest ping was not answered in time."""


class Heartbeat:
    """Pings a client every ``interval_s``, and has at most one ping unanswered.

    ``beats`` calls the heartbeats of all sessions in groups, to wake the process less often.

    ``round_trip_ms`` is the time from the latest answered ping to its answer, if there was one.
    """

    __slots__ = (
        "_answered_at_s",
        "_beating",
        "_beats",
        "_checks",
        "_ends_at",
        "_interval_s",
        "_is_due",
        "_loop",
        "_pinged_at_s",
        "_timeout_s",
        "round_trip_ms",
    )

    def __init__(
        self,
        beating: Beating,
        interval_s: float,
        timeout_s: float,
        beats: Deadlines["Heartbeat"],
    ) -> None:
        self._beating = beating
        self._beats = beats
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._is_due = False
        self.round_trip_ms: float | None = None
        self._loop = asyncio.get_running_loop()
        # The client's request counts as an answer.
        self._answered_at_s = self._pinged_at_s = self._loop.time()
        self._checks = False
        self._ends_at: int | None = beats.add(self, interval_s)

    @property
    def in_doubt(self) -> bool:
        """Whether a ping is unanswered."""
        return self._is_due

    @property
    def answers(self) -> bool:
        """Whether the client answered within the last interval, or was not sent a ping yet."""
        silent_s = self._loop.time() - self._answered_at_s
        return silent_s <= self._interval_s

    def ping_now(self) -> None:
        """Ping now, unless a ping is unanswered. A dead client is then found after the timeout."""
        if not self._is_due:
            self._stop_waiting()
            self._beat()

    def pong(self) -> None:
        """Note an answer of the client. It counts only once the ping was sent."""
        if self._is_due and self._beating.ping_pending_until_s(self._timeout_s) is None:
            self._is_due = False
            self._answered_at_s = self._loop.time()
            self.round_trip_ms = 1000 * (self._answered_at_s - self._pinged_at_s)
            self._beating.answered()

    def hand_over(self) -> HandedHeartbeat:
        """The state for another gateway to continue with."""
        now_s = self._loop.time()
        return HandedHeartbeat(
            answered_ago_s=now_s - self._answered_at_s,
            pinged_ago_s=now_s - self._pinged_at_s,
            is_due=self._is_due,
            round_trip_ms=self.round_trip_ms,
        )

    def go_on(self, handed: HandedHeartbeat) -> None:
        """Continue with another gateway's state. A ping sent there may be answered here."""
        now_s = self._loop.time()
        self._answered_at_s = now_s - handed.answered_ago_s
        self._pinged_at_s = now_s - handed.pinged_ago_s
        self._is_due, self.round_trip_ms = handed.is_due, handed.round_trip_ms
        self._stop_waiting()
        wait_s = self._timeout_s if handed.is_due else self._interval_s
        self._wait(wait_s - handed.pinged_ago_s, checks=handed.is_due)

    def stop(self) -> None:
        """Stop at the end of the session."""
        self._is_due = False
        self._stop_waiting()

    def come_due(self) -> None:
        """Handle the end of a wait: send the next ping, or check that the ping was answered."""
        self._ends_at = None
        if self._checks:
            self._check()
        else:
            self._beat()

    def _wait(self, after_s: float, *, checks: bool) -> None:
        self._checks = checks
        self._ends_at = self._beats.add(self, after_s)

    def _stop_waiting(self) -> None:
        if self._ends_at is not None:
            self._beats.remove(self, self._ends_at)
            self._ends_at = None

    def _beat(self) -> None:
        self._is_due = True
        self._pinged_at_s = self._loop.time()
        self._wait(self._timeout_s, checks=True)
        self._beating.ping()

    def _check(self) -> None:
        if not self._is_due:
            since_s = self._loop.time() - self._pinged_at_s
            self._wait(max(self._interval_s - since_s, 0.0), checks=False)
            return
        # A client that is behind but reads may not have reached the ping; or its answer waits here.
        pending_until_s = self._beating.ping_pending_until_s(self._timeout_s) or 0.0
        until_s = max(pending_until_s, self._beating.answer_waits_until_s(self._timeout_s))
        if until_s > self._loop.time():
            self._wait(until_s - self._loop.time(), checks=True)
        else:
            self._beating.unanswered()

"""Requests under way: each waits for its answer, or for the reason why there is none."""

import asyncio
import itertools
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from harmonic_runtime.bus.wire import STATUS, STORED_SEQUENCE, Message
from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics

#: The status of the broker's own answer to a request that nobody listens to.
NO_RESPONDERS_STATUS = "503"


class BusUnavailable(Exception):
    """The bus, or whoever was asked over it, cannot be reached at the moment.

    ``replica`` is whoever was asked, where a replica was, and may have received it.
    """

    replica: str | None = None


class NoResponders(BusUnavailable):
    """Nobody listens there: the request was not delivered to anybody."""


class BusTimeout(BusUnavailable):
    """No answer came in time: whether the request was handled is unknown."""


class AnswerLost(BusUnavailable):
    """The connection was lost before the answer: whether the request was handled is unknown."""


class MessageTooLarge(ValueError):
    """The message, its headers included, is above the broker's bound; nothing was sent."""


#: An answer, or why there is none.
Answer: TypeAlias = Message | BusUnavailable

Outcome = TypeVar("Outcome")


def settle(waiting: "asyncio.Future[Outcome]", outcome: Outcome | Exception) -> None:
    """Give what is waited for its outcome, unless nobody waits any more."""
    if waiting.done():
        return
    if isinstance(outcome, Exception):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)


class _Call:
    """A request under way."""

    __slots__ = ("many", "on_answer", "timer")

    def __init__(
        self, on_answer: Callable[[Answer], None], timer: asyncio.TimerHandle, *, many: bool
    ) -> None:
        self.on_answer = on_answer
        self.timer = timer
        self.many = many


class Calls:
    """The requests of one connection, each known by its reply subject, which begins with ``inbox``.

    Each is told exactly one outcome, or with ``many`` any number of answers: an answer, that
    nobody listens, that no answer came in time, or that the connection was lost.
    """

    def __init__(self, inbox: str, *, log: BoundLogger, metrics: Metrics) -> None:
        self.inbox = inbox
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._calls: dict[str, _Call] = {}
        requests = metrics.counters(table.BUS_REQUESTS)
        self._outcome_answered = requests.of("answered")
        self._outcome_no_responders = requests.of("no_responders")
        self._outcome_timeout = requests.of("timeout")
        self._outcome_disconnected = requests.of("disconnected")

    def new_reply_subject(self) -> str:
        """A subject that no request had before."""
        return f"{self.inbox}{next(self._numbers)}"

    def begin(
        self, reply: str, timeout_s: float, on_answer: Callable[[Answer], None], *, many: bool
    ) -> None:
        """Wait for the answer to a request that was just sent."""
        timer = self._loop.call_later(timeout_s, self._expire, reply)
        self._calls[reply] = _Call(on_answer, timer, many=many)

    def forget(self, reply: str) -> None:
        """Want no more answers to a request."""
        call = self._calls.pop(reply, None)
        if call is not None:
            call.timer.cancel()

    def answered(self, message: Message) -> None:
        """An answer has arrived; one that nobody waits for is dropped."""
        call = self._calls.get(message.subject)
        if call is None:
            return
        headers = message.headers
        nobody = (
            STATUS in headers
            and headers[STATUS] == NO_RESPONDERS_STATUS
            and not message.payload
            # A stored message may have any status line: it is no word of the broker's.
            and STORED_SEQUENCE not in headers
        )
        if nobody or not call.many:
            self.forget(message.subject)
        if nobody:
            self._outcome_no_responders.inc()
            self._tell(call, NoResponders("nobody listens there"))
        else:
            self._outcome_answered.inc()
            self._tell(call, message)

    def fail_all(self) -> None:
        """The connection is lost, and the broker has forgotten where answers were to go."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.timer.cancel()
            self._outcome_disconnected.inc()
            self._tell(call, AnswerLost("the connection was lost before the answer"))

    def _expire(self, reply: str) -> None:
        call = self._calls.pop(reply)
        self._outcome_timeout.inc()
        self._tell(call, BusTimeout("no answer in time"))

    def _tell(self, call: _Call, answer: Answer) -> None:
        try:
            call.on_answer(answer)
        except Exception:  # noqa: BLE001 -- it would end the reading of the connection
            self._log.exception("bus_answer_failed")

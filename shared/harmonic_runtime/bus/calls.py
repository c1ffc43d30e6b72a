"""Requests under way. Each waits for its answer, or for the reason why there is none."""

import asyncio
import itertools
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from harmonic_runtime.bus.wire import STATUS, STORED_SEQUENCE, Message
from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.deadlines import Deadlines

#: The status of the broker's own answer to a request that nobody listens to.
NO_RESPONDERS_STATUS = "503"


class BusUnavailable(Exception):
    """The bus, or the process that was asked over it, cannot be reached at the moment.

    ``replica`` is the replica that was asked, if one was. It may have received the request.
    """

    replica: str | None = None


class NoResponders(BusUnavailable):
    """Nobody subscribes to the subject: the request was not delivered."""


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
    """Set a future's outcome, unless nobody waits for it any more."""
    if waiting.done():
        return
    if isinstance(outcome, Exception):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)


class Calls:
    """The requests of one connection, each known by its reply subject, which begins with ``inbox``.

    Each is told exactly one outcome, or with ``many`` any number of answers: an answer, that
    nobody listens, that no answer came in time, or that the connection was lost.
    """

    def __init__(self, inbox: str, *, log: BoundLogger, metrics: Metrics) -> None:
        self.inbox = inbox
        self._log = log
        self._numbers = itertools.count()
        #: By reply subject: what takes the answer, and the number of the deadline.
        self._calls: dict[str, tuple[Callable[[Answer], None], int]] = {}
        #: Those that may have more than one answer.
        self._many: set[str] = set()
        self._deadlines = Deadlines(self._expire)
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
        self._calls[reply] = on_answer, self._deadlines.add(reply, timeout_s)
        if many:
            self._many.add(reply)

    def forget(self, reply: str, *, is_answered: bool = False) -> None:
        """Drop a request: later answers to it are ignored. Count it if another message was one."""
        call = self._calls.pop(reply, None)
        if call is not None:
            self._deadlines.remove(reply, call[1])
            self._many.discard(reply)
            if is_answered:
                self._outcome_answered.inc()

    def answered(self, message: Message) -> None:
        """Take an answer; one that nobody waits for is dropped."""
        reply = message.subject
        call = self._calls.get(reply)
        if call is None:
            return
        on_answer, deadline = call
        if STATUS in message.headers and _says_that_nobody_listens(message):
            self.forget(reply)
            self._outcome_no_responders.inc()
            self._tell(on_answer, NoResponders("nobody listens there"))
            return
        if reply not in self._many:
            del self._calls[reply]
            self._deadlines.remove(reply, deadline)
        self._outcome_answered.inc()
        self._tell(on_answer, message)

    def fail_all(self) -> None:
        """Fail all requests: the broker forgot their reply subjects with the connection."""
        calls, self._calls = self._calls, {}
        self._many.clear()
        self._deadlines.clear()
        for on_answer, _ in calls.values():
            self._outcome_disconnected.inc()
            self._tell(on_answer, AnswerLost("the connection was lost before the answer"))

    def _expire(self, reply: str) -> None:
        call = self._calls.get(reply)
        if call is not None:
            self.forget(reply)
            self._outcome_timeout.inc()
            self._tell(call[0], BusTimeout("no answer in time"))

    def _tell(self, on_answer: Callable[[Answer], None], answer: Answer) -> None:
        try:
            on_answer(answer)
        except Exception:  # noqa: BLE001 -- it would end the reading of the connection
            self._log.exception("bus_answer_failed")


def _says_that_nobody_listens(message: Message) -> bool:
    return (
        message.headers[STATUS] == NO_RESPONDERS_STATUS
        and not message.payload
        # A stored message may have any status line: it is no word of the broker's.
        and STORED_SEQUENCE not in message.headers
    )

"""The one queue of what came in: its order, its bound, its slices of time."""

import asyncio
import time

import pytest

from harmonic_runtime.bus.connection import Interest
from harmonic_runtime.bus.dispatch import MESSAGE_OVERHEAD_BYTES, SLICE_S, Dispatcher
from harmonic_runtime.bus.wire import NO_HEADERS, Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harness.broker import count

#: Two messages of this size may wait, and not a third.
PAYLOAD = b"x" * 1000
BOUND_BYTES = 2 * (len(PAYLOAD) + MESSAGE_OVERHEAD_BYTES) + 1


class Line:
    """A dispatcher, and what was handled in which order."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.handled: list[str] = []
        self.dispatcher = Dispatcher(bound_bytes=BOUND_BYTES, log=get_log(), metrics=self.metrics)
        self.dispatcher.on_gap(lambda: self.handled.append("gap"))
        self.interest = Interest(1, ">", "", lambda message: self.handled.append(message.subject))

    def put(self, subject: str) -> None:
        self.dispatcher.put(self.interest, Message(subject, PAYLOAD, NO_HEADERS, ""))

    async def done(self) -> None:
        all_handled = asyncio.Event()
        self.dispatcher.call_in_order(all_handled.set)
        await all_handled.wait()


@pytest.fixture
def line() -> Line:
    return Line()


async def test_messages_are_handled_at_once_when_all_that_was_read_is_there(line: Line) -> None:
    line.put("1")
    line.put("2")
    assert line.handled == []
    line.dispatcher.handle()
    assert line.handled == ["1", "2"]


async def test_messages_and_callbacks_keep_their_order(line: Line) -> None:
    line.put("1")
    line.dispatcher.call_in_order(lambda: line.handled.append("between"))
    line.put("2")
    await line.done()
    assert line.handled == ["1", "between", "2"]


async def test_what_exceeds_the_bound_is_dropped_told_in_its_place_and_counted(
    line: Line,
) -> None:
    for subject in ("1", "2", "lost", "lost too"):
        line.put(subject)
    await line.done()
    line.put("after")
    await line.done()
    assert line.handled == ["1", "2", "gap", "after"]
    assert count(line.metrics, "bus_dropped_messages_total") == 2
    assert count(line.metrics, "bus_gaps_total") == 1


async def test_every_gap_is_told(line: Line) -> None:
    for _ in range(2):
        for subject in ("1", "2", "lost"):
            line.put(subject)
        await line.done()
    assert line.handled == ["1", "2", "gap"] * 2


async def test_a_closed_interest_gets_nothing_that_still_waits(line: Line) -> None:
    line.put("1")
    line.interest.is_open = False
    await line.done()
    assert line.handled == []


async def test_a_long_queue_lets_others_have_their_turn(line: Line) -> None:
    def handle(message: Message) -> None:
        line.handled.append(message.subject)
        time.sleep(2 * SLICE_S)

    line.interest.handler = handle
    line.put("1")
    line.put("2")
    asyncio.get_running_loop().call_soon(line.handled.append, "another's turn")
    line.dispatcher.handle()
    assert line.handled == ["1"]
    await line.done()
    assert line.handled == ["1", "another's turn", "2"]

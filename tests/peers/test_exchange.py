"""Requests and notices between gateways, over a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harmonic_gateway.peers.exchange import PART_BYTES, Exchange, Listener, Said
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Bus, BusTimeout, BusUnavailable, NoResponders
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.process.lifecycle import Process, Tasks
from harmonic_runtime.process.settings import ServiceSettings
from harness.broker import Broker, connected, running_broker

PATIENCE_S = 10.0


class Answerer:
    """Answers each request with its body twice, and notes down what it hears."""

    def __init__(self) -> None:
        self.asked: list[Said] = []
        self.heard: list[Said] = []
        self.lost: list[Said] = []
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.told = asyncio.Event()

    async def answer(self, asked: Said) -> Said:
        self.begun.set()
        self.asked.append(asked)
        if asked.kind == "WAIT":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if asked.kind == "FAIL":
            raise RuntimeError
        return Said("200", body=asked.body * 2)

    def hear(self, said: Said) -> None:
        self.heard.append(said)
        self.told.set()

    def lose(self, asked: Said) -> None:
        self.lost.append(asked)
        self.told.set()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with running_broker(tmp_path) as running:
        yield running


@asynccontextmanager
async def pair(broker: Broker) -> AsyncIterator[tuple[Exchange, Answerer, Bus]]:
    """One that asks, one that answers under the name ``other``, and the asking one's bus."""
    process: Process[Any] = Process(ServiceSettings(), "test")
    answerer = Answerer()
    async with (
        connected(broker.url) as asking,
        connected(broker.url) as answering,
        Tasks(process) as tasks,
    ):
        other = Exchange(answering, "other", tasks, get_log())
        await other.listen(Listener(answerer.answer, answerer.hear, answerer.lose))
        await answering.flush()
        yield Exchange(asking, "one", tasks, get_log()), answerer, asking


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7])
async def test_bodies_of_any_size_come_whole_and_in_order(broker: Broker, size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    async with pair(broker) as (exchange, _, _):
        answer = await exchange.ask("other", Said("POST", "sid", body), timeout_s=PATIENCE_S)
    assert answer == Said("200", body=body * 2)


async def test_a_notice_is_heard_with_its_session(broker: Broker) -> None:
    async with pair(broker) as (exchange, answerer, _):
        exchange.tell("other", Said("PROBED", "sid", b"try"))
        await answerer.told.wait()
    assert answerer.heard == [Said("PROBED", "sid", b"try")]


async def test_nobody_answers_for_a_gateway_that_is_not_there(broker: Broker) -> None:
    async with pair(broker) as (exchange, _, _):
        with pytest.raises(NoResponders):
            await exchange.ask("nobody", Said("GET", "sid"), timeout_s=PATIENCE_S)


async def test_a_request_that_cannot_be_answered_fails_alone(broker: Broker) -> None:
    async with pair(broker) as (exchange, _, _):
        failed = await exchange.ask("other", Said("FAIL", "sid"), timeout_s=PATIENCE_S)
        answered = await exchange.ask("other", Said("POST", "sid"), timeout_s=PATIENCE_S)
    assert (failed.kind, answered.kind) == ("500", "200")


async def test_who_does_not_wait_any_more_has_the_answering_end(broker: Broker) -> None:
    async with pair(broker) as (exchange, answerer, _):
        asking = asyncio.ensure_future(
            exchange.ask("other", Said("WAIT", "sid"), timeout_s=PATIENCE_S)
        )
        await answerer.begun.wait()
        asking.cancel()
        await answerer.cancelled.wait()
        with pytest.raises(BusTimeout):
            await exchange.ask("other", Said("WAIT", "sid"), timeout_s=0.1)
        await answerer.cancelled.wait()


async def test_an_answer_that_was_given_and_is_not_waited_for_is_lost(broker: Broker) -> None:
    async with pair(broker) as (_, answerer, bus):
        subject, reply = subjects.peer("other"), bus.new_inbox()
        known = {"Hu-Kind": "GET", "Hu-Session": "sid"}
        answered = asyncio.Event()
        await bus.subscribe(reply, lambda _: answered.set())
        bus.post(subject, b"", headers=known, reply=reply)
        await answered.wait()
        bus.post(subject, b"", headers={**known, "Hu-Of": reply, "Hu-Abandoned": "yes"})
        await answerer.told.wait()
    assert answerer.lost == [Said("GET", "sid")]


@pytest.mark.parametrize("first", [True, False], ids=["a later part", "the first part"])
async def test_a_request_with_a_part_missing_is_not_answered(
    broker: Broker, *, first: bool
) -> None:
    async with pair(broker) as (exchange, answerer, bus):
        subject, reply = subjects.peer("other"), bus.new_inbox()
        named = {"Hu-Kind": "POST", "Hu-Session": "sid"}
        if first:
            bus.post(subject, b"a", headers={**named, "Hu-More": "yes"}, reply=reply)
        bus.post(subject, b"c", headers={"Hu-Of": reply, "Hu-Part": "2"})
        # Others are, though they come after it.
        answer = await exchange.ask("other", Said("POST", "sid", b"d"), timeout_s=PATIENCE_S)
    assert answerer.asked == [Said("POST", "sid", b"d")]
    assert answer == Said("200", body=b"dd")


async def test_an_answer_with_a_part_missing_is_none(broker: Broker) -> None:
    async with pair(broker) as (exchange, _, bus):

        def garbles(message: Any) -> None:
            bus.post(message.reply, b"", headers={"Hu-Kind": "200", "Hu-Part": "1"})

        await bus.subscribe(subjects.peer("garbler"), garbles)
        await bus.flush()
        with pytest.raises(BusUnavailable):
            await exchange.ask("garbler", Said("GET", "sid"), timeout_s=PATIENCE_S)

"""The bus: requests, messages and subscriptions over a real broker."""

import asyncio
from contextlib import suppress
from typing import cast

import pytest

from harmonic_local.processes import free_port
from harmonic_runtime.bus.client import (
    Answer,
    Bus,
    BusTimeout,
    BusUnavailable,
    MessageTooLarge,
    NoResponders,
)
from harmonic_runtime.bus.connection import BrokerConnection
from harmonic_runtime.bus.outgoing import MAX_TURNS
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harness.broker import Broker, OpenBus, connected, count, frozen, outage

MIB = 1024 * 1024


class Heard:
    """Takes a subscription's messages, and shows them in their order."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def __call__(self, message: Message) -> None:
        self.queue.put_nowait(message.payload)

    async def next(self) -> bytes:
        return await self.queue.get()


async def echo(bus: Bus, subject: str) -> None:
    await bus.subscribe(
        subject, lambda asked: bus.post(asked.reply, asked.payload, headers=asked.headers)
    )
    await bus.flush()


async def test_a_request_is_answered(bus: Bus, word: str, peer: OpenBus) -> None:
    async with peer() as other:
        await echo(other, word)
        answer = await bus.request(word, b"hello", headers={"A": "b: c"}, timeout_s=5)
    assert (answer.payload, answer.headers) == (b"hello", {"A": "b: c"})


async def test_a_large_request_is_answered(bus: Bus, word: str, peer: OpenBus) -> None:
    payload = bytes(range(256)) * 4000
    async with peer() as other:
        await echo(other, word)
        answer = await bus.request(word, payload, timeout_s=5)
    assert answer.payload == payload


async def test_where_nobody_listens_that_is_known_at_once(bus: Bus, word: str) -> None:
    with pytest.raises(NoResponders):
        await bus.request(word, b"", timeout_s=60)


async def test_silence_ends_with_the_time_for_an_answer(bus: Bus, word: str) -> None:
    await bus.subscribe(word, Heard())
    with pytest.raises(BusTimeout):
        await bus.request(word, b"", timeout_s=0.05)


async def test_an_answer_that_comes_too_late_is_passed_over(bus: Bus, word: str) -> None:
    late: asyncio.Queue[Message] = asyncio.Queue()
    await bus.subscribe(word, late.put_nowait)
    with pytest.raises(BusTimeout):
        await bus.request(word, b"1", timeout_s=0.05)
    bus.post((await late.get()).reply, b"late")
    await bus.flush()
    with pytest.raises(BusTimeout):
        await bus.request(word, b"2", timeout_s=0.05)


async def test_a_question_may_have_many_answers(bus: Bus, word: str) -> None:
    answers: asyncio.Queue[Answer] = asyncio.Queue()
    for _ in range(2):
        await echo(bus, word)
    token = bus.ask(word, b"me", timeout_s=5, on_answer=answers.put_nowait, many=True)
    found = [await answers.get(), await answers.get()]
    bus.forget(token)
    assert [isinstance(answer, Message) and answer.payload for answer in found] == [b"me"] * 2


async def test_messages_are_handled_in_the_order_of_all_subscriptions(
    bus: Bus, word: str, peer: OpenBus
) -> None:
    heard = Heard()
    await bus.subscribe(f"{word}.a", heard)
    await bus.subscribe(f"{word}.b", heard)
    await bus.flush()
    async with peer() as other:
        for number in range(100):
            other.post(f"{word}.{'ab'[number % 2]}", str(number).encode())
    assert [int(await heard.next()) for _ in range(100)] == list(range(100))


async def test_a_handler_that_fails_costs_one_message_and_is_counted(
    shared_broker: Broker, word: str
) -> None:
    metrics, heard = Metrics(), Heard()

    def handle(message: Message) -> None:
        if message.payload == b"bad":
            raise RuntimeError("a bug")
        heard(message)

    async with connected(shared_broker.url, metrics=metrics) as bus:
        await bus.subscribe(word, handle)
        for payload in (b"bad", b"good"):
            bus.post(word, payload)
        assert await heard.next() == b"good"
    assert count(metrics, "bus_handler_errors_total") == 1


async def test_one_of_a_queue_gets_a_message(bus: Bus, word: str) -> None:
    heard = Heard()
    for _ in range(2):
        await bus.subscribe(word, heard, queue="workers")
    bus.post(word, b"1")
    bus.post(word, b"2")
    assert [await heard.next(), await heard.next()] == [b"1", b"2"]
    assert heard.queue.empty()


async def test_a_closed_subscription_hears_nothing_more(bus: Bus, word: str) -> None:
    heard = Heard()
    subscription = await bus.subscribe(word, heard)
    await bus.flush()
    bus.post(word, b"under way")
    await subscription.close()
    await bus.flush()
    await bus.handled()
    assert heard.queue.empty()


async def test_a_drained_subscription_has_handled_what_was_under_way(bus: Bus, word: str) -> None:
    heard = Heard()
    subscription = await bus.subscribe(word, heard)
    bus.post(word, b"under way")
    await subscription.drain()
    assert heard.queue.get_nowait() == b"under way"


async def test_without_the_broker_everything_is_refused_and_nothing_comes_late(
    own_broker: Broker,
) -> None:
    heard = Heard()
    async with connected(own_broker.url) as bus:
        await bus.subscribe("any", heard)
        async with outage(own_broker, bus):
            assert not bus.connected
            with pytest.raises(BusUnavailable):
                await bus.publish("any", b"lost")
            with pytest.raises(BusUnavailable):
                await bus.request("any", b"lost", timeout_s=60)
            with pytest.raises(BusUnavailable):
                await bus.flush()
        await bus.publish("any", b"later")
        assert await heard.next() == b"later"
        assert heard.queue.empty()


async def test_subscriptions_outlive_the_broker(own_broker: Broker) -> None:
    before, meanwhile, gone = Heard(), Heard(), Heard()
    metrics = Metrics()
    async with connected(own_broker.url, metrics=metrics) as bus:
        await bus.subscribe("before", before)
        given_up = await bus.subscribe("gone", gone)
        async with outage(own_broker, bus):
            await bus.subscribe("meanwhile", meanwhile)
            await given_up.close()
        for subject in ("gone", "before", "meanwhile"):
            bus.post(subject, subject.encode())
        assert await before.next() == b"before"
        assert await meanwhile.next() == b"meanwhile"
        assert gone.queue.empty()
    assert count(metrics, "bus_reconnects_total") == 1


async def test_a_broker_that_does_not_read_is_not_written_to_without_bound(
    own_broker: Broker,
) -> None:
    async with connected(own_broker.url, bus_outbound_bytes=MIB) as bus:

        def post_for_ever() -> None:
            while True:
                bus.post("any", b"x" * 100_000)

        with frozen(own_broker), pytest.raises(BusUnavailable, match="does not read"):
            post_for_ever()
        await bus.flush()


async def test_a_flush_of_a_broker_that_hangs_gives_up(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        with frozen(own_broker), pytest.raises(BusTimeout):
            await bus.flush(0.05)
        await bus.flush()


async def test_a_message_above_the_bound_is_refused(bus: Bus) -> None:
    with pytest.raises(MessageTooLarge):
        bus.post("any", b"x" * bus.connection.max_payload, headers={"A": "b"})
    bus.post("any", b"x" * bus.connection.max_payload)
    await bus.flush()


@pytest.mark.parametrize(
    ("subject", "headers"),
    [
        ("", {}),
        ("two words", {}),
        ("line\r\nPUB", {}),
        ("any", {"A": "b\r\nC: d"}),
        ("any", {"A:": "b"}),
    ],
)
def test_what_could_be_read_as_something_else_is_not_sent(
    bus: Bus, subject: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="must"):
        bus.post(subject, b"", headers=headers)


async def test_requests_are_counted_by_outcome(shared_broker: Broker, word: str) -> None:
    metrics = Metrics()
    async with connected(shared_broker.url, metrics=metrics) as bus:
        with pytest.raises(NoResponders):
            await bus.request(word, b"", timeout_s=5)
        await echo(bus, word)
        await bus.request(word, b"", timeout_s=5)
    assert count(metrics, 'bus_requests_total{outcome="no_responders"}') == 1
    assert count(metrics, 'bus_requests_total{outcome="answered"}') == 1


async def test_a_bus_without_a_broker_names_the_setting() -> None:
    nowhere = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(CannotStart, match=rf"^NATS at {nowhere} .*HARMONIC_NATS_URL\.$"):
        async with connected(nowhere, bus_start_timeout_s=0.3):
            pass


async def test_a_start_ends_in_time_though_an_attempt_passes_its_cancellation_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = []

    async def connect(*_: object, **__: object) -> None:
        for number in (1, 2):
            attempts.append(number)
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        raise ConnectionResetError

    monkeypatch.setattr(BrokerConnection, "connect", connect)
    with pytest.raises(CannotStart):
        async with connected("nats://127.0.0.1:1", bus_start_timeout_s=0.1):
            pass
    assert attempts == [1, 2]


class Written:
    """Stands before the socket, and notes each write."""

    def __init__(self, bus: Bus) -> None:
        self.writes: list[bytes] = []
        self._socket = bus.connection.outgoing._socket
        bus.connection.outgoing._socket = cast("asyncio.WriteTransport", self)

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        assert self._socket is not None
        self._socket.write(data)

    def get_write_buffer_size(self) -> int:
        assert self._socket is not None
        return self._socket.get_write_buffer_size()


async def test_a_message_alone_is_written_in_the_next_turn(bus: Bus, word: str) -> None:
    written = Written(bus)
    bus.post(word, b"alone")
    await asyncio.sleep(0)
    assert len(written.writes) == 1


async def test_what_is_sent_in_turns_that_follow_is_one_write(bus: Bus, word: str) -> None:
    written = Written(bus)
    for number in range(MAX_TURNS):
        bus.post(word, b"%d" % number)
        bus.post(word, b"and one more")
        await asyncio.sleep(0)
    assert written.writes == []
    await bus.flush()
    assert len(written.writes) == 1
    assert written.writes[0].count(word.encode()) == 2 * MAX_TURNS


async def test_what_is_sent_without_end_is_written_meanwhile(bus: Bus, word: str) -> None:
    written = Written(bus)
    for _ in range(MAX_TURNS + 2):
        bus.post(word, b"on and on")
        bus.post(word, b"on and on")
        await asyncio.sleep(0)
    assert len(written.writes) == 1

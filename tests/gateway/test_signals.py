"""Live signals: each room has a budget, and beyond it the newest of each sender is kept."""

import asyncio
from collections.abc import Sequence

import pytest

from harmonic_gateway.delivery.signals import (
    ATTACHMENT_BYTES,
    SENDER,
    TOGETHER_S,
    WAITING_S,
    Signals,
    event_name,
    unpack,
)
from harmonic_gateway.sockets import Frame
from harmonic_protocol.catalogue import UNNAMED_SIGNAL
from harmonic_protocol.internal import SIGNAL_EVENT
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics

BYTES_PER_S = 10_000


class Listener:
    """A room that notes down what it is sent."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.writes = 0
        self.metrics = Metrics()
        self.signals = Signals(self._hear, bytes_per_s=BYTES_PER_S, metrics=self.metrics)
        self._news = asyncio.Event()

    def says(
        self, sender: str, what: str, size: int = 6_000, universe: str = "u", kind: str = "seen"
    ) -> None:
        payload = what.encode().ljust(size)
        self.signals.take(universe, Message("s", payload, {SENDER: sender, SIGNAL_EVENT: kind}, ""))

    async def has_heard(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()

    def _hear(self, universe: str, messages: Sequence[Message]) -> None:
        self.writes += 1
        self.heard += [f"{universe} {message.payload.decode().strip()}" for message in messages]
        self._news.set()


async def test_within_the_budget_all_pass_and_the_first_at_once() -> None:
    room = Listener()
    room.says("ann", "a1", size=100)
    assert room.heard == ["u a1"]
    room.says("ann", "a2", size=100)
    room.says("bob", "b1", size=100)
    assert room.heard == ["u a1"]
    await room.has_heard(3)
    assert room.heard == ["u a1", "u a2", "u b1"]
    assert room.writes == 2


async def test_one_that_follows_later_passes_at_once_again() -> None:
    room = Listener()
    room.says("ann", "a1", size=100)
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(2 * TOGETHER_S, over.set_result, None)
    await over
    room.says("ann", "a2", size=100)
    assert room.heard == ["u a1", "u a2"]


async def test_beyond_it_the_newest_of_each_sender_waits_and_the_others_are_dropped() -> None:
    room = Listener()
    for what in ("a1", "a2", "a3", "a4"):
        room.says("ann", what)
    room.says("bob", "b1")
    room.says("bob", "b2")
    await room.has_heard(4)
    assert room.heard[:2] == ["u a1", "u a2"]
    assert room.heard[2:] == ["u a4", "u b2"]
    assert room.metrics.registry.get_sample_value("harmonic_signals_superseded_total") == 2


async def test_what_waits_is_bounded_in_bytes_and_who_waited_longest_makes_room() -> None:
    room = Listener()
    room.says("ann", "a1", size=2 * BYTES_PER_S)
    most = int(WAITING_S)
    for number in range(most + 2):
        room.says(f"user-{number}", f"u{number}", size=BYTES_PER_S)
    # One alone waits, whatever it takes.
    room.says("last", "l1", size=int(WAITING_S + 1) * BYTES_PER_S)
    await room.has_heard(2)
    assert room.heard == ["u a1", "u l1"]
    dropped = room.metrics.registry.get_sample_value("harmonic_signals_superseded_total")
    assert dropped == most + 2


async def test_rooms_do_not_share_a_budget() -> None:
    room = Listener()
    for what in ("a1", "a2", "a3"):
        room.says("ann", what)
    room.says("ann", "other", universe="v")
    assert room.heard[-1] == "v other"


async def test_a_signal_supersedes_none_of_another_kind() -> None:
    room = Listener()
    for what in ("a1", "a2", "a3", "a4"):
        room.says("ann", what)
    room.says("ann", "p1", kind="pointed")
    # Each kind has a budget of its own.
    await room.has_heard(4)
    assert room.heard[1:] == ["u a2", "u p1", "u a4"]


def test_a_signal_is_the_event_that_it_names() -> None:
    named = Message("s", b"{}", {SIGNAL_EVENT: UNNAMED_SIGNAL, ATTACHMENT_BYTES: "2"}, "")
    frame = unpack(named)
    assert frame is not None
    told = frame.encoded("/", None)
    assert f'["{UNNAMED_SIGNAL}",'.encode() in told.raw
    assert told.droppable


def test_a_signal_of_the_version_before_names_none() -> None:
    assert event_name(Message("s", b"{}", {ATTACHMENT_BYTES: "2"}, "")) == UNNAMED_SIGNAL


def test_an_event_that_is_unknown_here_or_no_signal_is_passed_over() -> None:
    for name in ("only_a_newer_version_knows_it", "physics_updated"):
        assert unpack(Message("s", b"{}", {SIGNAL_EVENT: name, ATTACHMENT_BYTES: "2"}, "")) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {ATTACHMENT_BYTES: ""},
        {ATTACHMENT_BYTES: "x"},
        {ATTACHMENT_BYTES: "3"},
        {ATTACHMENT_BYTES: "-1,3"},
        {ATTACHMENT_BYTES: "2,1"},
    ],
)
async def test_one_that_cannot_be_taken_apart_spoils_none_that_come_with_it(
    headers: dict[str, str],
) -> None:
    named = {SIGNAL_EVENT: UNNAMED_SIGNAL}
    sent: list[Frame] = []

    def send(_: str, messages: Sequence[Message]) -> None:
        sent.extend(frame for one in messages if (frame := unpack(one)) is not None)

    signals = Signals(send, bytes_per_s=BYTES_PER_S, metrics=Metrics())
    good = Message("s", b"{}", {**named, ATTACHMENT_BYTES: "2", SENDER: "ann"}, "")
    signals.take("u", good)
    with pytest.raises(ValueError):  # noqa: PT011 -- the bus logs and counts whatever it is
        signals.take("u", Message("s", b"{}", {**named, **headers, SENDER: "odd"}, ""))
    signals.take("u", good)
    await asyncio.sleep(2 * TOGETHER_S)
    assert len(sent) == 2

"""Bars of endless pieces at a gateway: taken once, kept until they end, sent to who enters."""

import json
from collections.abc import Collection, Sequence

import pytest

from gateway.drivers import Background, Spoken, live_layer
from harmonic_gateway.delivery.bars import HeardBar, KeptBars, read_bar
from harmonic_gateway.membership.bars import RoomBars
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Frame
from harmonic_gateway.sockets.frames import Encoded
from harmonic_protocol.messages.endless import MAX_BAR_BYTES
from harmonic_protocol.pieces import StoredBar, StoredNote
from harmonic_protocol.subjects import BAR_SLOTS
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.wire import Message

#: A time far in the future, so that no bar here has ended by the clock.
BEGIN = "2999-03-21T10:30:0{}.000Z"
NOTE = StoredNote(pitch=60, start_time=0, duration=1, velocity=80)


def stored(number: int, *, universe: str = "u", notes: int = 1, begin: str = BEGIN) -> bytes:
    return StoredBar(
        universe_id=universe,
        stream_id="s",
        bar=number,
        starts_at=begin.format(number),
        duration=1,
        tempo=60,
        key="C",
        scale="major",
        as_of=7,
        notes=(NOTE,) * notes,
    ).to_json()


def bar(number: int, *, ends_s: float = 10, size: int = 2) -> HeardBar:
    return HeardBar("s", number, ends_s - 1, ends_s, b"x" * size)


def taken(kept: KeptBars, one: HeardBar, now_s: float = 0) -> Frame | None:
    return kept.take("u", one, now_s, over_s=99)


def test_a_bar_is_news_once() -> None:
    kept = KeptBars()
    frame = taken(kept, bar(1))
    assert frame is not None
    assert (frame.name, frame.over_s, frame.offset) == ("music_bar", 99, None)
    assert taken(kept, bar(1)) is None
    assert taken(kept, bar(2)) is not None
    assert kept.number == 2


def test_what_is_kept_is_told_in_the_order_of_the_bars_until_each_ends() -> None:
    kept = KeptBars()
    for number in (2, 1, 3):
        taken(kept, bar(number, ends_s=number, size=number))
    assert [frame.data for frame in kept.frames("u", 0)] == [b"x", b"xx", b"xxx"]
    assert [frame.data for frame in kept.frames("u", 1)] == [b"xx", b"xxx"]
    assert kept.size_bytes == 5
    assert list(kept.frames("u", 3)) == []
    assert (kept.size_bytes, kept.number) == (0, 0)
    assert list(kept.frames("other", 0)) == []


def test_a_bar_that_has_ended_is_not_taken() -> None:
    kept = KeptBars()
    assert taken(kept, bar(1, ends_s=5), now_s=5) is None
    assert kept.number == 0


def test_what_is_beyond_the_bounds_is_shown_and_not_kept() -> None:
    kept = KeptBars(max_bytes=3)
    assert taken(kept, bar(1)) is not None
    assert taken(kept, bar(2)) is not None
    assert (kept.number, kept.size_bytes, kept.turned_away) == (1, 2, 1)
    many = KeptBars()
    for number in range(BAR_SLOTS + 1):
        assert taken(many, bar(number)) is not None
    assert (many.number, many.turned_away) == (BAR_SLOTS, 1)
    many.forget("u")
    assert (many.number, many.size_bytes) == (0, 0)


def test_a_bar_is_written_anew_with_what_is_declared_alone() -> None:
    payload = stored(1)
    heard = read_bar("u", payload[:-1] + b',"evil":"<b>"}')
    assert heard is not None
    assert heard.data == payload
    assert heard.ends_s - heard.starts_s == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[1]",
        stored(1, universe="another"),
        stored(1, notes=MAX_BAR_BYTES // 50),
        stored(1).replace(b":60,", b":600,"),
        stored(1).replace(b"2999", b"year"),
    ],
    ids=["nothing", "empty", "list", "another's", "large", "no pitch", "no time"],
)
def test_what_is_no_bar_of_the_universe_is_passed_over(payload: bytes) -> None:
    assert read_bar("u", payload) is None


class Listener(Spoken):
    """A connection that notes the bars that it is sent, by their numbers."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.bars: list[int] = []

    def write(self, encoded: object) -> None:
        assert isinstance(encoded, Encoded)
        for packet in encoded.packets:
            _, data = json.loads(str(packet).removeprefix("42"))
            self.bars.append(data["bar"])

    def send_all(self, frames: Collection[Frame], _elsewhere: str | None = None) -> None:
        self.bars.extend(json.loads(frame.data)["bar"] for frame in frames)


class Gateway:
    """The rooms of a gateway, with what is stored of bars."""

    def __init__(self, bus: Bus, *found: bytes) -> None:
        self.memberships, self.tasks = Memberships(), Background()
        self.found: list[bytes] = [*found]
        self.reads = 0
        self.is_away = False
        live = live_layer(self.memberships, bus, self.tasks, read_bars=self.read)
        self.bars: RoomBars = live.bars

    async def read(self, _universe_id: str) -> Sequence[bytes]:
        self.reads += 1
        if self.is_away:
            raise BusUnavailable("away")
        return self.found

    def enters(self, user: str) -> Listener:
        client = Listener(user)
        membership = self.memberships.enter(client.as_connection, "u")
        self.memberships.ask(membership)
        self.memberships.answered(membership, 1, "edit")
        self.memberships.admit(membership)
        self.bars.admitted(membership)
        return client

    def hears(self, payload: bytes) -> None:
        self.bars.heard("u", Message("s", payload, {}, ""))


async def test_a_bar_goes_to_those_who_are_there_and_to_who_enters_before_it_ends(
    bus: Bus,
) -> None:
    gateway = Gateway(bus)
    ann = gateway.enters("ann")
    gateway.hears(stored(1))
    gateway.hears(stored(2))
    gateway.hears(stored(1))
    bob = gateway.enters("bob")
    assert ann.bars == bob.bars == [1, 2]


async def test_the_first_who_enters_is_sent_what_was_stored_before(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1), stored(2))
    gateway.bars.located("u", is_playing=True)
    gateway.hears(stored(2))
    ann = gateway.enters("ann")
    await gateway.tasks.done()
    assert ann.bars == [2, 1]
    gateway.bars.located("u", is_playing=True)
    await gateway.tasks.done()
    assert gateway.reads == 1


async def test_nothing_is_read_for_a_room_that_plays_nothing(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1))
    gateway.bars.located("u", is_playing=False)
    gateway.bars.catch_up()
    await gateway.tasks.done()
    assert gateway.reads == 0


async def test_after_messages_were_lost_what_is_stored_is_read(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1), stored(2))
    ann = gateway.enters("ann")
    gateway.hears(stored(1))
    gateway.is_away = True
    gateway.bars.catch_up()
    await gateway.tasks.done()
    gateway.is_away = False
    gateway.bars.catch_up()
    await gateway.tasks.done()
    assert ann.bars == [1, 2]


async def test_after_the_end_of_a_piece_nobody_is_sent_its_bars(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1))
    gateway.hears(stored(1))
    gateway.bars.stored("u", [Frame.event("physics_updated", b"{}")])
    assert gateway.enters("ann").bars == [1]
    gateway.bars.stored("u", [Frame.event("music_stopped", b"{}")])
    assert gateway.enters("bob").bars == []


async def test_a_bar_that_cannot_be_read_is_passed_over(bus: Bus) -> None:
    gateway = Gateway(bus)
    ann = gateway.enters("ann")
    gateway.hears(b"{}")
    assert ann.bars == []

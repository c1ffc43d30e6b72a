"""Bars of endless pieces in rooms: sent once to who is there, and to who enters before they end."""

import asyncio
import json
from collections.abc import Collection, Sequence

from gateway.drivers import Background, Spoken, live_layer
from gateway.stored_bars import stored
from harmonic_gateway.membership.bars import READS_AT_ONCE, RoomBars
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Frame
from harmonic_gateway.sockets.frames import Encoded
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.wire import Message
from harness.memory import SetClock


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


def begins(stream: str) -> Frame:
    return Frame.event("music_started", b'{"streamId":"%s"}' % stream.encode())


def ends(stream: str) -> Frame:
    return Frame.event("music_stopped", b'{"streamId":"%s"}' % stream.encode())


class Gateway:
    """The rooms of a gateway, with what is stored of bars."""

    def __init__(self, bus: Bus, *found: bytes) -> None:
        self.memberships, self.tasks = Memberships(), Background()
        self.found: list[bytes] = [*found]
        self.reads = 0
        self.most_at_once = 0
        self.at_once = 0
        self.is_away = False
        live = live_layer(self.memberships, bus, self.tasks, read_bars=self.read, clock=SetClock())
        self.bars: RoomBars = live.bars

    async def read(self, _universe_id: str) -> Sequence[bytes]:
        self.reads += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
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

    def plays(self, stream: str = "s") -> None:
        self.bars.stored("u", [begins(stream)])

    def hears(self, payload: bytes) -> None:
        self.bars.heard("u", Message("s", payload, {}, ""))


async def test_a_bar_goes_to_those_who_are_there_and_to_who_enters_before_it_ends(
    bus: Bus,
) -> None:
    gateway = Gateway(bus)
    gateway.plays()
    ann = gateway.enters("ann")
    gateway.hears(stored(1))
    gateway.hears(stored(2))
    gateway.hears(stored(1))
    bob = gateway.enters("bob")
    assert ann.bars == bob.bars == [1, 2]


async def test_the_first_who_enters_is_sent_what_was_stored_before(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1), stored(2))
    gateway.bars.located("u", "s")
    gateway.hears(stored(2))
    ann = gateway.enters("ann")
    await gateway.tasks.done()
    assert ann.bars == [2, 1]
    gateway.bars.located("u", "s")
    await gateway.tasks.done()
    assert gateway.reads == 1


async def test_nothing_is_read_for_a_room_that_plays_nothing(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1))
    gateway.bars.located("u", None)
    gateway.bars.catch_up()
    await gateway.tasks.done()
    assert gateway.reads == 0


async def test_after_messages_were_lost_what_is_stored_is_read(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1), stored(2))
    gateway.plays()
    ann = gateway.enters("ann")
    gateway.hears(stored(1))
    gateway.is_away = True
    gateway.bars.catch_up()
    await gateway.tasks.done()
    gateway.is_away = False
    gateway.bars.catch_up()
    await gateway.tasks.done()
    assert ann.bars == [1, 2]


async def test_few_rooms_are_read_at_the_same_time_and_each_once(bus: Bus) -> None:
    gateway = Gateway(bus)
    for number in range(5 * READS_AT_ONCE):
        gateway.bars.stored(f"u{number}", [begins("s")])
    # The connection to the broker comes and goes.
    gateway.bars.catch_up()
    gateway.bars.catch_up()
    await gateway.tasks.done()
    assert gateway.reads == 5 * READS_AT_ONCE
    assert gateway.most_at_once == READS_AT_ONCE


async def test_after_the_end_of_a_piece_nobody_is_sent_its_bars(bus: Bus) -> None:
    gateway = Gateway(bus, stored(1))
    gateway.plays()
    gateway.hears(stored(1))
    gateway.bars.stored("u", [Frame.event("physics_updated", b"{}"), ends("another")])
    assert gateway.enters("ann").bars == [1]
    gateway.bars.stored("u", [ends("s")])
    assert gateway.enters("bob").bars == []


async def test_a_bar_that_cannot_be_read_is_passed_over(bus: Bus) -> None:
    gateway = Gateway(bus)
    gateway.plays()
    ann = gateway.enters("ann")
    gateway.hears(b"{}")
    assert ann.bars == []


async def test_nobody_hears_a_bar_of_what_the_universe_does_not_play(bus: Bus) -> None:
    gateway = Gateway(bus)
    ann = gateway.enters("ann")
    gateway.hears(stored(1, stream="forged"))
    gateway.plays()
    gateway.hears(stored(1, stream="forged"))
    gateway.hears(stored(2))
    bob = gateway.enters("bob")
    assert ann.bars == bob.bars == [2]


async def test_a_bar_that_overtakes_the_record_of_its_piece_is_read_once_that_is_there(
    bus: Bus,
) -> None:
    gateway = Gateway(bus, stored(0))
    ann = gateway.enters("ann")
    gateway.hears(stored(0))
    assert ann.bars == []
    gateway.plays()
    await gateway.tasks.done()
    assert ann.bars == [0]


async def test_an_earlier_answer_of_the_owner_does_not_bring_an_earlier_piece_back(
    bus: Bus,
) -> None:
    gateway = Gateway(bus)
    ann = gateway.enters("ann")
    gateway.plays("later")
    gateway.bars.located("u", "s")
    gateway.bars.located("u", None)
    gateway.hears(stored(1))
    gateway.hears(stored(2, stream="later"))
    assert ann.bars == [2]

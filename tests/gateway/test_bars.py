"""Bars of endless pieces at a gateway: taken once, kept until they end, sent to who enters."""

import asyncio
import json
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import pytest

from gateway.drivers import Background, Spoken, live_layer
from harmonic_gateway.delivery.bars import MAX_LEAD_S, HeardBar, KeptBars, Unbelieved, read_bar
from harmonic_gateway.membership.bars import READS_AT_ONCE, RoomBars
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Frame
from harmonic_gateway.sockets.frames import Encoded
from harmonic_protocol.messages.endless import MAX_BAR_BYTES
from harmonic_protocol.pieces import StoredBar, StoredNote
from harmonic_protocol.subjects import BAR_SLOTS
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.process.clock import timestamp

#: When bar 0 begins, as Unix time: far enough in the future that no bar ends within a test.
BEGINS_S = time.time() + 20
NOTE = StoredNote(pitch=60, start_time=0, duration=1, velocity=80)


def moment(unix_s: float) -> str:
    """A time as it stands in messages."""
    return timestamp(datetime.fromtimestamp(unix_s, UTC))


def stored(number: int, *, universe: str = "u", notes: int = 1, stream: str = "s") -> bytes:
    return StoredBar(
        universe_id=universe,
        stream_id=stream,
        bar=number,
        starts_at=moment(BEGINS_S + number),
        duration=1,
        tempo=60,
        key="C",
        scale="major",
        as_of=7,
        notes=(NOTE,) * notes,
    ).to_json()


def bar(number: int, *, ends_s: float = 10, size: int = 2) -> HeardBar:
    return HeardBar("s", number, ends_s - 1, ends_s, b"x" * size)


def taken(kept: KeptBars, one: HeardBar, now_s: float = 0) -> Frame | Unbelieved | None:
    return kept.take("u", one, now_s, over_s=99)


def test_a_bar_is_news_once() -> None:
    kept = KeptBars()
    frame = taken(kept, bar(1))
    assert isinstance(frame, Frame)
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


def test_what_is_beyond_the_bound_of_bytes_is_shown_and_not_kept() -> None:
    kept = KeptBars(max_bytes=3)
    assert isinstance(taken(kept, bar(1)), Frame)
    assert isinstance(taken(kept, bar(2)), Frame)
    assert (kept.number, kept.size_bytes) == (1, 2)


def test_a_universe_has_so_many_unfinished_bars_and_no_more() -> None:
    kept = KeptBars()
    for number in range(BAR_SLOTS):
        assert isinstance(taken(kept, bar(number)), Frame)
    assert taken(kept, bar(BAR_SLOTS)) is Unbelieved.TOO_MANY
    assert kept.number == BAR_SLOTS
    # They have ended.
    assert isinstance(taken(kept, bar(BAR_SLOTS, ends_s=20), now_s=10), Frame)
    kept.forget("u")
    assert (kept.number, kept.size_bytes) == (0, 0)


def test_a_bar_is_written_anew_with_what_is_declared_alone() -> None:
    payload = stored(1)
    heard = read_bar("u", payload[:-1] + b',"evil":"<b>"}', BEGINS_S)
    assert isinstance(heard, HeardBar)
    assert heard.data == payload
    assert heard.ends_s - heard.starts_s == 1


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", Unbelieved.NO_BAR),
        (b"{}", Unbelieved.NO_BAR),
        (b"[1]", Unbelieved.NO_BAR),
        (stored(1, universe="another"), Unbelieved.ANOTHERS),
        (stored(1, notes=MAX_BAR_BYTES // 50), Unbelieved.NO_BAR),
        (stored(1).replace(b":60,", b":600,"), Unbelieved.NO_BAR),
        (stored(1).replace(b'"startsAt":"2', b'"startsAt":"two'), Unbelieved.NO_BAR),
        (
            stored(1).replace(b'"duration":1.0,"tempo"', b'"duration":1e-9,"tempo"'),
            Unbelieved.NO_BAR,
        ),
    ],
    ids=["nothing", "empty", "list", "another's", "large", "no pitch", "no time", "no length"],
)
def test_what_is_no_bar_of_the_universe_is_passed_over(payload: bytes, why: Unbelieved) -> None:
    assert read_bar("u", payload, BEGINS_S) is why


@pytest.mark.parametrize("year", [b"2999", b"9999"])
def test_a_bar_that_begins_far_ahead_is_passed_over(year: bytes) -> None:
    payload = stored(1).replace(b'"startsAt":"20', b'"startsAt":"' + year[:2])
    assert read_bar("u", payload, BEGINS_S) is Unbelieved.TOO_EARLY
    assert read_bar("u", stored(1), BEGINS_S - MAX_LEAD_S) is Unbelieved.TOO_EARLY
    assert isinstance(read_bar("u", stored(0), BEGINS_S - MAX_LEAD_S + 1), HeardBar)


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
        live = live_layer(self.memberships, bus, self.tasks, read_bars=self.read)
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

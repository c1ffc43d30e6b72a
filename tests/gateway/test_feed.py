"""Following a log: what its chain asks for is done, and what came of it is reported."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from pydantic_core import to_json

from gateway.drivers import NOW, Background, ShortHistory, meter
from harmonic_gateway.delivery.feed import PREVIOUS_SEQUENCE, Feed, FeedEvents
from harmonic_gateway.delivery.history import LogTrimmed
from harmonic_gateway.delivery.places import Position
from harmonic_protocol import subjects
from harmonic_protocol.envelope import CARRIED_OUT
from harmonic_protocol.internal import LoggedRecord, LogPart
from harmonic_protocol.log import ConnectionLeft, LoggedEvent, Notice, Record, record_mark
from harmonic_protocol.messages.rooms import ParticipantLeft
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.reading import EXPECTED_SEQUENCE
from harmonic_runtime.bus.wire import REPEATED, STORED_SEQUENCE, STORED_SUBJECT, Message
from harmonic_runtime.observability.logs import get_log

LEFT = ParticipantLeft(universe_id="u", user_id="ann", timestamp=NOW, seq=1)
GONE = ConnectionLeft(connection_id="ann-1")


def record(position: int) -> Record:
    """A record with a frame and a notice."""
    events = (
        LoggedEvent(name=GONE.name, data=GONE.to_wire()),
        LoggedEvent(name=ParticipantLeft.spec.name, data=LEFT.to_wire()),
    )
    return Record(id=f"r{position}", at=NOW, events=events)


def republished(position: int, previous: int) -> Message:
    return Message("s", to_json(record(position).to_wire()), headers(position, previous), "")


def headers(position: int, previous: int) -> dict[str, str]:
    """What the broker and the owner say of a record that is republished."""
    return {
        EXPECTED_SEQUENCE: str(previous),
        STORED_SUBJECT: subjects.log("u"),
        STORED_SEQUENCE: str(position),
        PREVIOUS_SEQUENCE: str(previous),
    }


def part(*positions: int, complete: bool = True) -> LogPart:
    records = tuple(LoggedRecord(position=each, record=record(each)) for each in positions)
    return LogPart(records=records, complete=complete)


class Reader:
    """Whoever a feed is for."""

    def __init__(self) -> None:
        self.delivered: list[int] = []
        self.offsets: list[str | None] = []
        self.notices: list[Notice] = []
        self.losses = self.doubts = self.foreign = 0
        self.carried_out: list[tuple[str, int, list[int]]] = []
        self.history, self.tasks = ShortHistory(), Background()
        self._news = asyncio.Event()
        self.feed = Feed(
            "u",
            sink=self._take,
            tell=FeedEvents(self._lose, self._doubt, self._skip, self._carry_out),
            history=cast("Any", self.history),
            meter=meter(),
            tasks=cast("Any", self.tasks),
            log=get_log(),
        )

    async def has(self, *positions: int) -> None:
        async with asyncio.timeout(20):
            while self.delivered != list(positions):
                self._news.clear()
                await self._news.wait()

    def _take(self, position: int, frames: list[Any], notices: list[Notice]) -> None:
        self.delivered.append(position)
        self.offsets.extend(frame.offset for frame in frames)
        self.notices.extend(notices)
        self._news.set()

    def _doubt(self) -> None:
        self.doubts += 1

    def _skip(self) -> None:
        self.foreign += 1

    def _carry_out(self, names: str, position: int) -> None:
        self.carried_out.append((names, position, list(self.delivered)))

    def _lose(self) -> None:
        self.losses += 1
        self._news.set()


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = Reader()
    yield reader
    reader.feed.close()
    reader.tasks.stop()


async def test_records_are_delivered_with_offsets_and_notices_as_they_come(reader: Reader) -> None:
    assert reader.feed.begin(5) == 5
    reader.feed.hear(republished(6, 5))
    reader.feed.hear(republished(9, 6))
    assert reader.delivered == [6, 9]
    assert reader.offsets == [f"u:6:{record_mark('r6')}", f"u:9:{record_mark('r9')}"]
    assert reader.notices == [GONE, GONE]
    assert reader.history.asked == []


async def test_the_commands_that_a_record_names_are_told_after_its_frames(reader: Reader) -> None:
    reader.feed.begin(5)
    told = republished(6, 5)
    reader.feed.hear(told._replace(headers={**told.headers, CARRIED_OUT: "a.1=7"}))
    assert reader.carried_out == [("a.1=7", 6, [6])]


async def test_commands_are_told_though_an_earlier_record_is_missing(reader: Reader) -> None:
    reader.feed.begin(5)
    told = republished(8, 7)
    reader.feed.hear(told._replace(headers={**told.headers, CARRIED_OUT: "a.1=7"}))
    assert reader.carried_out == [("a.1=7", 8, [])]


async def test_what_no_owner_has_stored_carries_nothing_out(reader: Reader) -> None:
    reader.feed.begin(5)
    told = {**headers(6, 5), REPEATED: STORED_SEQUENCE, CARRIED_OUT: "a.1=7"}
    reader.feed.hear(Message("s", b"", told, ""))
    assert reader.foreign == 1
    assert reader.carried_out == []


async def test_a_record_whose_predecessor_is_missing_waits_until_that_is_read(
    reader: Reader,
) -> None:
    reader.feed.begin(5)
    reader.history.parts = [part(6, 7)]
    reader.feed.hear(republished(8, 7))
    assert reader.delivered == []
    await reader.has(6, 7, 8)
    assert reader.history.asked == [5]


async def test_a_part_of_the_log_is_followed_by_the_next(reader: Reader) -> None:
    reader.feed.begin(5)
    reader.history.parts = [part(6, complete=False), part(7)]
    reader.feed.hear(republished(8, 7))
    await reader.has(6, 7, 8)
    assert reader.history.asked == [5, 6]


async def test_an_owner_that_cannot_be_asked_is_asked_again(reader: Reader) -> None:
    reader.feed.begin(5)
    reader.history.parts = [BusUnavailable("not now"), part(6, 7)]
    reader.feed.hear(republished(8, 7))
    await reader.has(6, 7, 8)
    assert reader.history.asked == [5, 5]


async def test_a_record_that_an_owner_spoke_of_and_that_does_not_come_is_read(
    reader: Reader,
) -> None:
    reader.feed.begin(5)
    reader.history.parts = [part(6)]
    reader.feed.expect(6)
    await reader.has(6)


async def test_a_record_that_lies_in_the_queue_is_not_read(reader: Reader) -> None:
    reader.feed.begin(5)
    reader.history.waits = [lambda: reader.feed.hear(republished(6, 5))]
    reader.feed.expect(6)
    await reader.has(6)
    await reader.tasks.done()
    assert reader.history.asked == []


async def test_a_record_is_read_that_does_not_come_while_the_broker_is_silent(
    reader: Reader,
) -> None:
    def silent() -> None:
        raise BusUnavailable("the broker does not answer")

    reader.feed.begin(5)
    reader.history.waits = [silent]
    reader.history.parts = [part(6)]
    reader.feed.expect(6)
    await reader.has(6)


async def test_where_the_log_was_trimmed_its_readers_are_told_once(reader: Reader) -> None:
    reader.feed.begin(5)
    reader.history.parts = [LogTrimmed()]
    reader.feed.hear(republished(8, 7))
    await reader.tasks.done()
    reader.feed.hear(republished(9, 8))
    assert (reader.losses, reader.delivered) == (1, [])


async def test_after_its_end_nothing_is_delivered(reader: Reader) -> None:
    reader.feed.begin(5)
    reader.feed.close()
    reader.feed.hear(republished(6, 5))
    assert reader.delivered == []


def another(position: int, previous: int) -> Message:
    """A record of another history at a position."""
    payload = to_json(record(position * 100).to_wire())
    return Message("s", payload, headers(position, previous), "")


async def test_another_record_at_the_last_position_shows_a_log_that_was_turned_back(
    reader: Reader,
) -> None:
    reader.feed.begin(5)
    reader.feed.hear(republished(6, 5))
    reader.feed.hear(republished(6, 5))
    assert reader.losses == 0
    reader.feed.hear(another(6, 5))
    assert (reader.delivered, reader.losses) == ([6], 1)


async def test_a_record_that_follows_an_earlier_one_shows_it_too(reader: Reader) -> None:
    reader.feed.begin(5)
    reader.feed.hear(republished(6, 5))
    reader.feed.hear(another(9, 5))
    assert (reader.delivered, reader.losses) == ([6], 1)


async def test_so_does_what_an_owner_says_of_the_last_record(reader: Reader) -> None:
    reader.feed.begin(Position.of_record(5, "r5"))
    reader.feed.expect(Position.of_record(5, "r5"))
    reader.feed.expect(Position(5))
    assert reader.losses == 0
    reader.feed.expect(Position.of_record(5, "another"))
    assert reader.losses == 1


async def test_a_record_below_the_last_is_in_doubt_and_the_owner_has_to_say(
    reader: Reader,
) -> None:
    reader.feed.begin(5)
    reader.feed.hear(republished(6, 5))
    reader.feed.hear(republished(9, 6))
    reader.feed.hear(republished(6, 5))
    assert (reader.doubts, reader.losses) == (1, 0)


async def test_what_is_missing_is_asked_for_after_the_very_record(reader: Reader) -> None:
    reader.feed.begin(Position.of_record(5, "r5"))
    reader.history.parts = [part(6, 7), part(9)]
    reader.feed.go_on()
    reader.feed.hear(republished(8, 7))
    await reader.has(6, 7, 8)
    reader.feed.hear(republished(10, 9))
    await reader.has(6, 7, 8, 9, 10)
    assert reader.history.named == [("", record_mark("r5")), ("r8", record_mark("r8"))]


@pytest.mark.parametrize(
    "foreign",
    [{REPEATED: STORED_SUBJECT}, {EXPECTED_SEQUENCE: None}],
    ids=["an answer of the broker", "not placed by an owner"],
)
async def test_what_no_owner_has_stored_takes_a_position_and_says_nothing(
    reader: Reader, foreign: dict[str, str | None]
) -> None:
    reader.feed.begin(5)
    genuine = republished(6, 5)
    said = {name: value for name, value in {**genuine.headers, **foreign}.items() if value}
    reader.feed.hear(Message("s", b"not even JSON", said, ""))
    reader.feed.hear(republished(7, 6))
    assert (reader.delivered, reader.foreign) == ([6, 7], 1)
    assert reader.offsets == [f"u:7:{record_mark('r7')}"]


async def test_what_is_stored_elsewhere_is_no_record_at_all(reader: Reader) -> None:
    reader.feed.begin(5)
    genuine = republished(6, 5)
    for other in ({**genuine.headers, STORED_SUBJECT: "hu.session.a.b"}, {}):
        reader.feed.hear(Message("s", genuine.payload, other, ""))
    assert (reader.delivered, reader.foreign) == ([], 2)

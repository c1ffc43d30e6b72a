"""What is kept of logs for clients that return: shared, bounded, and never another history."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from harmonic_gateway.delivery.places import Place, Position
from harmonic_gateway.limits.debts import Debts
from harmonic_gateway.recovery.kept import EVENT_BYTES, KeptEvent, KeptLog, KeptLogs, KeptRecord
from harmonic_gateway.recovery.missed import MissedReader, RoomFrames
from harmonic_gateway.sockets import Frame
from harmonic_gateway.sockets.frames import MAX_JOINED_BYTES
from harmonic_gateway.sockets.limits import MAX_PACKETS_PER_POLL
from harmonic_protocol.internal import JoinResult, LoggedRecord, LogPart
from harmonic_protocol.log import LoggedEvent, Record, record_mark
from harmonic_protocol.messages.parameters import Parameters
from harmonic_protocol.messages.rooms import RoomJoined
from harmonic_runtime.observability.metrics import Metrics

AT = "2024-03-21T10:30:00.000Z"


def frame(seq: int, size: int = 10) -> Frame:
    return Frame.event("physics_updated", b'{"seq":%d,"x":"%s"}' % (seq, b"x" * size), f"u:{seq}")


def log(*records: int, size: int = 10) -> KeptLog:
    """A log of one event a record, whose numbers are the records' positions."""
    made = KeptLog(Position(records[0] - 1))
    for position in records:
        event = KeptEvent(position, frame(position, size))
        made.add(KeptRecord(position, f"r{position}", (event,)))
    return made


def sent(frames: Sequence[Frame], elsewhere: str | None = None) -> list[str]:
    """The packets that a client is sent."""
    return [str(each) for one in frames for each in one.encoded("/ws", elsewhere).packets]


@pytest.mark.parametrize("at", [0, 1, 7, 8, 9, 30, 99, 100])
@pytest.mark.parametrize("until", [1, 7, 8, 15, 16, 17, 99, 100])
@pytest.mark.parametrize("elsewhere", [None, "", ",v:3"])
def test_joined_or_not_a_client_is_sent_the_same_packets(
    at: int, until: int, elsewhere: str | None
) -> None:
    kept = log(*range(1, 101))
    kept.missed(Place(0), 60, to_seq=100)
    missed = kept.missed(Place(at), until, to_seq=100)
    due = range(at + 1, until + 1)
    assert sent(missed.frames, elsewhere) == sent([frame(seq) for seq in due], elsewhere)
    assert missed.events == len(due)
    assert missed.from_seq == (at if due else 100)


def test_what_is_joined_is_joined_once_and_fits_into_a_poll() -> None:
    kept = log(*range(1, 101))
    one, other = (kept.missed(Place(0), 100, to_seq=100).frames for _ in range(2))
    assert len(one) <= 100 / MAX_PACKETS_PER_POLL + MAX_PACKETS_PER_POLL
    assert [each.encoded("/ws", "").raw for each in one] == [
        each.encoded("/ws", "").raw for each in other
    ]
    assert one[0].encoded("/ws", "") is other[0].encoded("/ws", "")
    assert all(len(each.encoded("/ws", "").packets) <= MAX_PACKETS_PER_POLL for each in one)
    # Large ones are compressed for those who can have that, each by itself.
    large = log(*range(1, 9), size=5000)
    assert all(each.encoded("/ws", "").compressible for each in large.missed(Place(0), 8, 8).frames)


def test_a_place_is_known_by_its_record_or_as_that_before_the_first() -> None:
    kept = log(5, 6, 9)
    assert kept.reaches_back_to(Place(6, mark=record_mark("r6")))
    assert not kept.reaches_back_to(Place(6, mark=record_mark("another")))
    assert kept.reaches_back_to(Place(6, 1))
    assert kept.reaches_back_to(Place(4))
    assert not kept.reaches_back_to(Place(4, 1))
    assert not kept.reaches_back_to(Place(3))
    assert not kept.reaches_back_to(Place(7))
    assert kept.ends_with(9, "r9")
    assert not kept.ends_with(9, "another")


def test_the_place_before_the_first_record_is_known_by_its_mark() -> None:
    kept = KeptLog(Position.of_record(4, "r4"))
    assert kept.reaches_back_to(Place(4, mark=record_mark("r4")))
    assert kept.reaches_back_to(Place(4))
    assert not kept.reaches_back_to(Place(4, mark=record_mark("another")))


def test_a_block_is_as_large_as_a_poll_may_be() -> None:
    end = 2 * MAX_PACKETS_PER_POLL + 1
    frames = log(*range(1, end + 1)).missed(Place(0), end, end).frames
    packets = [len(each.encoded("/ws").packets) for each in frames]
    assert packets == [MAX_PACKETS_PER_POLL, MAX_PACKETS_PER_POLL, 1]


@pytest.mark.parametrize(("excess_bytes", "packets"), [(0, [2, 1]), (1, [1, 1, 1])])
def test_a_block_has_as_many_bytes_as_may_be_joined(excess_bytes: int, packets: list[int]) -> None:
    around = frame(1, 0).size_bytes
    sizes = (MAX_JOINED_BYTES - 100 - around, 100 - around + excess_bytes, MAX_JOINED_BYTES)
    kept = KeptLog(Position(0))
    for position, size in enumerate(sizes, 1):
        kept.add(
            KeptRecord(position, f"r{position}", (KeptEvent(position, frame(position, size)),))
        )
    frames = kept.missed(Place(0), 3, 3).frames
    assert [len(each.encoded("/ws").packets) for each in frames] == packets


def test_what_fits_into_no_block_with_others_is_sent_as_it_is() -> None:
    kept = log(1, 2, 3, size=MAX_JOINED_BYTES - 100)
    frames = kept.missed(Place(0), 3, 3).frames
    assert frames == [event.frame for record in kept.records for event in record.events]


def test_kept_logs_are_bounded_in_bytes_and_time() -> None:
    one = log(*range(1, 11))
    kept = KeptLogs(bound_bytes=2 * one.size_bytes + 1, keep_s=10)
    for number, universe in enumerate("abc"):
        kept.keep(universe, log(*range(1, 11)), now_s=number)
    assert kept.of("a", 2) is None
    assert kept.of("b", 3) is not None
    assert kept.size_bytes <= 2 * one.size_bytes
    # Whoever asks for one has it kept for longer.
    assert kept.expire(12.5)
    assert kept.of("c", 12.5) is None
    assert kept.of("b", 12.5) is not None
    assert not kept.expire(23)
    kept.keep("d", log(*range(1, 101)), 24)
    assert kept.of("d", 24) is None


class Log:
    """A log that is read in parts of ten records; ``reads`` are where each part began."""

    def __init__(self, records: int) -> None:
        self.ids = {position: f"r{position}" for position in range(1, records + 1)}
        self.reads: list[int] = []

    async def read(self, _: str, after: int, **__: Any) -> LogPart:
        await asyncio.sleep(0)
        self.reads.append(after)
        part = [
            logged(position, self.ids[position])
            for position in range(after, after + 11)
            if position in self.ids
        ]
        return LogPart(records=tuple(part), complete=not part)


def logged(position: int, record_id: str) -> LoggedRecord:
    data = {"universeId": "u", "seq": position, "timestamp": AT, "parameters": {}, "changed": []}
    event = LoggedEvent(name="physics_updated", data=data)
    return LoggedRecord(position=position, record=Record(id=record_id, at=AT, events=(event,)))


class Clock:
    """Stands still."""

    def monotonic(self) -> float:
        return 0.0


class Client:
    """Owed something, and alive."""

    def __init__(self, user: str) -> None:
        self.identity, self.connection, self.user_id, self.is_owed = self, self, user, True

    def is_closed(self) -> bool:
        return False


def reader(history: Log) -> MissedReader:
    debts = Debts(2**30, 10**6)
    return MissedReader(cast("Any", history), debts, cast("Any", Clock()), Metrics())


async def returns(to: MissedReader, history: Log, at: Place, user: str = "ann") -> RoomFrames:
    end = max(history.ids)
    room = RoomJoined(
        universe_id="u",
        participants=(),
        timestamp=AT,
        mode="edit",
        parameters=Parameters(),
        seq=end,
    )
    result = JoinResult(room=room, record=history.ids[end])
    return await to.read(cast("Any", Client(user)), result, at, end)


def seqs(back: RoomFrames) -> int:
    return sum(len(each.encoded("/ws", "").packets) for each in back.frames) - 2


async def test_many_that_return_at_once_have_the_log_read_once() -> None:
    history = Log(100)
    to = reader(history)
    back = await asyncio.gather(
        *(returns(to, history, Place(number), f"user-{number}") for number in range(20))
    )
    assert [seqs(each) for each in back] == [100 - number for number in range(20)]
    assert all(each.is_complete for each in back)
    assert history.reads == list(range(0, 100, 10))
    # What came meanwhile is read, and nothing else.
    history.ids |= {position: f"r{position}" for position in range(101, 106)}
    assert seqs(await returns(to, history, Place(30))) == 75
    assert history.reads[10:] == [100]


async def test_of_a_log_that_was_turned_back_nothing_kept_is_sent() -> None:
    history = Log(100)
    to = reader(history)
    await returns(to, history, Place(0))
    history.reads.clear()
    history.ids |= {position: f"other{position}" for position in range(90, 101)}
    back = await returns(to, history, Place(50))
    assert seqs(back) == 50
    assert history.reads == list(range(50, 100, 10))


def test_a_position_above_the_last_is_not_here() -> None:
    kept = log(5, 6, 9)
    assert kept.index_of(10) is None
    assert not kept.ends_with(10, "r10")


def test_a_record_takes_its_frames_twice_and_something_for_each() -> None:
    one, two = frame(1), frame(2, 50)
    record = KeptRecord(1, "r1", (KeptEvent(1, one), KeptEvent(None, None), KeptEvent(2, two)))
    assert record.size_bytes == 3 * EVENT_BYTES + 2 * (one.size_bytes + two.size_bytes)


def test_those_that_were_kept_last_have_room_up_to_the_bound() -> None:
    size_bytes = log(1).size_bytes
    logs = KeptLogs(2 * size_bytes, 60)
    for universe in ("a", "b", "a"):
        logs.keep(universe, log(1), 0)
    assert logs.size_bytes == 2 * size_bytes
    # Another one takes the place of the one that was kept first.
    logs.keep("c", log(1), 0)
    assert [logs.of(each, 0) is not None for each in "abc"] == [True, False, True]
    # Of two places: no more go than have to.
    logs.keep("d", log(1), 0)
    assert logs.size_bytes == 2 * size_bytes


def test_as_many_are_forgotten_as_a_large_one_needs() -> None:
    size_bytes = log(1).size_bytes
    logs = KeptLogs(4 * size_bytes, 60)
    for universe in "abcd":
        logs.keep(universe, log(1), 0)
    logs.keep("e", log(1, 2), 0)
    assert [logs.of(each, 0) is not None for each in "abcde"] == [False, False, True, True, True]


def test_what_is_forgotten_or_was_not_asked_for_in_time_is_gone() -> None:
    logs = KeptLogs(2**20, 60)
    for universe in ("a", "b"):
        logs.keep(universe, log(1), 0)
    logs.forget("a")
    logs.forget("a")
    assert logs.of("a", 0) is None
    assert logs.expire(59)
    assert not logs.expire(60)

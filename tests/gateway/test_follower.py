"""What somebody is sent who follows a universe: every event once, in order, and only if it may."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.delivery.feed import frames_of
from harmonic_gateway.delivery.frames import RecordDelivery
from harmonic_gateway.delivery.places import Place, Position
from harmonic_gateway.delivery.server_sent import server_sent
from harmonic_gateway.membership.follower import (
    AskOwner,
    AwaitNews,
    EndStream,
    LogRecord,
    PauseReading,
    ReadAfter,
    StreamEnd,
    StreamFollower,
    WriteEvents,
)
from harmonic_gateway.membership.seeing import may_hide
from harmonic_gateway.sockets import Frame
from harmonic_protocol.log import (
    ConnectionLeft,
    MemberRemoved,
    MemberSet,
    Notice,
    SettingsChanged,
    UniverseDeleted,
    UserBanned,
    record_mark,
)
from harmonic_protocol.messages.following import MAX_MISSED_EVENTS, UniverseState
from harmonic_protocol.messages.parameters import Parameters
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, refused

NOW = "2024-03-21T10:30:00.000Z"
U = "u"
HIDDEN = refused(Code.NOT_FOUND, "Universe not found")


def at(position: int) -> Position:
    """A position of the log that all tests share."""
    return Position(position, record_mark(f"r{position}"))


def frames(position: int, number: int = 1) -> list[Frame]:
    events = [Frame.event("e", f'{{"at":{position},"n":{n}}}'.encode()) for n in range(number)]
    return frames_of(U, at(position), RecordDelivery(list(events), [], f"r{position}"), {})


def record(position: int, *notices: Notice, number: int = 1, seq: int | None = None) -> LogRecord:
    return LogRecord(at(position), frames(position, number), notices, seq)


def state(seq: int = 0) -> UniverseState:
    return UniverseState(
        universe_id=U, participants=(), parameters=Parameters(), timestamp=NOW, seq=seq
    )


@dataclass
class Reader:
    """A follower's driver, which only counts."""

    woken: int = 0
    interrupted: int = 0
    written: list[str] = field(default_factory=list)

    def wake(self) -> None:
        self.woken += 1

    def interrupt(self) -> None:
        self.interrupted += 1

    def follower(self, place: Place | None = None, max_bytes: int = 10_000) -> StreamFollower:
        return StreamFollower(U, "ann", place, max_bytes=max_bytes, driver=self)

    def takes(self, follower: StreamFollower) -> str:
        """The events that are written now, shortly: ``5.0`` is the first of the record at 5."""
        step = follower.next()
        assert isinstance(step, WriteEvents), step
        news = shortly(step.data)
        self.written += news
        return " ".join(news)


def shortly(data: bytes) -> list[str]:
    """Each event by its name, or by where it is from."""
    found = []
    for event in data.decode().split("\n\n")[:-1]:
        identity, name, text = event.split("\n")
        assert identity.startswith("id: u:")
        if name == "event: e":
            position, number = text.removeprefix('data: {"at":').removesuffix("}").split(',"n":')
            found.append(f"{position}.{number}")
        else:
            found.append(f"{name.removeprefix('event: ')}@{identity.split(':')[2]}")
    return found


@pytest.fixture
def reader() -> Reader:
    return Reader()


def live(reader: Reader, position: int = 5) -> StreamFollower:
    """One that has been sent the state."""
    follower = reader.follower()
    follower.attached(position)
    follower.answered(at(position), state())
    assert reader.takes(follower) == f"universe_state@{position}"
    assert follower.next() == AwaitNews()
    return follower


def deliver(follower: StreamFollower, position: int, *notices: Notice, number: int = 1) -> None:
    follower.deliver(at(position), server_sent(frames(position, number)), notices)


def test_the_state_comes_first_and_each_event_after_it(reader: Reader) -> None:
    follower = reader.follower()
    assert follower.next() == AskOwner()
    follower.attached(4)
    deliver(follower, 5)
    deliver(follower, 6)
    follower.answered(at(5), state())
    deliver(follower, 7, number=2)
    assert reader.takes(follower) == "universe_state@5 6.0 7.0 7.1"
    assert follower.next() == AwaitNews()
    deliver(follower, 8)
    assert reader.woken == 2
    assert reader.takes(follower) == "8.0"


def test_it_is_asking_until_the_owner_has_answered_or_it_ends(reader: Reader) -> None:
    follower, ended = reader.follower(), reader.follower()
    assert (follower.is_attached, follower.is_asking) == (False, True)
    follower.attached(5)
    follower.answered(at(5), state())
    ended.end(StreamEnd.CLIENT)
    assert not follower.is_asking
    assert not ended.is_asking
    follower.lost()
    assert follower.is_asking


def test_what_was_missed_is_read_and_what_came_meanwhile_follows(reader: Reader) -> None:
    follower = reader.follower(Place(3, mark=at(3).mark))
    follower.attached(6)
    deliver(follower, 7)
    follower.answered(at(6), state())
    assert follower.next() == ReadAfter(Place(3, mark=at(3).mark))
    follower.part_read([record(4), record(5)])
    assert reader.takes(follower) == "4.0 5.0"
    assert follower.next() == ReadAfter(Place(5, mark=at(5).mark))
    # A part that begins with what was read before: nothing of it is sent again.
    follower.part_read([record(5), record(6), record(7)])
    # The feed delivers what the log was read up to already.
    deliver(follower, 7)
    deliver(follower, 8)
    assert reader.takes(follower) == "6.0 7.0 8.0"


def test_of_the_record_at_its_place_it_is_sent_what_it_does_not_have(reader: Reader) -> None:
    follower = reader.follower(Place(5, 1, at(5).mark))
    follower.attached(5)
    follower.answered(at(5), state())
    assert follower.next() == ReadAfter(Place(5, 1, at(5).mark))
    follower.part_read([record(5, number=3)])
    assert reader.takes(follower) == "5.1 5.2"
    assert follower.next() == AwaitNews()


def test_nothing_is_read_where_nothing_was_missed(reader: Reader) -> None:
    follower = reader.follower(Place(5, mark=at(5).mark))
    follower.attached(5)
    follower.answered(at(5), state())
    assert follower.next() == AwaitNews()


def test_a_feed_that_began_later_than_the_answer_has_the_log_read_up_to_there(
    reader: Reader,
) -> None:
    follower = reader.follower()
    follower.attached(None)
    follower.begun(8)
    follower.answered(at(6), state())
    assert reader.takes(follower) == "universe_state@6"
    assert follower.next() == ReadAfter(Place(6, mark=at(6).mark))
    follower.part_read([record(7), record(8)])
    deliver(follower, 9)
    assert reader.takes(follower) == "7.0 8.0 9.0"


def test_a_log_that_is_known_to_go_on_is_read_again_after_a_pause(reader: Reader) -> None:
    follower = reader.follower(Place(4, mark=at(4).mark))
    follower.attached(5)
    follower.answered(at(5), state())
    follower.part_read([])
    assert follower.next() == PauseReading()
    follower.paused()
    assert follower.next() == ReadAfter(Place(4, mark=at(4).mark))


@pytest.mark.parametrize(
    "place", [Place(6, mark=at(6).mark), Place(5, mark=at(6).mark), Place(5, 1, at(6).mark)]
)
def test_a_place_that_the_log_does_not_hold_begins_anew(reader: Reader, place: Place) -> None:
    follower = reader.follower(place)
    follower.attached(5)
    follower.answered(at(5), state())
    assert reader.takes(follower) == "universe_reset@5"
    deliver(follower, 6)
    assert reader.takes(follower) == "6.0"


def test_a_log_that_was_trimmed_begins_anew(reader: Reader) -> None:
    follower = reader.follower(Place(2))
    follower.attached(5)
    follower.answered(at(5), state())
    follower.trimmed()
    assert reader.takes(follower) == "universe_reset@5"
    assert follower.next() == AwaitNews()


@pytest.mark.parametrize(("missed", "is_reset"), [(0, False), (1, True)])
def test_so_many_events_may_be_missed(reader: Reader, missed: int, *, is_reset: bool) -> None:
    follower = reader.follower(Place(2))
    follower.attached(5)
    follower.answered(at(5), state(seq=MAX_MISSED_EVENTS + missed))
    follower.part_read([record(3), record(4, seq=1)])
    assert reader.takes(follower) == ("universe_reset@5" if is_reset else "3.0 4.0")


def test_a_feed_that_is_lost_has_everything_begun_anew(reader: Reader) -> None:
    follower = live(reader)
    follower.lost()
    assert (follower.is_attached, reader.interrupted) == (False, 1)
    assert follower.next() == AskOwner()
    follower.attached(None)
    follower.answered(at(3), state())
    assert reader.takes(follower) == "universe_reset@3"


def test_what_may_hide_it_is_noticed_after_a_feed_was_lost(reader: Reader) -> None:
    follower = live(reader)
    follower.lost()
    follower.attached(3)
    deliver(follower, 4, BANNED)
    assert reader.interrupted == 2
    follower.answered(at(3), state())
    assert reader.takes(follower) == "universe_reset@3"


BANNED = UserBanned(user_id="ann", timestamp=NOW)


def test_nothing_is_sent_from_where_the_user_may_not_see_until_the_owner_has_answered(
    reader: Reader,
) -> None:
    follower = live(reader)
    deliver(follower, 6)
    deliver(follower, 7, BANNED)
    deliver(follower, 8)
    assert reader.interrupted == 1
    assert follower.next() == AskOwner()
    follower.answered(at(8), state())
    assert reader.takes(follower) == "6.0"
    assert follower.next() == ReadAfter(Place(6, mark=at(6).mark))
    follower.part_read([record(7, BANNED), record(8)])
    assert reader.takes(follower) == "7.0 8.0"
    assert reader.interrupted == 1


def test_what_the_owner_knew_as_it_answered_is_not_asked_again(reader: Reader) -> None:
    """The user may see the universe as of that position, whatever the record there says."""
    hidden = SettingsChanged(visibility="private", timestamp=NOW)
    fed, reading = reader.follower(), reader.follower(Place(5, mark=at(5).mark))
    for follower in (fed, reading):
        follower.attached(5)
        follower.answered(at(6), state())
    deliver(fed, 6, hidden)
    reading.part_read([record(6, hidden)])
    assert reader.interrupted == 0
    assert reader.takes(reading) == "6.0"


def test_what_is_read_to_its_end_after_a_ban_counts_for_nothing(reader: Reader) -> None:
    follower = reader.follower(Place(4, mark=at(4).mark))
    follower.attached(5)
    follower.answered(at(5), state())
    deliver(follower, 6, BANNED)
    follower.part_read([record(5), record(6, BANNED)])
    assert follower.next() == AskOwner()
    follower.answered(at(6), state())
    assert follower.next() == ReadAfter(Place(4, mark=at(4).mark))


def test_after_a_ban_that_was_read_it_goes_on_once_the_owner_has_answered(reader: Reader) -> None:
    follower = reader.follower(Place(4, mark=at(4).mark))
    follower.attached(4)
    follower.answered(at(4), state())
    assert follower.next() == AwaitNews()
    follower.lost()
    follower.attached(6)
    follower.answered(at(4), state())
    follower.part_read([record(5), record(6, BANNED)])
    assert follower.next() == AskOwner()
    follower.answered(at(6), state())
    assert reader.takes(follower) == "5.0"
    follower.part_read([record(6, BANNED)])
    assert reader.takes(follower) == "6.0"
    assert follower.next() == AwaitNews()


def test_an_answer_from_before_the_ban_counts_for_nothing_after_it(reader: Reader) -> None:
    follower = reader.follower()
    follower.attached(5)
    deliver(follower, 6, BANNED)
    follower.answered(at(5), state())
    assert reader.takes(follower) == "universe_state@5"
    follower.part_read([record(6, BANNED)])
    assert follower.next() == AskOwner()
    follower.end(StreamEnd.REFUSED, HIDDEN)
    assert follower.next() == EndStream(StreamEnd.REFUSED, HIDDEN)
    assert reader.written == ["universe_state@5"]


KICKED = refused(Code.PERMISSION_DENIED, "Removed", reason=Reason.KICKED)
PUT_OUT = ConnectionLeft(connection_id="c", refusal=KICKED, user_id="ann")
ENDED = EndStream(StreamEnd.REFUSED, KICKED)


def test_who_is_put_out_is_sent_nothing_more_and_told_so(reader: Reader) -> None:
    follower = live(reader)
    deliver(follower, 6, ConnectionLeft(connection_id="d", refusal=KICKED, user_id="bob"))
    deliver(follower, 7, ConnectionLeft(connection_id="c", refusal=KICKED))
    assert reader.takes(follower) == "6.0 7.0"
    deliver(follower, 8, PUT_OUT)
    deliver(follower, 9)
    assert (follower.next(), reader.interrupted) == (ENDED, 1)


@pytest.mark.parametrize(("answered_at", "is_out"), [(5, True), (6, False), (7, False)])
def test_of_a_kick_and_an_answer_that_meet_the_later_one_counts(
    reader: Reader, answered_at: int, *, is_out: bool
) -> None:
    follower = reader.follower()
    follower.attached(5)
    deliver(follower, 6, PUT_OUT)
    assert follower.next() == AskOwner()
    follower.answered(at(answered_at), state())
    assert (follower.ended == ENDED) is is_out
    # The next question is a new one.
    again = live(reader)
    deliver(again, 6, PUT_OUT)
    again.answered(at(9), state())
    assert again.ended == ENDED


def test_who_comes_again_is_not_put_out_by_what_the_log_tells_of_before(reader: Reader) -> None:
    follower = reader.follower(Place(5, mark=at(5).mark))
    follower.attached(8)
    follower.answered(at(8), state())
    follower.part_read([record(6), record(7, PUT_OUT), record(8)])
    assert reader.takes(follower) == "6.0 7.0 8.0"
    deliver(follower, 9)
    assert reader.takes(follower) == "9.0"


def test_a_kick_that_is_read_ends_it_where_the_feed_does_not_tell_of_it(reader: Reader) -> None:
    follower = reader.follower(Place(5, mark=at(5).mark))
    follower.attached(8)
    follower.answered(at(6), state())
    follower.part_read([record(6), record(7, PUT_OUT), record(8)])
    assert follower.next() == ENDED


def test_a_kick_of_a_log_that_was_lost_ends_nothing(reader: Reader) -> None:
    follower = reader.follower()
    follower.attached(5)
    deliver(follower, 9, PUT_OUT)
    follower.lost()
    follower.attached(None)
    follower.answered(at(3), state())
    assert reader.takes(follower) == "universe_state@3"


@pytest.mark.parametrize(
    ("notice", "hides"),
    [
        (BANNED, True),
        (UserBanned(user_id="bob", timestamp=NOW), False),
        (MemberRemoved(user_id="ann", timestamp=NOW), True),
        (MemberRemoved(user_id="bob", timestamp=NOW), False),
        (MemberSet(user_id="ann", role="view", timestamp=NOW), False),
        (SettingsChanged(visibility="private", timestamp=NOW), True),
        (SettingsChanged(visibility="public", timestamp=NOW), False),
        (SettingsChanged(title="A", timestamp=NOW), False),
        (UniverseDeleted(timestamp=NOW), True),
        (ConnectionLeft(connection_id="c"), False),
    ],
)
def test_what_may_hide_a_universe_from_a_user(notice: Notice, *, hides: bool) -> None:
    assert may_hide(notice, "ann") is hides


def test_so_many_bytes_may_wait_and_no_more(reader: Reader) -> None:
    size = len(server_sent(frames(6)))
    follower = live(reader)
    bounded = reader.follower(max_bytes=2 * size)
    bounded.attached(5)
    bounded.answered(at(5), state())
    reader.takes(bounded)
    for each in (follower, bounded):
        deliver(each, 6)
        deliver(each, 7)
        assert each.ended is None
        deliver(each, 8)
    assert follower.ended is None
    assert bounded.next() == EndStream(StreamEnd.OVERFLOW)
    deliver(bounded, 9)
    assert bounded.next() == EndStream(StreamEnd.OVERFLOW)


def test_what_is_held_beyond_the_bound_is_read_from_the_log(reader: Reader) -> None:
    size = len(server_sent(frames(6)))
    follower = reader.follower(max_bytes=2 * size)
    follower.attached(5)
    for position in (6, 7, 8, 9):
        deliver(follower, position)
    follower.answered(at(5), state())
    assert reader.takes(follower) == "universe_state@5"
    assert follower.next() == ReadAfter(Place(5, mark=at(5).mark))
    follower.part_read([record(6), record(7)])
    assert reader.takes(follower) == "6.0 7.0 8.0 9.0"


def test_the_first_end_counts(reader: Reader) -> None:
    follower = live(reader)
    deliver(follower, 6)
    follower.end(StreamEnd.DRAINING)
    follower.end(StreamEnd.REFUSED, HIDDEN)
    assert reader.interrupted == 1
    assert follower.next() == EndStream(StreamEnd.DRAINING)


@dataclass
class Story:
    """A log, a feed that lags behind it, and an owner who knows what it wants to beyond that."""

    sizes: Sequence[int]
    max_events: int
    reader: Reader = field(default_factory=Reader)
    delivered: int = 0
    known: int = 0

    def __post_init__(self) -> None:
        size = len(server_sent(frames(1)))
        self.end = len(self.sizes)
        self.follower = self.reader.follower(Place(0), max_bytes=self.max_events * size + 20)

    @property
    def due(self) -> list[str]:
        """All events of the log."""
        sizes = enumerate(self.sizes, start=1)
        return [f"{position}.{number}" for position, size in sizes for number in range(size)]

    def feed(self, number: int) -> None:
        """The feed delivers so many records, as far as there are any."""
        for _ in range(number):
            if self.delivered < self.end and self.follower.is_attached:
                self.delivered += 1
                deliver(self.follower, self.delivered, number=self.sizes[self.delivered - 1])

    def go_on(self, pace: int) -> None:
        """Do what is to be done, and as much of it as ``pace`` says."""
        follower = self.follower
        match step := follower.next():
            case AskOwner():
                if not follower.is_attached:
                    follower.attached(self.delivered)
                self.known = max(self.known, min(self.end, self.delivered + pace % 4))
                follower.answered(at(self.known), state())
            case ReadAfter(place=place):
                last = min(self.end, place.position + pace % 3)
                self.known = max(self.known, last)
                read = range(place.position + 1, last + 1)
                follower.part_read([record(each, number=self.sizes[each - 1]) for each in read])
            case WriteEvents(data=data):
                self.reader.written += shortly(data)
            case PauseReading():
                follower.paused()
            case AwaitNews() | EndStream(end=StreamEnd.OVERFLOW):
                pass
            case _:
                raise AssertionError(step)


@given(
    sizes=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    choices=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100)), max_size=60),
    max_events=st.integers(1, 6),
)
def test_whatever_overtakes_what_each_event_comes_once_and_in_order(
    sizes: list[int], choices: list[tuple[int, int]], max_events: int
) -> None:
    """The feed, the owner's answers and the log's parts come in any order and at any pace."""
    story = Story(sizes, max_events)
    for what, pace in choices:
        if what == 0:
            story.feed(pace % 5)
        elif what == 1 and pace % 10 == 0:
            story.follower.lost()
        else:
            story.go_on(pace)
    for _ in range(20 * story.end + 20):
        story.go_on(2)
        story.feed(1)
    written = story.reader.written
    assert written == (story.due if story.follower.ended is None else story.due[: len(written)])

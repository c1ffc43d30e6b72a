"""Continuing a session in a room: whose, after what, and within which bounds."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CloseConnection, JoinResult, ReleaseGateway, ResumeRoom
from harmonic_protocol.log import ConnectionJoined, ConnectionLeft
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom, ParticipantJoined
from harmonic_protocol.refusals import Code, Refused
from harmonic_protocol.values import Mode
from harmonic_state.domain.absences import ABSENCE_KEPT_S, MAX_ABSENCES, MAX_ABSENCES_PER_USER
from harmonic_state.domain.answers import answer
from harmonic_state.domain.events import decode_record, encode_record
from harmonic_state.domain.evolve import evolve, fold
from harmonic_state.domain.permissions import allowed_mode
from harmonic_state.domain.presence import DecisionInputs, continues
from harmonic_state.domain.universe import Absence, Seat, Universe
from harmonic_state.domain.universe_requests import UniverseRequest
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe

OWNER = caller("owner")
EDIT, VIEW = command("join_room", mode="edit"), command("join_room", mode="view")
GONE = CloseConnection(universe_id=UNIVERSE)
FIRST, SECOND, THIRD = (caller("ann", tab=tab) for tab in (1, 2, 3))
_UNIVERSES = TypeAdapter(Universe)


def resume(replaces: Caller, mode: Mode = "edit") -> ResumeRoom:
    return ResumeRoom(universe_id=UNIVERSE, mode=mode, replaces=replaces.connection_id)


def returns(history: History, replaces: Caller, by: Caller) -> bool:
    """Come back with the session of an earlier connection; whether it was continued."""
    request = resume(replaces)
    events = history.does(request, by)
    moment = DecisionInputs(history.now.updated_at, 0)
    result = answer(request, by, moment, events, history.now)
    assert isinstance(result, JoinResult)
    assert by.connection_id in history.now.connections
    assert result.continued is not None
    return result.continued


def private(*, member: str = "ann") -> History:
    """A private universe with a member."""
    history = created()
    history.does(command("set_member", userId=member, role="edit"), OWNER)
    return history


def test_a_return_takes_the_earlier_seat_and_the_room_notices_nothing() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    before = history.now.seq
    assert returns(history, FIRST, SECOND)
    assert list(history.now.connections) == [SECOND.connection_id]
    assert history.now.seq == before


def test_a_seat_of_another_user_is_never_taken() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    eve = caller("eve")
    assert not returns(history, FIRST, eve)
    assert history.now.connections[FIRST.connection_id].user_id == "ann"
    assert history.now.connections[eve.connection_id].user_id == "eve"
    assert list(history.now.participants()) == ["ann", "eve"]


def test_an_absence_of_another_user_is_never_ended_or_continued() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    history.does(GONE, FIRST)
    assert not returns(history, FIRST, caller("eve"))
    assert returns(history, FIRST, SECOND)


@pytest.mark.parametrize("gone", [GONE, ReleaseGateway(universe_id=UNIVERSE, gateway_id="g1")])
def test_after_the_grace_or_with_a_lost_gateway_the_session_is_still_continued(
    gone: UniverseRequest,
) -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    history.does(gone, FIRST)
    assert history.now.participants() == {}
    assert returns(history, FIRST, caller("ann", tab=2, gateway="g2"))


def test_a_return_that_is_asked_for_twice_was_continued() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    assert returns(history, FIRST, SECOND)
    position = len(history.events)
    assert returns(history, FIRST, SECOND)
    assert len(history.events) == position


def test_a_session_that_another_client_took_over_is_still_continued_by_its_own() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    history.does(GONE, FIRST)
    assert returns(history, FIRST, SECOND)
    assert returns(history, FIRST, THIRD)
    assert [*history.now.connections] == [SECOND.connection_id, THIRD.connection_id]
    history.does(command("leave_room"), SECOND)
    assert not returns(history, SECOND, caller("ann", tab=4))


def test_a_session_that_was_taken_over_ends_with_a_removal_like_any_other() -> None:
    history = private()
    history.does(EDIT, FIRST)
    assert returns(history, FIRST, SECOND)
    history.does(command("remove_member", userId="ann"), OWNER)
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    assert not returns(history, FIRST, THIRD)
    assert not returns(history, SECOND, caller("ann", tab=4))


def test_a_room_that_was_left_is_not_continued() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    history.does(command("leave_room"), FIRST)
    assert not returns(history, FIRST, SECOND)


@pytest.mark.parametrize("away", [False, True])
def test_who_was_removed_and_added_again_does_not_continue(away: bool) -> None:  # noqa: FBT001
    history = private()
    history.does(EDIT, FIRST)
    if away:
        history.does(GONE, FIRST)
    history.does(command("remove_member", userId="ann"), OWNER)
    assert history.is_refused(resume(FIRST), SECOND).code is Code.NOT_FOUND
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    assert not returns(history, FIRST, SECOND)


def test_a_universe_that_was_private_for_a_time_is_continued_by_its_members_only() -> None:
    history = open_universe()
    history.does(command("set_member", userId="bob", role="view"), OWNER)
    bob = caller("bob")
    for someone in (FIRST, bob):
        history.does(VIEW, someone)
        history.does(GONE, someone)
    for visibility in ("private", "public"):
        history.does(command("update_universe", visibility=visibility), OWNER)
    assert not returns(history, FIRST, SECOND)
    assert returns(history, bob, caller("bob", tab=2))


def test_a_removal_of_someone_else_ends_no_session() -> None:
    history = private()
    history.does(command("set_member", userId="bob", role="edit"), OWNER)
    history.does(EDIT, FIRST)
    history.does(GONE, FIRST)
    history.does(command("remove_member", userId="bob"), OWNER)
    assert returns(history, FIRST, SECOND)


def test_a_lower_role_ends_no_session() -> None:
    history = private()
    history.does(EDIT, FIRST)
    history.does(GONE, FIRST)
    history.does(command("set_member", userId="ann", role="view"), OWNER)
    assert returns(history, FIRST, SECOND)
    assert history.now.connections[SECOND.connection_id].mode == "view"


def test_a_return_after_the_grace_to_a_full_room_is_refused_and_may_be_tried_again() -> None:
    history = open_universe(maxParticipants=1)
    history.does(EDIT, FIRST)
    history.does(GONE, FIRST)
    bob = caller("bob")
    history.does(EDIT, bob)
    assert history.is_refused(resume(FIRST), SECOND).code is Code.ROOM_FULL
    history.does(GONE, bob)
    assert returns(history, FIRST, SECOND)


def test_a_gateway_that_lives_after_all_takes_its_seats_and_leaves_no_absence() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    history.does(ReleaseGateway(universe_id=UNIVERSE, gateway_id="g1"), OWNER)
    history.does(EDIT, FIRST)
    assert history.now.absences == {}


def test_a_client_that_takes_its_own_released_seat_again_is_announced() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    history.does(ReleaseGateway(universe_id=UNIVERSE, gateway_id="g1"), OWNER)
    joined, announced = history.does(resume(FIRST), FIRST)
    assert isinstance(joined, ConnectionJoined)
    assert isinstance(announced, ParticipantJoined)
    assert (announced.participant.user_id, announced.timestamp) == ("ann", history.now.updated_at)


def test_absences_of_one_user_are_bounded_and_the_oldest_end_first() -> None:
    universe = open_universe().now
    absences = {
        f"{user}-{number}": Absence(user, universe.created_at)
        for number in range(MAX_ABSENCES_PER_USER)
        for user in ("ann", "bob")
    }
    seats = {"last": Seat("bob", "Bob", "edit", "g1")}
    full = replace(universe, absences=absences, connections=seats)
    after = evolve(full, ConnectionLeft(connection_id="last", away_since=universe.created_at))
    assert after is not None
    assert {*absences, "last"} - {*after.absences} == {"bob-0"}


def test_absences_are_bounded_in_number_and_the_oldest_end_first() -> None:
    universe = open_universe().now
    absences = {
        str(number): Absence(f"user-{number}", universe.created_at)
        for number in range(MAX_ABSENCES)
    }
    seats = {"last": Seat("bob", "Bob", "edit", "g1")}
    full = replace(universe, absences=absences, connections=seats)
    after = evolve(full, ConnectionLeft(connection_id="last", away_since=universe.created_at))
    assert after is not None
    assert [*after.absences] == [*map(str, range(1, MAX_ABSENCES)), "last"]


def test_absences_are_bounded_in_time() -> None:
    universe = open_universe().now
    times = {"old": "2024-03-20T10:00:00.000Z", "edge": "2024-03-21T10:00:00.000Z"}
    absences = {name: Absence("ann", since) for name, since in times.items()}
    seats = {"last": Seat("bob", "Bob", "edit", "g1")}
    full = replace(universe, absences=absences, connections=seats)
    assert ABSENCE_KEPT_S == 24 * 3600
    now = "2024-03-22T10:00:00.000Z"
    after = evolve(full, ConnectionLeft(connection_id="last", away_since=now))
    assert after is not None
    assert [*after.absences] == ["edge", "last"]


@pytest.mark.parametrize(
    ("lengths", "ended"),
    [
        ((100_000, 104_607), 0),
        ((100_000, 104_608), 1),
        ((1, 150_000, 100_000), 2),
        ((204_800,), 1),
    ],
)
def test_absences_are_bounded_in_bytes_and_the_oldest_end_first(
    lengths: tuple[int, ...], ended: int
) -> None:
    universe = open_universe().now
    names = [str(number) * length for number, length in enumerate(lengths)]
    absences = {name: Absence("ann", universe.created_at) for name in names}
    seats = {"last": Seat("bob", "Bob", "edit", "g1")}
    full = replace(universe, absences=absences, connections=seats)
    after = evolve(full, ConnectionLeft(connection_id="last", away_since=universe.created_at))
    assert after is not None
    assert [*after.absences] == [*names[ended:], "last"]


def test_absences_outlive_the_owner_in_snapshots_and_in_the_log() -> None:
    history = private()
    history.does(EDIT, FIRST)
    history.does(GONE, FIRST)
    restored = _UNIVERSES.validate_json(_UNIVERSES.dump_json(history.now))
    assert restored == history.now
    _, events = decode_record(encode_record("r", history.now.updated_at, history.events))
    assert fold(None, events) == history.now


@dataclass(frozen=True, slots=True)
class _EarlierSeat:
    """A seat as the version before stores it."""

    user_id: str
    username: str
    mode: Mode
    gateway_id: str


@dataclass(frozen=True, slots=True)
class _EarlierUniverse:
    """Of a universe, what concerns seats, as the version before stores it."""

    id: str
    connections: dict[str, _EarlierSeat]


def test_the_version_before_reads_what_this_one_stores_and_this_one_what_it_stored() -> None:
    history = open_universe()
    history.does(EDIT, FIRST)
    history.does(GONE, FIRST)
    returns(history, FIRST, SECOND)
    stored = _UNIVERSES.dump_json(history.now)
    read = TypeAdapter(_EarlierUniverse).validate_json(stored)
    assert read.connections == {SECOND.connection_id: _EarlierSeat("ann", "Ann", "edit", "g1")}
    earlier = {**_UNIVERSES.dump_python(history.now, mode="json")}
    del earlier["absences"]
    for seat in earlier["connections"].values():
        del seat["replaces"]
    restored = _UNIVERSES.validate_python(earlier)
    assert restored.absences == {}
    assert restored.connections[SECOND.connection_id].replaces is None


USERS = st.sampled_from(["owner", "ann", "bob"])
CALLERS = st.builds(caller, USERS, st.integers(1, 3), st.sampled_from(["g1", "g2"]))
STEPS = st.lists(
    st.tuples(
        st.one_of(
            st.just(EDIT),
            st.just(VIEW),
            st.just(command("leave_room")),
            st.just(GONE),
            st.builds(resume, CALLERS),
            st.builds(lambda user: command("set_member", userId=user, role="view"), USERS),
            st.builds(lambda user: command("remove_member", userId=user), USERS),
            st.builds(
                lambda visibility: command("update_universe", visibility=visibility),
                st.sampled_from(["public", "private"]),
            ),
            st.builds(
                ReleaseGateway,
                universe_id=st.just(UNIVERSE),
                gateway_id=st.sampled_from(["g1", "g2"]),
            ),
        ),
        CALLERS,
    ),
    max_size=40,
)


class Sessions:
    """What the rule says: which connections' sessions may be continued, and by whom."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self.continued: dict[str, str] = {}

    def after(self, history: History, request: UniverseRequest, by: Caller) -> bool:
        """Whether this request, which was carried out, continues a session."""
        known, replaces = by.connection_id, ""
        match request:
            case JoinRoom():
                self.of[known] = by.user_id
            case LeaveRoom():
                del self.of[known]
            case ResumeRoom(replaces=replaces):
                if self.of.get(replaces) == by.user_id:
                    self.continued.pop(replaces, None)
                    self.continued[known] = replaces
                self.of[known] = by.user_id
            case _:
                pass
        universe = history.now
        self.of = {
            name: user for name, user in self.of.items() if allowed_mode(universe, user) is not None
        }
        self.continued = {
            name: earlier
            for name, earlier in self.continued.items()
            if name in universe.connections
        }
        return bool(replaces) and self.continued.get(known) == replaces


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_a_session_is_continued_exactly_if_its_user_could_see_the_room_all_the_time(
    steps: list[tuple[UniverseRequest, Caller]],
) -> None:
    history, sessions = open_universe(), Sessions()
    for request, by in steps:
        if isinstance(history.ask(request, by), Refused):
            continue
        expected = sessions.after(history, request, by)
        if isinstance(request, ResumeRoom):
            assert continues(history.now, request, by) == expected

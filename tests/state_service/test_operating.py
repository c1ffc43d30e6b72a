"""What operators ask of a universe."""

from harmonic_protocol.internal import CloseConnection, ResumeRoom
from harmonic_protocol.intervening import InspectUniverse, RemoveUser
from harmonic_protocol.log import ConnectionLeft
from harmonic_protocol.messages.rooms import ParticipantLeft
from harmonic_state.domain.answers import answer
from harmonic_state.domain.operating import inspected, removed
from harmonic_state.domain.presence import DecisionInputs
from state_service.builders import UNIVERSE, caller, command, created, open_universe

OWNER, ANN, BOB = caller("owner"), caller("ann"), caller("bob")
SECOND = caller("ann", tab=2)
OPERATOR = caller("operator")
EDIT = command("join_room", mode="edit")
KICK = RemoveUser(universe_id=UNIVERSE, user_id="ann")
INSPECT = InspectUniverse(universe_id=UNIVERSE)


def test_all_connections_of_a_removed_user_leave_in_one_record_with_one_frame() -> None:
    history = open_universe()
    for someone in (ANN, SECOND, BOB):
        history.does(EDIT, someone)
    *left, frame = history.does(KICK, OPERATOR)
    assert [type(event) for event in left] == [ConnectionLeft, ConnectionLeft]
    assert {
        event.refusal.details["reason"]
        for event in left
        if isinstance(event, ConnectionLeft) and event.refusal
    } == {"KICKED"}
    assert isinstance(frame, ParticipantLeft)
    assert frame.user_id == "ann"
    assert history.now.participants().keys() == {"bob"}
    assert removed([*left, frame]).connections == 2


def test_a_removed_user_may_come_again() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(KICK, OPERATOR)
    history.does(EDIT, ANN)
    assert history.now.participants().keys() == {"ann"}


def test_a_session_of_who_is_away_is_not_continued_after_a_removal() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(CloseConnection(universe_id=UNIVERSE), ANN)
    assert history.now.absences
    events = history.does(KICK, OPERATOR)
    assert not history.now.absences
    assert removed(events).connections == 1
    resume = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces=ANN.connection_id)
    history.does(resume, SECOND)
    assert history.now.connections[SECOND.connection_id].replaces is None


def test_nobody_is_removed_who_is_not_there() -> None:
    history = open_universe()
    assert history.is_refused(KICK, OPERATOR).code == "NOT_FOUND"


def test_an_operator_sees_a_private_universe_and_who_is_in_it() -> None:
    history = created()
    history.does(command("set_member", userId="ann", role="view"), OWNER)
    history.does(command("join_room", mode="view"), ANN)
    assert history.does(INSPECT, OPERATOR) == []
    told = inspected(history.now)
    assert [(seat.user_id, seat.mode, seat.gateway_id) for seat in told.seats] == [
        ("ann", "view", ANN.gateway_id)
    ]
    assert told.universe.members == {"ann": "view"}
    moment = DecisionInputs("2024-03-21T10:30:00.000Z", 0)
    assert answer(INSPECT, OPERATOR, moment, (), history.now) == told


def test_what_was_deleted_is_not_there_for_operators_either() -> None:
    history = created()
    history.does(command("delete_universe"), OWNER)
    for request in (KICK, INSPECT):
        assert history.is_refused(request, OPERATOR).code == "NOT_FOUND"

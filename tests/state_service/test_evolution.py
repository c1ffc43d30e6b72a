"""What each event of a log does to a universe, whatever precedes it."""

from dataclasses import fields, replace
from typing import Any

import pytest

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CloseConnection, CompleteMusic, ExpireMusic, ResumeRoom
from harmonic_protocol.messages.parameters import StoredParameters
from harmonic_protocol.values import PhysicsParameters
from harmonic_state.domain.answers import answer
from harmonic_state.domain.bounds import seats_bytes
from harmonic_state.domain.events import (
    LOG_EVENTS,
    UnknownEvent,
    decode_record,
    encode_record,
    event_name,
)
from harmonic_state.domain.evolve import evolve, fold
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import Seat, Universe
from harmonic_state.domain.universe_requests import UniverseRequest
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe

OWNER, ANN, BOB = caller("owner"), caller("ann"), caller("bob")
EDIT, VIEW = command("join_room", mode="edit"), command("join_room", mode="view")
LATER = "2024-03-21T11:00:00.000Z"


def busy() -> History:
    """A universe with somebody in it, parameters that changed, members and a piece to come."""
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(command("update_music", parameters={"tempo": 90}, opId="x"), ANN)
    history.does(command("set_member", userId="bob", role="edit"), OWNER)
    history.does(command("generate_music", duration=1), ANN)
    return history


def stored(name: str, **fields: Any) -> Any:
    """An event as it is read from a log."""
    return LOG_EVENTS[name].model_validate({"timestamp": LATER, **fields})


#: Events about somebody and something that the universe has never heard of.
STRANGE = [
    stored("connection_left", connectionId="nobody"),
    stored("connection_mode_changed", connectionId="nobody", mode="view"),
    stored("member_removed", userId="nobody"),
    stored(
        "music_failed",
        requestId="none",
        connectionId="nobody",
        refusal={"code": "INTERNAL_ERROR", "message": "no"},
    ),
]


@pytest.mark.parametrize("event", STRANGE, ids=event_name)
def test_an_event_about_what_is_not_there_changes_nothing_but_the_time(event: Any) -> None:
    before = busy().now
    after = evolve(before, event)
    assert after is not None
    keys = {each.name for each in fields(before)} - {"updated_at"}
    assert {key: getattr(after, key) for key in keys} == {key: getattr(before, key) for key in keys}


def test_a_piece_that_nobody_waits_for_is_counted_all_the_same() -> None:
    piece = stored(
        "music_generated",
        universeId=UNIVERSE,
        requestId="none",
        userId="ann",
        seed=1,
        duration=1,
        tempo=90,
        key="C",
        scale="major",
        seq=9,
    )
    after = evolve(busy().now, piece)
    assert after is not None
    assert (after.seq, after.updated_at) == (9, LATER)
    assert list(after.pending_music) == ["id-5"]


@pytest.mark.parametrize("event", STRANGE, ids=event_name)
def test_before_its_creation_there_is_nothing(event: Any) -> None:
    assert evolve(None, event) is None
    assert fold(None, [event]) is None


def test_a_second_creation_changes_nothing() -> None:
    history = busy()
    creation, *_ = history.events
    assert evolve(history.now, creation) == history.now


def test_the_participants_are_those_of_the_connections_after_each_event() -> None:
    before = busy().now
    assert before.participants().keys() == {"ann"}
    seat = {"connectionId": "b1", "gatewayId": "g1", "userId": "bob", "username": "Bob"}
    after = evolve(before, stored("connection_joined", **seat, mode="view"))
    assert after is not None
    assert after.participants().keys() == {"ann", "bob"}
    gone = evolve(after, stored("connection_left", connectionId="b1"))
    assert gone is not None
    assert gone.participants().keys() == {"ann"}


def test_an_update_without_a_number_keeps_the_number() -> None:
    history = busy()
    physics = history.now.parameters.to_wire()["physics"]
    update = stored(
        "physics_updated",
        universeId=UNIVERSE,
        parameters=physics,
        userId="bob",
        changed=["gravity"],
    )
    after = evolve(history.now, update)
    assert after is not None
    assert after.seq == history.now.seq
    assert (after.last_changes["physics"].user_id, after.updated_at) == ("bob", LATER)


@pytest.mark.parametrize(
    "request_",
    [
        EDIT,
        command("update_music", parameters={"tempo": 91}),
        command("update_music", parameters={"tempo": 91}, opId="y"),
        command("leave_room"),
        CompleteMusic(universe_id=UNIVERSE, request_id="id-5", tempo=1, key="C", scale="major"),
    ],
    ids=lambda one: one.operation(),
)
def test_a_universes_time_is_that_of_its_last_event(request_: UniverseRequest) -> None:
    history = busy()
    history.does(request_, BOB if request_ is EDIT else ANN)
    assert history.now.updated_at == "2024-03-21T10:30:00.006Z"


@pytest.mark.parametrize(
    "event",
    [
        stored("owner_changed", owner="ann", formerOwner="owner"),
        stored("member_set", userId="ann", role="view"),
        stored("member_removed", userId="bob"),
        stored("settings_changed", title="Another"),
        stored("user_banned", userId="ann"),
        stored("user_unbanned", userId="ann"),
        stored("action_noted", id="n", action="ban_user", userId="owner"),
    ],
    ids=event_name,
)
def test_what_an_owner_changes_is_the_last_that_happened(event: Any) -> None:
    after = evolve(busy().now, event)
    assert after is not None
    assert after.updated_at == LATER


def test_seats_take_what_those_take_that_are_left() -> None:
    history = busy()
    history.does(EDIT, BOB)
    history.does(VIEW, caller("ann", tab=2))
    history.does(CloseConnection(universe_id=UNIVERSE), ANN)
    assert len(history.now.connections) == 2
    assert history.now.seats_bytes == seats_bytes(history.now.connections)


def test_asking_for_a_piece_is_the_last_that_happened() -> None:
    history = open_universe()
    history.does(VIEW, ANN)
    history.does(command("generate_music", duration=1), ANN)
    assert history.now.updated_at == "2024-03-21T10:30:00.003Z"
    expire = ExpireMusic(universe_id=UNIVERSE, request_id="id-3")
    history.does(expire, ANN)
    assert history.now.updated_at == "2024-03-21T10:30:00.003Z"


def test_absences_that_are_older_than_a_day_end_together() -> None:
    history = open_universe()
    for tab in range(4):
        history.does(VIEW, caller("ann", tab=tab))
        history.does(CloseConnection(universe_id=UNIVERSE), caller("ann", tab=tab))
    assert len(history.now.absences) == 4
    history.does(VIEW, BOB)
    left = stored(
        "connection_left",
        connectionId=BOB.connection_id,
        awaySince="2024-03-22T10:30:00.007Z",
    )
    after = evolve(history.now, left)
    assert after is not None
    # Those since .003 and .005 are more than a day old by then, and that since .007 is not.
    assert list(after.absences) == ["ann-2", "ann-3", BOB.connection_id]


def test_settings_that_are_not_named_stay() -> None:
    history = open_universe()
    history.does(command("update_universe", visibility="private"), OWNER)
    assert (history.now.name, history.now.public_mode) == ("A universe", "edit")


def test_an_operation_is_the_last_that_happened() -> None:
    history = busy()
    applied = stored("operation_applied", userId="ann", opId="z", digest="d", seq=2)
    after = evolve(history.now, applied)
    assert after is not None
    assert (after.updated_at, [*after.operations.values()][-1].timestamp) == (LATER, LATER)


def test_an_operation_is_remembered_as_it_was_applied() -> None:
    history = busy()
    (applied,) = history.now.operations.values()
    assert (applied.user_id, applied.op_id, applied.seq) == ("ann", "x", 2)
    assert applied.timestamp == "2024-03-21T10:30:00.003Z"


def test_members_of_a_private_universe_may_do_all_that_is_done_in_a_room() -> None:
    history = created()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    history.does(EDIT, ANN)
    history.does(command("update_music", parameters={"tempo": 90}), ANN)
    history.does(command("generate_music", duration=1), ANN)
    back = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces=ANN.connection_id)
    second = caller("ann", tab=2)
    history.does(back, second)
    assert history.now.connections[second.connection_id].mode == "edit"
    history.does(command("get_universe"), second)
    history.does(command("leave_room"), second)


def test_a_session_that_comes_back_with_less_is_shown_with_less() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    back = ResumeRoom(universe_id=UNIVERSE, mode="view", replaces=ANN.connection_id)
    *_, frame = history.does(back, caller("ann", tab=2))
    assert frame.to_wire()["universeId"] == UNIVERSE
    assert frame.to_wire()["participant"] == {"userId": "ann", "username": "Ann", "mode": "view"}


def test_who_returns_and_is_gone_within_the_same_record_is_answered_all_the_same() -> None:
    history = open_universe()
    back = ResumeRoom(universe_id=UNIVERSE, mode="view", replaces="nobody")
    events = history.does(back, ANN)
    history.does(CloseConnection(universe_id=UNIVERSE), ANN)
    result = answer(back, ANN, DecisionInputs(LATER, 0), events, history.now)
    assert result is not None
    room: Any = result.to_wire()["room"]
    assert (room["mode"], room["participants"]) == ("view", [])


def test_changed_fields_are_named_as_clients_name_them_and_in_their_order() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    update = command("update_physics", parameters={"timeScale": 2, "airResistance": 0.2})
    (event,) = history.does(update, ANN)
    assert event.to_wire()["changed"] == ["airResistance", "timeScale"]


def test_a_record_is_read_as_it_was_written_but_for_what_is_newer() -> None:
    history = busy()
    payload = encode_record("r-1", LATER, history.events)
    assert decode_record(payload) == ("r-1", history.events)
    newer = payload.replace(b'"name":"member_set"', b'"name":"member_sent_flowers"')
    record_id, events = decode_record(newer)
    assert record_id == "r-1"
    unknown = [event for event in events if isinstance(event, UnknownEvent)]
    assert {event.name for event in unknown} == {"member_sent_flowers"}
    assert [event for event in events if not isinstance(event, UnknownEvent)] == [
        event for event in history.events if event_name(event) != "member_set"
    ]
    assert b'"at":"%s"' % LATER.encode() in payload
    assert decode_record(encode_record('a "quoted" id', LATER, [])) == ('a "quoted" id', [])


def test_a_seat_that_is_taken_again_takes_the_space_of_what_it_is_now() -> None:
    history = open_universe()
    for name in ("Ann", "Annabel Lee"):
        history.does(EDIT, Caller("ann", name, "ann-1", "g1"))
        assert history.now.seats_bytes == seats_bytes(history.now.connections) > 0


def test_a_later_universe_is_the_same_but_for_what_has_changed() -> None:
    universe = open_universe().now
    seats = {"c1": Seat("ann", "Ann", "edit", "g1")}
    after = universe.later(seq=7, connections=seats)
    assert after == replace(universe, seq=7, connections=seats)
    every = {field.name: getattr(after, field.name) for field in fields(Universe)}
    assert universe.later(**every) == after
    with pytest.raises(TypeError, match="colour"):
        universe.later(colour="red", seq=7)


def test_revised_values_are_a_copy_that_says_what_was_set() -> None:
    newer = StoredParameters.model_validate({"physics": {"gravity": 3}, "ocean": {"depth": 2}})
    physics = PhysicsParameters(gravity=1)
    for values, changes in (
        (StoredParameters(), {"physics": physics}),
        (newer, {"physics": physics}),
        (physics, {"gravity": 5.0, "friction": 0.25}),
    ):
        revised, copied = values.revised(changes), values.model_copy(update=changes)
        assert revised == copied
        assert revised.model_fields_set == copied.model_fields_set
        assert revised.model_dump_json() == copied.model_dump_json()
        assert values != revised

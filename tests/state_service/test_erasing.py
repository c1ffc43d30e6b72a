"""A user is erased: nothing of the universe names it, and all else is as before."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from harmonic_protocol.internal import CloseConnection
from harmonic_protocol.intervening import EraseUser, ForgetHistory, OperatorBan, OperatorUnban
from harmonic_protocol.log import (
    ConnectionLeft,
    HistoryForgotten,
    MemberRemoved,
    MemberSet,
    UniverseDeleted,
    UserUnbanned,
)
from harmonic_protocol.messages.rooms import ParticipantLeft
from harmonic_protocol.messages.universes import MAX_BANS, UniverseUpdated, UserErased
from harmonic_protocol.refusals import Refused
from harmonic_state.domain.answers import answer
from harmonic_state.domain.erasing import erasure_done, traced
from harmonic_state.domain.events import frame_seq
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import AppliedOperation, Universe
from harmonic_state.snapshots import Snapshot, encode_snapshot
from state_service.asking import STEPS
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe
from state_service.test_properties import Steps, happened

OWNER, ANN, BOB = caller("owner"), caller("ann"), caller("bob")
OPERATOR = caller("operator")
EDIT = command("join_room", mode="edit")
ERASE = EraseUser(universe_id=UNIVERSE, user_id="ann", placeholder="erased-1")
FORGET = ForgetHistory(universe_id=UNIVERSE)


def erase_owner(bequest: str) -> EraseUser:
    return EraseUser.model_validate(
        {**ERASE.to_wire(), "userId": "owner", "bequest": bequest},
    )


def stored(universe: Universe) -> bytes:
    return encode_snapshot(Snapshot(1, universe), packed=False)


def lived_in() -> History:
    """A universe in which ann has left every trace that there is."""
    history = open_universe()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    for somebody in (ANN, BOB):
        history.does(EDIT, somebody)
    history.does(command("update_physics", parameters={"gravity": 3}, opId="a"), ANN)
    history.does(command("update_music", parameters={"tempo": 90}, opId="b"), BOB)
    history.does(command("generate_music", duration=2), ANN)
    (request_id,) = history.now.pending_music
    done = command("complete_music", requestId=request_id, tempo=90, key="C", scale="major")
    history.does(done, caller("music"))
    history.does(command("generate_music", duration=2), ANN)
    tab = caller("ann", tab=2)
    history.does(EDIT, tab)
    history.does(CloseConnection(universe_id=UNIVERSE), tab)
    return history


def test_what_names_a_user_is_told_part_by_part() -> None:
    found = traced(lived_in().now, "ann")
    assert found.keys() == {
        *("role", "connections", "absences", "lastChanges", "pieces", "pendingMusic"),
        "operations",
    }
    assert found["connections"] == [
        {"connectionId": "ann-1", "username": "Ann", "mode": "edit"},
    ]
    assert [each.keys() for each in found["operations"]] == [{"opId", "timestamp"}]
    assert found["operations"][0]["opId"] == "a"
    assert traced(created().now, "owner") == {"isOwner": True}
    assert traced(lived_in().now, "eve") == {}


def test_nothing_names_the_user_any_more_and_all_else_is_as_before() -> None:
    history = lived_in()
    before = history.now

    events = history.does(ERASE, OPERATOR)

    after = history.now
    assert traced(after, "ann") == {}
    assert b'"ann"' not in stored(after)
    assert b"Ann" not in stored(after)
    assert after.last_changes["physics"].user_id == "erased-1"
    assert after.last_changes["music"] == before.last_changes["music"]
    assert {piece.user_id for piece in after.pieces} == {"erased-1"}
    assert {piece.job.user_id for piece in after.pending_music.values()} == {"erased-1"}
    assert after.pending_music.keys() == before.pending_music.keys()
    assert (after.owner, after.parameters) == (before.owner, before.parameters)
    assert after.connections.keys() == {"bob-1"}
    assert [each.op_id for each in after.operations.values()] == ["b"]
    assert erasure_done(events).connections == 2


def test_the_room_is_told_that_the_user_left_and_what_stands_for_it() -> None:
    history = lived_in()
    seq = history.now.seq
    frames = [event for event in history.does(ERASE, OPERATOR) if frame_seq(event) is not None]
    left, erased = frames
    assert isinstance(left, ParticipantLeft)
    assert isinstance(erased, UserErased)
    assert (erased.user_id, erased.placeholder) == ("ann", "erased-1")
    assert [frame_seq(event) for event in frames] == [seq + 1, seq + 2]


def test_a_user_whom_nothing_names_is_erased_without_an_event() -> None:
    history = lived_in()
    history.does(ERASE, OPERATOR)
    again = EraseUser(universe_id=UNIVERSE, user_id="ann", placeholder="erased-2")
    assert history.does(again, OPERATOR) == []
    assert not erasure_done([]).erased


def test_who_left_nothing_but_an_endless_piece_is_erased_from_it() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(command("start_music"), ANN)
    history.does(command("leave_room"), ANN)
    piece = history.now.endless
    assert piece is not None
    assert traced(history.now, "ann") == {"endlessPiece": piece.stream_id}
    assert traced(history.now, "bob") == {}
    history.does(ERASE, OPERATOR)
    assert history.now.endless == replace(piece, user_id="erased-1")


def test_a_ban_is_erased_too() -> None:
    history = open_universe()
    history.does(OperatorBan(universe_id=UNIVERSE, user_id="ann"), OPERATOR)
    assert traced(history.now, "ann") == {"bannedSince": history.now.bans["ann"]}
    lifted, erased = history.does(ERASE, OPERATOR)
    assert isinstance(lifted, UserUnbanned)
    assert lifted.user_id == "ann"
    assert isinstance(erased, UserErased)
    assert history.now.bans == {}


def test_rights_end_by_events_of_their_own_which_gateways_act_upon() -> None:
    history = lived_in()
    events = history.does(ERASE, OPERATOR)
    assert [type(event) for event in events] == [
        *(MemberRemoved, ConnectionLeft, ConnectionLeft, ParticipantLeft, UserErased),
    ]
    assert [event.user_id for event in events if isinstance(event, MemberRemoved)] == ["ann"]
    left = [event.refusal for event in events if isinstance(event, ConnectionLeft)]
    assert [each.details for each in left if each is not None] == [{"reason": "REMOVED"}] * 2


def test_an_operator_is_told_what_an_erasure_did() -> None:
    history = lived_in()
    events = history.does(ERASE, OPERATOR)
    told = answer(ERASE, OPERATOR, DecisionInputs("", 0), events, history.now)
    assert told == erasure_done(events)
    assert erasure_done(events).erased


@pytest.mark.parametrize(
    ("bequest", "owner"), [("member", "bob"), ("nobody", "erased-1"), ("deleted", "erased-1")]
)
def test_an_owners_universe_goes_to_whom_it_should(bequest: str, owner: str) -> None:
    history = open_universe()
    for user, role in (("eve", "view"), ("bob", "edit"), ("cem", "edit")):
        history.does(command("set_member", userId=user, role=role), OWNER)
    history.does(EDIT, BOB)

    events = history.does(erase_owner(bequest), OPERATOR)

    assert history.now.owner == owner
    changed = [event for event in events if isinstance(event, UniverseUpdated)]
    assert [(event.owner, event.user_id) for event in changed] == [(owner, "erased-1")]
    done = erasure_done(events)
    assert done.deleted == history.now.deleted == (bequest == "deleted")
    assert b'"owner":"owner"' not in stored(history.now)
    if bequest == "member":
        assert history.now.members == {"eve": "view", "cem": "edit"}
        assert done.owner == "bob"
        history.does(command("set_member", userId="dan", role="view"), BOB)


def test_without_a_member_who_may_edit_nobody_owns_it_and_it_lives_on() -> None:
    history = open_universe()
    history.does(command("set_member", userId="eve", role="view"), OWNER)
    history.does(EDIT, BOB)
    history.does(erase_owner("member"), OPERATOR)
    assert history.now.owner == "erased-1"
    history.does(command("update_physics", parameters={"gravity": 3}), BOB)


def test_what_was_deleted_before_names_its_owner_no_more() -> None:
    history = created()
    history.does(command("delete_universe"), OWNER)
    events = history.does(erase_owner("member"), OPERATOR)
    assert [type(event) for event in events] == [UserErased]
    assert history.now.deleted
    assert b'"owner":"owner"' not in stored(history.now)
    history.does(FORGET, OPERATOR)


def test_operations_known_as_hashes_go_once_they_need_not_be_remembered() -> None:
    history = lived_in()
    old = AppliedOperation("", "", "00" * 16, 1, "2024-03-21T10:00:00.000Z")
    new = AppliedOperation("", "", "00" * 16, 2, "2024-03-21T10:29:59.000Z")
    known = {**history.now.operations, "00" * 12: old, "11" * 12: new}
    history.universe = replace(history.now, operations=known)
    history.does(ERASE, OPERATOR)
    assert [each.timestamp for each in history.now.operations.values() if not each.user_id] == [
        new.timestamp
    ]


def test_the_log_begins_anew_with_an_event_that_names_nobody() -> None:
    history = lived_in()
    before = history.now
    (event,) = history.does(FORGET, OPERATOR)
    assert isinstance(event, HistoryForgotten)
    assert history.now == before.later(updated_at=event.timestamp)


@pytest.mark.parametrize("request_", [ERASE, FORGET], ids=lambda each: each.name)
def test_there_is_nothing_to_erase_where_there_is_no_universe(
    request_: EraseUser | ForgetHistory,
) -> None:
    assert History().is_refused(request_, OPERATOR).code == "NOT_FOUND"


def test_an_operator_bans_as_an_owner_does() -> None:
    history = open_universe()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    history.does(EDIT, ANN)
    ban = OperatorBan(universe_id=UNIVERSE, user_id="ann")
    history.does(ban, OPERATOR)
    assert history.now.bans.keys() == {"ann"}
    assert (history.now.members, history.now.connections) == ({}, {})
    assert history.does(ban, OPERATOR) == []
    unban = OperatorUnban(universe_id=UNIVERSE, user_id="ann")
    history.does(unban, OPERATOR)
    assert history.now.bans == {}
    assert history.is_refused(unban, OPERATOR).code == "NOT_FOUND"


def test_an_operator_bans_neither_the_owner_nor_too_many_nor_where_nothing_is() -> None:
    history = open_universe()
    owner = OperatorBan(universe_id=UNIVERSE, user_id="owner")
    assert history.is_refused(owner, OPERATOR).details["reason"] == "OWNER"
    full = {f"user-{number}": "2024-03-21T10:30:00.000Z" for number in range(MAX_BANS)}
    history.universe = history.now.later(bans=full)
    ban = OperatorBan(universe_id=UNIVERSE, user_id="ann")
    assert history.is_refused(ban, OPERATOR).details["reason"] == "TOO_MANY_BANS"
    history.does(command("delete_universe"), OWNER)
    for request in (ban, OperatorUnban(universe_id=UNIVERSE, user_id="ann")):
        assert history.is_refused(request, OPERATOR).code == "NOT_FOUND"


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_whatever_happened_an_erased_user_is_named_nowhere(steps: Steps) -> None:
    history = happened(steps)
    seq = history.now.seq
    decision = history.ask(ERASE, OPERATOR)
    assert not isinstance(decision, Refused)
    assert traced(history.now, "ann") == {}
    assert b'"ann"' not in stored(history.now)
    numbers = [number for event in decision.events if (number := frame_seq(event)) is not None]
    assert numbers == [*range(seq + 1, seq + 1 + len(numbers))]
    deleted = any(isinstance(event, UniverseDeleted) for event in decision.events)
    assert not deleted
    assert not any(isinstance(event, MemberSet) for event in decision.events)

"""What a caller gets back, field by field."""

from typing import Any

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CloseConnection, ReleaseGateway, ResumeRoom
from harmonic_protocol.intervening import RemoveUser
from harmonic_protocol.messages.universes import CreateUniverse
from harmonic_state.domain.answers import answer, requested_music
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe_requests import UniverseRequest
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe

OWNER, ANN, BOB = caller("owner"), caller("ann"), caller("bob")
EDIT, VIEW = command("join_room", mode="edit"), command("join_room", mode="view")
NOW = "2024-03-21T10:31:00.000Z"
ANN_EDITS = {"userId": "ann", "username": "Ann", "mode": "edit"}


def answered(
    history: History, request: UniverseRequest, by: Caller, *, then: UniverseRequest | None = None
) -> dict[str, Any] | None:
    """The answer to a request, after which another one may stand in the same record."""
    events = history.does(request, by)
    if then is not None:
        history.does(then, by)
    result = answer(request, by, DecisionInputs(NOW, 0), events, history.now)
    return result.to_wire() if result else None


def room(history: History, mode: str, *participants: dict[str, str]) -> dict[str, Any]:
    return {
        "universeId": UNIVERSE,
        "participants": list(participants),
        "timestamp": NOW,
        "mode": mode,
        "parameters": history.now.parameters.to_wire(),
        "seq": history.now.seq,
    }


def test_joining_is_answered_by_the_room_and_ones_own_announcement() -> None:
    history = open_universe()
    history.does(VIEW, BOB)
    bob = {"userId": "bob", "username": "Bob", "mode": "view"}
    result = answered(history, EDIT, ANN)
    assert result is not None
    assert result.pop("announcement")["participant"] == ANN_EDITS
    assert result == {"room": room(history, "edit", bob, ANN_EDITS), "gateways": ["g1"]}


def test_a_second_tab_is_not_announced() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    result = answered(history, VIEW, caller("ann", tab=2))
    assert result == {"room": room(history, "view", ANN_EDITS), "gateways": ["g1"]}


def test_who_enters_is_told_the_gateways_of_all_who_are_there() -> None:
    history = open_universe()
    history.does(VIEW, caller("bob", gateway="g3"))
    history.does(VIEW, caller("cem", gateway="g1"))
    result = answered(history, VIEW, caller("ann", gateway="g1"))
    assert result is not None
    assert result["gateways"] == ["g1", "g3"]


def test_who_asks_for_the_participants_is_told_their_gateways_too() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(VIEW, caller("bob", gateway="g2"))
    bob = {"userId": "bob", "username": "Bob", "mode": "view"}
    told = {"items": [ANN_EDITS, bob], "gateways": ["g1", "g2"]}
    assert answered(history, command("get_participants"), OWNER) == told


def test_an_operator_is_told_how_many_connections_a_user_lost() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(EDIT, caller("ann", tab=2))
    removal = RemoveUser(universe_id=UNIVERSE, user_id="ann")
    assert answered(history, removal, OWNER) == {"connections": 2}


def test_who_was_put_out_in_the_same_record_is_told_what_it_asked_for() -> None:
    history = open_universe()
    result = answered(history, VIEW, ANN, then=CloseConnection(universe_id=UNIVERSE))
    assert result is not None
    assert result["room"] == room(history, "view")


def test_the_mode_is_that_of_the_seat_at_the_end_of_the_record() -> None:
    history = open_universe()
    result = answered(history, EDIT, ANN, then=VIEW)
    assert result is not None
    assert result["room"]["mode"] == "view"


def test_a_return_is_answered_with_every_set_as_it_is_now_and_who_changed_it() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(command("update_music", parameters={"tempo": 90}), ANN)
    history.does(command("update_physics", parameters={"gravity": 1}), ANN)
    back = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces=ANN.connection_id)
    result = answered(history, back, caller("ann", tab=2))
    assert result is not None
    assert result["room"] == room(history, "edit", ANN_EDITS)
    assert result["continued"] is True
    parameters = history.now.parameters.to_wire()
    by = {"physics": ("ann", ".004"), "music": ("ann", ".003"), "visualization": ("owner", ".001")}
    assert result["current"] == {
        name: {
            "universeId": UNIVERSE,
            "parameters": parameters[name],
            "userId": user,
            "timestamp": f"2024-03-21T10:30:00{when}Z",
            "changed": [],
            "current": True,
        }
        for name, (user, when) in by.items()
    }


def test_a_return_to_nothing_was_not_continued() -> None:
    history = open_universe()
    back = ResumeRoom(universe_id=UNIVERSE, mode="view", replaces="nobody")
    result = answered(history, back, ANN)
    assert result is not None
    assert result["continued"] is False
    assert result["room"]["mode"] == "view"
    assert result["announcement"]["participant"]["userId"] == "ann"


def test_leaving_is_answered_by_where_and_when() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    assert answered(history, command("leave_room"), ANN) == {
        "universeId": UNIVERSE,
        "timestamp": NOW,
    }


def test_a_universe_is_shown_to_its_owner_with_its_members_and_to_others_without() -> None:
    history = open_universe(maxParticipants=4)
    history.does(EDIT, ANN)
    shown = {
        "id": UNIVERSE,
        "name": "A universe",
        "owner": "owner",
        "visibility": "public",
        "publicMode": "edit",
        "maxParticipants": 4,
        "parameters": history.now.parameters.to_wire(),
        "participants": 1,
        "createdAt": "2024-03-21T10:30:00.001Z",
        "updatedAt": "2024-03-21T10:30:00.002Z",
        "seq": 1,
    }
    assert answered(history, command("get_universe"), ANN) == shown
    assert answered(history, command("get_universe"), OWNER) == shown | {"members": {}, "bans": {}}
    assert history.now.summary().to_wire() == {
        name: shown[name]
        for name in (
            *("id", "name", "owner", "visibility", "publicMode", "maxParticipants", "createdAt"),
        )
    }


def test_what_an_owner_did_is_answered_by_what_became_of_it() -> None:
    history = created()
    give = command("set_member", userId="ann", role="view")
    assert answered(history, give, OWNER) == {"userId": "ann", "role": "view"}
    renamed = answered(history, command("update_universe", name="New"), OWNER)
    assert renamed is not None
    assert (renamed["name"], renamed["members"]) == ("New", {"ann": "view"})
    again = CreateUniverse.model_validate({"id": UNIVERSE, "name": "New"})
    # Of a creation, the answer is the universe as it was created.
    shown = answer(again, OWNER, DecisionInputs(NOW, 0), [], history.now)
    assert shown is not None
    assert shown.to_wire() == renamed


def test_what_has_nothing_to_say_is_answered_by_nothing() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(command("set_member", userId="bob", role="view"), OWNER)
    for request, by in (
        (command("update_music", parameters={"tempo": 90}), ANN),
        (command("generate_music", duration=1), ANN),
        (command("remove_member", userId="bob"), OWNER),
        (ReleaseGateway(universe_id=UNIVERSE, gateway_id="g9"), ANN),
        (CloseConnection(universe_id=UNIVERSE), ANN),
        (command("delete_universe"), OWNER),
    ):
        assert answered(history, request, by) is None


def test_the_pieces_that_events_ask_for_are_found() -> None:
    history = open_universe()
    history.does(VIEW, ANN)
    history.does(command("generate_music", duration=1, seed=3), ANN)
    assert [requested.job.seed for requested in requested_music(history.events)] == [3]

"""Every request, with all that it decides: each event, field by field, and each refusal."""

from typing import Any

import pytest

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import (
    CloseConnection,
    CompleteMusic,
    ExpireMusic,
    ReleaseGateway,
    ResumeRoom,
)
from harmonic_protocol.messages.universes import MAX_MEMBERS, CreateUniverse
from harmonic_protocol.refusals import Refused
from harmonic_state.domain.decide import Decision
from harmonic_state.domain.events import LogEvent, event_name
from harmonic_state.domain.universe_requests import UniverseRequest
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe

OWNER, ANN, BOB = caller("owner"), caller("ann"), caller("bob")
EDIT, VIEW = command("join_room", mode="edit"), command("join_room", mode="view")
LEAVE = command("leave_room")
TEMPO = command("update_music", parameters={"tempo": 90})
PIECE = command("generate_music", duration=8, seed=7)
HIDDEN = {"code": "NOT_FOUND", "message": "Universe not found", "details": {}}


def at(milliseconds: int) -> str:
    """The time of the ``milliseconds``-th request of a history."""
    return f"2024-03-21T10:30:00.{milliseconds:03}Z"


def said(events: list[LogEvent]) -> list[tuple[str, dict[str, Any]]]:
    """Events as they stand in the log."""
    return [(event_name(event), event.to_wire()) for event in events]


def refusal(history: History, request: UniverseRequest, by: Caller) -> dict[str, Any]:
    refused: Refused = history.is_refused(request, by)
    return refused.model_dump(mode="json", by_alias=True)


def frame(mode: str, user: str, seq: int, when: int) -> tuple[str, dict[str, Any]]:
    participant = {"userId": user, "username": user.title(), "mode": mode}
    return (
        "participant_joined",
        {"universeId": UNIVERSE, "participant": participant, "timestamp": at(when), "seq": seq},
    )


def departure(user: str, seq: int, when: int) -> tuple[str, dict[str, Any]]:
    return (
        "participant_left",
        {"universeId": UNIVERSE, "userId": user, "timestamp": at(when), "seq": seq},
    )


def joined(by: Caller, mode: str, **more: str) -> tuple[str, dict[str, Any]]:
    return (
        "connection_joined",
        {
            "connectionId": by.connection_id,
            "gatewayId": by.gateway_id,
            "userId": by.user_id,
            "username": by.username,
            "mode": mode,
            **more,
        },
    )


def test_a_universe_is_created_with_what_was_asked_for() -> None:
    history = created(visibility="public", publicMode="edit", maxParticipants=3)
    assert said(history.events) == [
        (
            "universe_created",
            {
                "universeId": UNIVERSE,
                "owner": "owner",
                "title": "A universe",
                "visibility": "public",
                "publicMode": "edit",
                "maxParticipants": 3,
                "timestamp": at(1),
            },
        )
    ]


def test_an_id_that_was_used_is_refused() -> None:
    again = CreateUniverse.model_validate({"id": UNIVERSE, "name": "Another"})
    assert refusal(created(), again, ANN) == {
        "code": "INVALID_PARAMETERS",
        "message": "This id is taken",
        "details": {"reason": "TAKEN"},
    }


def test_joining_takes_a_seat_and_tells_the_room() -> None:
    history = open_universe()
    assert said(history.does(EDIT, ANN)) == [joined(ANN, "edit"), frame("edit", "ann", 1, 2)]
    assert said(history.does(VIEW, BOB)) == [joined(BOB, "view"), frame("view", "bob", 2, 3)]
    assert said(history.does(VIEW, ANN)) == [joined(ANN, "view"), frame("view", "ann", 3, 4)]


def test_joining_again_with_another_name_or_through_another_gateway_takes_the_seat_anew() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    renamed = Caller("ann", "Anna", ANN.connection_id, "g1")
    assert said(history.does(EDIT, renamed))[0] == joined(renamed, "edit")
    moved = Caller("ann", "Anna", ANN.connection_id, "g2")
    assert said(history.does(EDIT, moved)) == [joined(moved, "edit")]
    assert history.does(EDIT, moved) == []


def test_whoever_may_only_view_is_told_so() -> None:
    assert refusal(created(visibility="public"), EDIT, ANN) == {
        "code": "PERMISSION_DENIED",
        "message": "You may only view this universe",
        "details": {"allowedMode": "view"},
    }


def test_a_full_room_says_how_many_it_holds() -> None:
    history = open_universe(maxParticipants=2)
    history.does(EDIT, ANN)
    history.does(EDIT, BOB)
    full = {"code": "ROOM_FULL", "message": "The room is full", "details": {"maxParticipants": 2}}
    assert refusal(history, VIEW, caller("eve")) == full
    back = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces="gone")
    assert refusal(history, back, caller("eve")) == full
    history.does(LEAVE, BOB)
    history.does(VIEW, caller("eve"))


def test_a_session_is_not_continued_in_a_room_that_filled_up_meanwhile() -> None:
    history = open_universe(maxParticipants=1)
    history.does(EDIT, ANN)
    history.does(CloseConnection(universe_id=UNIVERSE), ANN)
    history.does(EDIT, BOB)
    back = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces=ANN.connection_id)
    assert refusal(history, back, caller("ann", tab=2))["code"] == "ROOM_FULL"


def test_leaving_gives_the_seat_up() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    assert said(history.does(LEAVE, ANN)) == [
        ("connection_left", {"connectionId": ANN.connection_id}),
        departure("ann", 2, 3),
    ]


NOT_IN_ROOM = {
    "code": "PERMISSION_DENIED",
    "message": "Join the room first",
    "details": {"reason": "NOT_IN_ROOM"},
}


@pytest.mark.parametrize("request_", [LEAVE, TEMPO, PIECE], ids=lambda one: one.operation())
def test_who_is_not_in_the_room_is_told_to_join_first(request_: UniverseRequest) -> None:
    assert refusal(open_universe(), request_, ANN) == NOT_IN_ROOM


@pytest.mark.parametrize(
    "request_",
    [
        *(EDIT, LEAVE, TEMPO, PIECE, command("get_universe"), command("delete_universe")),
        command("update_universe", name="Mine"),
        command("set_member", userId="bob", role="edit"),
        command("remove_member", userId="bob"),
        command("get_music", requestId="id-1"),
        ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces="x"),
    ],
    ids=lambda one: one.operation(),
)
def test_what_one_may_not_see_is_not_found(request_: UniverseRequest) -> None:
    assert refusal(created(), request_, ANN) == HIDDEN
    assert refusal(History(), request_, ANN) == HIDDEN


def test_an_operation_id_reveals_nothing_of_a_universe_that_is_hidden_by_now() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    once = command("update_music", parameters={"tempo": 90}, opId="x")
    history.does(once, ANN)
    history.does(command("update_universe", visibility="private"), OWNER)
    assert refusal(history, once, ANN) == HIDDEN


@pytest.mark.parametrize(
    "request_",
    [
        command("delete_universe"),
        command("update_universe", name="Mine"),
        command("set_member", userId="bob", role="edit"),
        command("remove_member", userId="bob"),
    ],
    ids=lambda one: one.operation(),
)
def test_what_only_the_owner_may_do_is_refused_to_others(request_: UniverseRequest) -> None:
    assert refusal(open_universe(), request_, ANN) == {
        "code": "PERMISSION_DENIED",
        "message": "Only the owner may do this",
        "details": {"reason": "NOT_OWNER"},
    }


def test_a_closed_connection_leaves_and_may_come_back() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    assert said(history.does(CloseConnection(universe_id=UNIVERSE), ANN)) == [
        ("connection_left", {"connectionId": ANN.connection_id, "awaySince": at(3)}),
        departure("ann", 2, 3),
    ]


def test_a_lost_gateway_gives_up_all_its_seats_in_one_record() -> None:
    history = open_universe()
    for someone in (ANN, BOB, caller("eve", gateway="g2")):
        history.does(EDIT, someone)
    lost = ReleaseGateway(universe_id=UNIVERSE, gateway_id="g1")
    assert said(history.does(lost, Caller("", ""))) == [
        ("connection_left", {"connectionId": "ann-1", "released": True, "awaySince": at(5)}),
        ("connection_left", {"connectionId": "bob-1", "released": True, "awaySince": at(5)}),
        departure("ann", 4, 5),
        departure("bob", 5, 5),
    ]
    assert History().ask(lost, Caller("", "")) == Decision((), 0)


def test_a_continued_session_moves_the_seat_and_shows_nothing() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    back = caller("ann", tab=2, gateway="g2")
    request = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces=ANN.connection_id)
    assert said(history.does(request, back)) == [
        (
            "connection_left",
            {"connectionId": ANN.connection_id, "moved": True, "awaySince": at(3)},
        ),
        joined(back, "edit", replaces=ANN.connection_id),
    ]
    # Joining while one is there keeps what the seat continues.
    assert said(history.does(VIEW, back))[0] == joined(back, "view", replaces=ANN.connection_id)


@pytest.mark.parametrize("mode", ["edit", "view"])
def test_a_session_is_continued_in_the_mode_that_is_left(mode: str) -> None:
    history = created(visibility="public", publicMode=mode)
    history.does(VIEW, ANN)
    for asked in ("edit", "view"):
        request = ResumeRoom.model_validate(
            {"universeId": UNIVERSE, "mode": asked, "replaces": "nobody"}
        )
        history.does(request, ANN)
        expected = "edit" if asked == mode == "edit" else "view"
        assert history.now.connections[ANN.connection_id].mode == expected
    assert history.now.id == UNIVERSE


def test_an_update_says_what_it_changed_and_who_did() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    once = command("update_music", parameters={"tempo": 90}, opId="x")
    (name, update), (hidden, applied) = said(history.does(once, ANN))
    music = history.now.parameters.music
    assert (name, update) == (
        "music_updated",
        {
            "universeId": UNIVERSE,
            "parameters": music.to_wire(),
            "userId": "ann",
            "timestamp": at(3),
            "changed": ["tempo"],
            "seq": 2,
        },
    )
    assert music.tempo == 90
    assert hidden == "operation_applied"
    assert len(applied.pop("digest")) == 32
    assert applied == {"userId": "ann", "opId": "x", "seq": 2, "timestamp": at(3)}


def test_whoever_views_is_told_so() -> None:
    history = open_universe()
    history.does(VIEW, ANN)
    assert refusal(history, TEMPO, ANN) == {
        "code": "PERMISSION_DENIED",
        "message": "You are only viewing",
        "details": {"reason": "VIEW_ONLY"},
    }


def test_an_operation_id_of_another_command_is_refused() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(command("update_music", parameters={"tempo": 90}, opId="x"), ANN)
    other = command("update_physics", parameters={"gravity": 1}, opId="x")
    assert refusal(history, other, ANN) == {
        "code": "INVALID_PARAMETERS",
        "message": "This opId was used for another command",
        "details": {"reason": "OP_ID_REUSED"},
    }


def test_what_was_applied_is_answered_with_its_first_number() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    once = command("update_music", parameters={"tempo": 90}, opId="x")
    history.does(once, ANN)
    history.does(TEMPO, ANN)
    assert history.ask(once, ANN) == Decision((), 2)
    # One without an id is applied as often as it comes.
    assert history.ask(TEMPO, ANN).seq == 4  # type: ignore[union-attr]


def test_a_piece_is_asked_for_with_all_that_it_is_made_from() -> None:
    history = open_universe()
    history.does(VIEW, ANN)
    piece = command("generate_music", duration=8, seed=7, opId="x")
    requested, applied = said(history.does(piece, ANN))
    parameters = history.now.parameters
    assert requested == (
        "music_requested",
        {
            "job": {
                "universeId": UNIVERSE,
                "requestId": "id-3",
                "userId": "ann",
                "duration": 8,
                "seed": 7,
                "music": parameters.music.to_wire(),
                "physics": parameters.physics.to_wire(),
                "deadlineMs": 5003,
            },
            "connectionId": ANN.connection_id,
            "opId": "x",
            "timestamp": at(3),
        },
    )
    # It has no number before it is there: that of the last frame is given.
    assert applied[1]["seq"] == 1


def test_a_second_piece_of_a_user_waits_and_others_need_not() -> None:
    history = open_universe()
    for someone in (ANN, BOB):
        history.does(VIEW, someone)
    history.does(PIECE, ANN)
    history.milliseconds = 4000
    assert refusal(history, PIECE, ANN) == {
        "code": "RATE_LIMITED",
        "message": "Your last piece is still being made",
        "details": {"reason": "BUSY", "limit": 1, "windowMs": 5000, "retryAfterMs": 1003},
    }
    history.milliseconds = 9000
    assert refusal(history, PIECE, ANN)["details"]["retryAfterMs"] == 1
    history.does(PIECE, BOB)


def test_a_piece_that_is_there_is_announced_with_its_beginning_ahead() -> None:
    history = open_universe()
    history.does(VIEW, ANN)
    history.does(PIECE, ANN)
    done = CompleteMusic(
        universe_id=UNIVERSE,
        request_id="id-3",
        tempo=120,
        key="C",
        scale="major",
        composer_version=4,
    )
    assert said(history.does(done, Caller("", ""))) == [
        (
            "music_generated",
            {
                "universeId": UNIVERSE,
                "timestamp": at(4),
                "requestId": "id-3",
                "userId": "ann",
                "seed": 7,
                "duration": 8,
                "tempo": 120,
                "key": "C",
                "scale": "major",
                "seq": 2,
                "playAt": "2024-03-21T10:30:01.004Z",
                "composerVersion": 4,
            },
        )
    ]
    assert History().does(done, Caller("", "")) == []


def test_a_piece_that_did_not_come_is_an_error_for_its_requester() -> None:
    history = open_universe()
    history.does(VIEW, ANN)
    history.does(command("generate_music", duration=8, opId="x"), ANN)
    expire = ExpireMusic(universe_id=UNIVERSE, request_id="id-3")
    assert said(history.does(expire, Caller("", ""))) == [
        (
            "music_failed",
            {
                "requestId": "id-3",
                "connectionId": ANN.connection_id,
                "refusal": {
                    "code": "INTERNAL_ERROR",
                    "message": "The music could not be made in time",
                    "details": {"opId": "x", "retryAfterMs": 1000},
                },
            },
        )
    ]
    assert history.now.pending_music == {}
    assert History().does(expire, Caller("", "")) == []


def test_settings_that_are_sent_are_changed_and_no_others() -> None:
    history = open_universe()
    every = command(
        "update_universe",
        name="Other",
        visibility="private",
        publicMode="view",
        maxParticipants=9,
    )
    assert said(history.does(every, OWNER)) == [
        (
            "settings_changed",
            {
                "title": "Other",
                "visibility": "private",
                "publicMode": "view",
                "maxParticipants": 9,
                "timestamp": at(2),
            },
        ),
        (
            "universe_updated",
            {
                "universeId": UNIVERSE,
                "name": "Other",
                "owner": "owner",
                "visibility": "private",
                "publicMode": "view",
                "maxParticipants": 9,
                "changed": ["name", "visibility", "publicMode", "maxParticipants"],
                "userId": "owner",
                "timestamp": at(2),
                "seq": 1,
            },
        ),
    ]
    one = command("update_universe", name="Third")
    set_, updated = said(history.does(one, OWNER))
    assert set_ == ("settings_changed", {"title": "Third", "timestamp": at(3)})
    assert updated[1]["changed"] == ["name"]
    assert (updated[1]["name"], updated[1]["seq"]) == ("Third", 2)
    now = history.now
    assert (now.name, now.visibility, now.public_mode) == ("Third", "private", "view")
    assert (now.max_participants, now.updated_at) == (9, at(3))
    assert history.now.created_at == at(1)


def test_whoever_may_not_see_a_universe_any_more_is_put_out_as_if_it_were_gone() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    hide = command("update_universe", visibility="private")
    assert said(history.does(hide, OWNER))[2:] == [
        ("connection_left", {"connectionId": ANN.connection_id, "refusal": HIDDEN}),
        departure("ann", 3, 3),
    ]


def test_a_lower_mode_counts_at_once() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(EDIT, OWNER)
    lower = command("update_universe", publicMode="view")
    assert said(history.does(lower, OWNER))[2:] == [
        ("connection_mode_changed", {"connectionId": ANN.connection_id, "mode": "view"}),
        frame("view", "ann", 4, 4),
    ]
    assert history.now.connections[OWNER.connection_id].mode == "edit"


def test_a_role_is_given_and_taken() -> None:
    history = created()
    give = command("set_member", userId="ann", role="edit")
    given = ("member_set", {"userId": "ann", "role": "edit", "timestamp": at(2)})
    assert said(history.does(give, OWNER)) == [given]
    assert history.now.members == {"ann": "edit"}
    history.does(EDIT, ANN)
    take = command("remove_member", userId="ann")
    assert said(history.does(take, OWNER)) == [
        ("member_removed", {"userId": "ann", "timestamp": at(4)}),
        (
            "connection_left",
            {
                "connectionId": ANN.connection_id,
                "refusal": {
                    "code": "PERMISSION_DENIED",
                    "message": "You were removed from this universe",
                    "details": {"reason": "REMOVED"},
                },
            },
        ),
        departure("ann", 2, 4),
    ]
    assert history.now.members == {}
    assert refusal(history, take, OWNER) == {
        "code": "NOT_FOUND",
        "message": "Member not found",
        "details": {},
    }


def test_a_viewer_stays_as_it_is_when_its_role_is_lowered() -> None:
    history = created()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    history.does(VIEW, ANN)
    lower = command("set_member", userId="ann", role="view")
    assert [name for name, _ in said(history.does(lower, OWNER))] == ["member_set"]


def test_the_owner_needs_no_role() -> None:
    give = command("set_member", userId="owner", role="edit")
    assert refusal(created(), give, OWNER) == {
        "code": "INVALID_PARAMETERS",
        "message": "The owner needs no role",
        "details": {"reason": "OWNER"},
    }


def test_members_are_bounded_and_a_members_role_can_still_be_changed() -> None:
    history = created()
    for number in range(MAX_MEMBERS):
        history.does(command("set_member", userId=f"u{number}", role="view"), OWNER)
    assert refusal(history, command("set_member", userId="ann", role="view"), OWNER) == {
        "code": "INVALID_PARAMETERS",
        "message": f"A universe has at most {MAX_MEMBERS} members",
        "details": {"reason": "TOO_MANY_MEMBERS", "limit": MAX_MEMBERS},
    }
    history.does(command("set_member", userId="u0", role="edit"), OWNER)


def test_a_deletion_leaves_a_tombstone_that_says_nothing() -> None:
    history = open_universe(maxParticipants=7)
    history.does(EDIT, ANN)
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    gone = history.does(command("delete_universe"), OWNER)
    assert said(gone) == [("universe_deleted", {"timestamp": at(4)})]
    now = history.now
    assert (now.id, now.owner, now.name, now.deleted) == (UNIVERSE, "owner", "", True)
    assert (now.visibility, now.public_mode, now.max_participants) == ("private", "view", 7)
    assert (now.created_at, now.updated_at, now.seq) == (at(1), at(4), 1)
    assert (now.members, now.connections, now.operations) == ({}, {}, {})
    assert history.is_refused(command("get_universe"), OWNER).code == "NOT_FOUND"


def test_looking_decides_nothing() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    for request in (
        command("get_universe"),
        command("get_music", requestId="id-1"),
    ):
        assert history.ask(request, ANN) == Decision((), 1)

"""Who is in the room, tab by tab and user by user."""

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CloseConnection, ReleaseGateway, ResumeRoom
from harmonic_protocol.messages.rooms import ParticipantJoined, ParticipantLeft
from harmonic_state.domain.events import LogEvent
from state_service.builders import History, caller, command, created, open_universe

EDIT = command("join_room", mode="edit")
VIEW = command("join_room", mode="view")
LEAVE = command("leave_room")
GONE = CloseConnection(universe_id="u")


def frames(events: list[LogEvent]) -> list[tuple[str, str]]:
    """What members see of ``events``: a word and the user, with the mode of those who join."""
    seen: list[tuple[str, str]] = []
    for event in events:
        match event:
            case ParticipantJoined(participant=someone):
                seen.append((someone.mode, someone.user_id))
            case ParticipantLeft(user_id=user_id):
                seen.append(("left", user_id))
            case _:
                pass
    return seen


def shown(history: History) -> dict[str, str]:
    return {user: someone.mode for user, someone in history.now.participants().items()}


def test_the_first_tab_is_announced_and_the_last_one_is_taken_leave_of() -> None:
    history = open_universe()
    assert frames(history.does(EDIT, caller("ann"))) == [("edit", "ann")]
    assert frames(history.does(EDIT, caller("ann", tab=2))) == []
    assert frames(history.does(LEAVE, caller("ann"))) == []
    assert frames(history.does(LEAVE, caller("ann", tab=2))) == [("left", "ann")]


def test_the_mode_shown_is_the_highest_of_the_tabs() -> None:
    history = open_universe()
    history.does(VIEW, caller("ann"))
    assert frames(history.does(EDIT, caller("ann", tab=2))) == [("edit", "ann")]
    assert shown(history) == {"ann": "edit"}
    assert frames(history.does(LEAVE, caller("ann", tab=2))) == [("view", "ann")]
    assert frames(history.does(VIEW, caller("ann", tab=3))) == []
    assert shown(history) == {"ann": "view"}


def test_a_user_is_called_what_the_first_of_its_tabs_said_whatever_mode_is_shown() -> None:
    history = open_universe()
    history.does(VIEW, Caller("ann", "Ann", "ann-1", "g1"))
    history.does(EDIT, Caller("ann", "Anna", "ann-2", "g1"))
    (ann,) = history.now.participants().values()
    assert (ann.username, ann.mode) == ("Ann", "edit")


def test_joining_again_changes_the_mode_or_nothing() -> None:
    history = open_universe()
    history.does(EDIT, caller("ann"))
    assert history.does(EDIT, caller("ann")) == []
    assert frames(history.does(VIEW, caller("ann"))) == [("view", "ann")]


def test_an_unknown_and_a_hidden_universe_are_refused_alike() -> None:
    hidden = created().is_refused(VIEW, caller("ann"))
    missing = History().is_refused(VIEW, caller("ann"))
    assert hidden == missing
    assert hidden.code == "NOT_FOUND"
    assert hidden.message == "Universe not found"


def test_editing_where_only_viewing_is_allowed_is_refused_with_the_mode_that_is() -> None:
    history = created(visibility="public")
    refusal = history.is_refused(EDIT, caller("ann"))
    assert (refusal.code, refusal.details) == ("PERMISSION_DENIED", {"allowedMode": "view"})
    history.does(VIEW, caller("ann"))


def test_a_full_room_takes_no_further_user_but_further_tabs() -> None:
    history = open_universe(maxParticipants=1)
    history.does(EDIT, caller("ann"))
    assert history.is_refused(EDIT, caller("bob")).code == "ROOM_FULL"
    history.does(EDIT, caller("ann", tab=2))


def test_leaving_a_room_one_is_not_in_is_refused() -> None:
    refusal = open_universe().is_refused(LEAVE, caller("ann"))
    assert (refusal.code, refusal.details["reason"]) == ("PERMISSION_DENIED", "NOT_IN_ROOM")


def test_a_closed_connection_leaves_and_one_that_was_not_there_changes_nothing() -> None:
    history = open_universe()
    history.does(EDIT, caller("ann"))
    assert history.does(GONE, caller("bob")) == []
    assert frames(history.does(GONE, caller("ann"))) == [("left", "ann")]
    assert History().does(GONE, caller("ann")) == []


def test_a_lost_gateway_takes_its_connections_along_and_no_others() -> None:
    history = open_universe()
    history.does(EDIT, caller("ann", gateway="g1"))
    history.does(EDIT, caller("bob", gateway="g1"))
    history.does(VIEW, caller("bob", tab=2, gateway="g2"))
    lost = ReleaseGateway(universe_id="u", gateway_id="g1")
    assert frames(history.does(lost, caller("owner"))) == [("left", "ann"), ("view", "bob")]
    assert shown(history) == {"bob": "view"}


def test_a_connection_that_goes_on_at_another_gateway_is_not_its_earlier_ones_to_close() -> None:
    history = open_universe()
    here, there = caller("ann", 1, "old"), caller("ann", 1, "new")
    history.does(EDIT, here)
    own = ResumeRoom(universe_id="u", mode="edit", replaces=here.connection_id)
    assert frames(history.does(own, there)) == []

    assert history.does(GONE, here) == []
    assert frames(history.does(GONE, there)) == [("left", "ann")]

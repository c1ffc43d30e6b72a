"""Settings, members and deletion, and what they mean for those inside."""

from harmonic_protocol.log import ConnectionLeft, ConnectionModeChanged, SettingsChanged
from harmonic_protocol.messages.rooms import ParticipantJoined, ParticipantLeft
from harmonic_protocol.messages.universes import CreateUniverse
from state_service.builders import UNIVERSE, caller, command, created, open_universe

OWNER, ANN = caller("owner"), caller("ann")
EDIT = command("join_room", mode="edit")


def test_an_id_is_taken_even_after_deletion() -> None:
    history = open_universe()
    create = CreateUniverse.model_validate({"id": UNIVERSE, "name": "Another"})
    assert history.is_refused(create, ANN).details["reason"] == "TAKEN"
    history.does(command("delete_universe"), OWNER)
    assert history.now.deleted
    assert history.is_refused(create, ANN).details["reason"] == "TAKEN"
    assert history.is_refused(command("get_universe"), OWNER).code == "NOT_FOUND"


def test_only_the_owner_may_change_what_others_may_know_of() -> None:
    history = created()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    assert history.is_refused(command("delete_universe"), ANN).code == "PERMISSION_DENIED"
    assert history.is_refused(command("delete_universe"), caller("eve")).code == "NOT_FOUND"


def test_a_lowered_role_counts_at_once_in_the_room() -> None:
    history = created()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    history.does(EDIT, ANN)
    events = history.does(command("set_member", userId="ann", role="view"), OWNER)
    assert [type(event) for event in events[1:]] == [ConnectionModeChanged, ParticipantJoined]
    refusal = history.is_refused(command("update_music", parameters={"tempo": 90}), ANN)
    assert refusal.details["reason"] == "VIEW_ONLY"


def test_a_removed_member_is_put_out_of_a_private_room() -> None:
    history = created()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    history.does(EDIT, ANN)
    events = history.does(command("remove_member", userId="ann"), OWNER)
    _, left, frame = events
    assert isinstance(left, ConnectionLeft)
    assert left.refusal is not None
    assert left.refusal.code == "PERMISSION_DENIED"
    assert isinstance(frame, ParticipantLeft)


def test_a_universe_made_private_puts_strangers_out_without_a_word_of_it() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(EDIT, OWNER)
    events = history.does(command("update_universe", visibility="private"), OWNER)
    left = [event for event in events if isinstance(event, ConnectionLeft)]
    assert [(event.connection_id, event.refusal and event.refusal.code) for event in left] == [
        (ANN.connection_id, "NOT_FOUND")
    ]
    assert history.now.participants().keys() == {"owner"}


def test_settings_that_are_as_they_were_are_shown_to_nobody() -> None:
    history = open_universe()
    same = command("update_universe", name="A universe", visibility="public", maxParticipants=50)
    assert [type(event) for event in history.does(same, OWNER)] == [SettingsChanged]
    assert history.now.seq == 0


def test_the_number_of_a_change_is_the_universes_from_then_on() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(command("update_universe", name="Other"), OWNER)
    assert history.now.seq == 2
    (left, frame) = history.does(command("leave_room"), ANN)
    assert isinstance(left, ConnectionLeft)
    assert isinstance(frame, ParticipantLeft)
    assert frame.seq == 3

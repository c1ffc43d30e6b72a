"""What is noted for the audit log with what was done: of whom, to whom, and with which values."""

import pytest

from harmonic_protocol.envelope import Caller
from harmonic_protocol.intervening import EraseUser, OperatorBan, OperatorUnban, RemoveUser
from harmonic_protocol.log import ActionNoted, UniverseCreated, UniverseDeleted
from harmonic_protocol.messages.universes import CreateUniverse
from harmonic_state.domain.auditing import is_noted
from harmonic_state.domain.decide import Decision, decide
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import LastAction
from harmonic_state.domain.universe_requests import UniverseRequest
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe

OWNER, ANN = caller("owner"), caller("ann")
SERVICE = Caller("service:x", "x", service="x")
OPERATOR = Caller("root", "root")


def inhabited() -> History:
    """A universe with a member in its room, who is named ann, and bob, who is banned."""
    history = open_universe()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    history.does(command("join_room", mode="edit"), ANN)
    history.does(command("ban_user", userId="bob"), OWNER)
    return history


@pytest.mark.parametrize(
    ("request_", "by", "target", "details"),
    [
        (
            *(command("update_universe", name="New", maxParticipants=3), OWNER, None),
            {"name": "New", "maxParticipants": 3},
        ),
        (command("update_universe", owner="ann"), OWNER, "ann", None),
        (command("set_member", userId="eve", role="view"), OWNER, "eve", {"role": "view"}),
        (command("remove_member", userId="ann"), OWNER, "ann", None),
        (command("remove_participant", userId="ann"), OWNER, "ann", None),
        (command("ban_user", userId="ann"), OWNER, "ann", None),
        (command("unban_user", userId="bob"), OWNER, "bob", None),
        (command("delete_universe"), OWNER, None, None),
        (command("ban_user", userId="ann"), SERVICE, "ann", None),
        (
            *(command("update_physics", parameters={"gravity": 1}), SERVICE, None),
            {"sets": ["physics"]},
        ),
        (command("generate_music", duration=1), SERVICE, None, None),
        (RemoveUser(universe_id=UNIVERSE, user_id="ann"), OPERATOR, "ann", None),
        (OperatorBan(universe_id=UNIVERSE, user_id="ann"), OPERATOR, "ann", None),
        (OperatorUnban(universe_id=UNIVERSE, user_id="bob"), OPERATOR, "bob", None),
        (EraseUser(universe_id=UNIVERSE, user_id="ann", placeholder="p"), OPERATOR, None, None),
    ],
)
def test_who_did_what_to_whom_is_noted_with_it(
    request_: UniverseRequest, by: Caller, target: str | None, details: dict[str, object] | None
) -> None:
    history = inhabited()
    before = len(history.noted)

    history.does(request_, by)

    assert is_noted(request_, by)

    (noted,) = history.noted[before:]
    assert (noted.action, noted.user_id, noted.target) == (
        request_.operation(),
        by.user_id,
        target,
    )
    assert (noted.service, noted.operator) == (
        by.service or None,
        True if by is OPERATOR else None,
    )
    # Users are named in their own fields alone, where they can be found.
    assert noted.details == details
    last = LastAction(noted.id, noted.timestamp)
    assert history.now.last_action == last


@pytest.mark.parametrize(
    ("request_", "by"),
    [
        (command("update_physics", parameters={"gravity": 1}), ANN),
        (command("generate_music", duration=1), ANN),
        (command("leave_room"), ANN),
        # Nothing comes of these.
        (command("ban_user", userId="bob"), OWNER),
        (command("get_universe"), SERVICE),
        (EraseUser(universe_id=UNIVERSE, user_id="nobody", placeholder="p"), OPERATOR),
    ],
)
def test_nothing_else_is_noted(request_: UniverseRequest, by: Caller) -> None:
    history = inhabited()
    before = history.noted
    history.does(request_, by)
    assert history.noted == before


def test_what_users_change_of_what_they_share_is_noted_of_services_alone() -> None:
    for request in (
        command("update_physics", parameters={"gravity": 1}),
        command("generate_music", duration=1),
        CreateUniverse.model_validate({"id": UNIVERSE, "name": "U"}),
    ):
        assert is_noted(request, SERVICE)
        assert not is_noted(request, ANN)


def test_what_is_refused_is_not_noted() -> None:
    history = inhabited()
    before = history.noted
    history.is_refused(command("update_universe", name="Mine"), ANN)
    assert history.noted == before


def test_a_log_begins_with_its_universe_and_ends_with_its_end() -> None:
    moment = DecisionInputs("2024-03-21T10:30:00.000Z", 0, "id")
    asked = CreateUniverse.model_validate({"id": UNIVERSE, "name": "U", "owner": "ann"})
    made = decide(None, asked, SERVICE, moment)
    assert isinstance(made, Decision)
    assert [type(each) for each in made.events] == [UniverseCreated, ActionNoted]
    assert isinstance(noted := made.events[1], ActionNoted)
    assert (noted.target, noted.details) == ("ann", {"name": "U"})
    history = created()
    ended = history.ask(command("delete_universe"), OWNER)
    assert isinstance(ended, Decision)
    assert [type(each) for each in ended.events] == [ActionNoted, UniverseDeleted]


def test_the_owner_alone_reads_what_was_noted() -> None:
    history, listing = created(), command("list_audit")
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    assert history.does(listing, OWNER) == []
    assert history.is_refused(listing, ANN).code == "PERMISSION_DENIED"
    assert history.is_refused(listing, caller("eve")).code == "NOT_FOUND"

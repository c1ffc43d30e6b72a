"""What services may do in a universe: decided here, whatever a gateway lets through."""

import pytest

from harmonic_protocol.catalogue import OWNER_OPERATIONS
from harmonic_protocol.envelope import Caller, Envelope
from harmonic_protocol.internal import CompleteMusic
from harmonic_protocol.log import MusicRequested, MusicStored, UniverseCreated, UserBanned
from harmonic_protocol.messages.universes import CreateUniverse
from harmonic_protocol.refusals import Code, Refused
from harmonic_state.domain.answers import answer
from harmonic_state.domain.decide import decide
from harmonic_state.domain.presence import DecisionInputs
from state_service.builders import UNIVERSE, History, caller, command, created

SERVICE = Caller("service:x", "x", gateway_id="g1", service="x")
MOMENT = DecisionInputs("2024-03-21T10:30:00.000Z", 0, "id", 1)
FIELDS: dict[str, dict[str, object]] = {
    "create_universe": {"id": UNIVERSE, "name": "Theirs", "owner": "ann"},
    "update_universe": {"name": "Mine"},
    "set_member": {"userId": "ann", "role": "view"},
    "get_music": {"requestId": "r"},
}
ON_USERS = ("remove_member", "remove_participant", "ban_user", "unban_user")


def private() -> History:
    history = created(visibility="private")
    history.does(command("set_member", userId="ann", role="edit"), caller("owner"))
    history.does(command("join_room", mode="edit"), caller("ann"))
    history.does(command("ban_user", userId="bob"), caller("owner"))
    return history


@pytest.mark.parametrize("name", OWNER_OPERATIONS.keys() - {"create_universe", "list_universes"})
def test_operations_are_as_they_are_declared(name: str) -> None:
    user = {"userId": "bob" if name == "unban_user" else "ann"} if name in ON_USERS else {}
    asked = command(name, **{**user, **FIELDS.get(name, {})})
    decided = private().ask(asked, SERVICE)
    if OWNER_OPERATIONS[name].spec.services:
        assert not isinstance(decided, type(None) | str)
        assert not hasattr(decided, "code"), decided
    else:
        assert decided.details["reason"] == "SERVICE"  # type: ignore[union-attr]
    missing = decide(None, asked, SERVICE, MOMENT)
    assert missing.code is Code.NOT_FOUND  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("join_room", {"mode": "view"}),
        ("leave_room", {}),
        ("resume_room", {"mode": "view", "replaces": "ann-1"}),
    ],
)
def test_a_service_has_no_seat(name: str, fields: dict[str, object]) -> None:
    refusal = created(visibility="public").is_refused(command(name, **fields), SERVICE)
    assert refusal.details["reason"] == "SERVICE"


def test_a_service_needs_no_seat_to_change_parameters() -> None:
    history = private()
    asked = command("update_parameters", physics={"gravity": 1}, music={"tempo": 50})
    events = history.does(asked, SERVICE)
    assert [(each.user_id, each.service) for each in events] == [  # type: ignore[union-attr]
        ("service:x", "x")
    ] * 2
    by_ann = history.does(command("update_physics", parameters={"gravity": 2}), caller("ann"))
    assert by_ann[0].service is None  # type: ignore[union-attr]
    # As users' events are stored: nothing is said where there is nothing to say.
    assert b"service" not in by_ann[0].to_json()


def test_a_piece_says_which_service_asked_for_it() -> None:
    history = private()
    (requested,) = history.does(command("generate_music", duration=1), SERVICE)
    assert isinstance(requested, MusicRequested)
    done = CompleteMusic(
        universe_id=UNIVERSE, request_id=requested.job.request_id, tempo=1, key="C", scale="major"
    )
    (stored,) = history.does(done, Caller("", ""))
    assert isinstance(stored, MusicStored)
    assert (stored.user_id, stored.service) == ("service:x", "x")
    # One at a time, as for users.
    history.does(command("generate_music", duration=1), SERVICE)
    busy = history.is_refused(command("generate_music", duration=1), SERVICE)
    assert busy.details["reason"] == "BUSY"


def test_what_a_service_does_is_stored_with_its_name() -> None:
    history = private()
    (banned, *_) = history.does(command("ban_user", userId="ann"), SERVICE)
    assert isinstance(banned, UserBanned)
    assert banned.service == "x"
    (lifted,) = history.does(command("unban_user", userId="ann"), SERVICE)
    assert lifted.service == "x"  # type: ignore[union-attr]


def test_a_service_creates_for_others_alone() -> None:
    asked = CreateUniverse.model_validate({"id": UNIVERSE, "name": "Theirs"})
    for owner, problem in ((None, "must be named by a service"), ("service:y", "must be a user")):
        decided = decide(None, asked.model_copy(update={"owner": owner}), SERVICE, MOMENT)
        assert decided == Refused(
            code=Code.INVALID_PARAMETERS,
            message=f"Invalid parameters: owner {problem}",
            details={"fields": [{"field": "owner", "reason": problem}]},
        )
    decided = decide(None, asked.model_copy(update={"owner": "ann"}), SERVICE, MOMENT)
    event = decided.events[0]  # type: ignore[union-attr]
    assert isinstance(event, UniverseCreated)
    assert (event.owner, event.service) == ("ann", "x")


@pytest.mark.parametrize(("owner", "may"), [(None, True), ("ann", True), ("bob", False)])
def test_a_user_creates_for_itself_alone(owner: str | None, *, may: bool) -> None:
    asked = CreateUniverse.model_validate({"id": UNIVERSE, "name": "Mine", "owner": owner})
    decided = decide(None, asked, caller("ann"), MOMENT)
    assert (getattr(decided, "code", None) is None) is may
    if not may:
        assert decided.details["reason"] == "NOT_SERVICE"  # type: ignore[union-attr]


def test_a_service_is_shown_what_the_owner_is() -> None:
    history = private()
    asked = command("get_universe")
    shown = answer(asked, SERVICE, MOMENT, (), history.now)
    assert shown == answer(asked, caller("owner"), MOMENT, (), history.now)


def test_an_id_alone_makes_no_service() -> None:
    """A user whose id looks like a service's is a user."""
    pretender = Caller("service:x", "x")
    refusal = private().is_refused(command("get_universe"), pretender)
    assert refusal.code is Code.NOT_FOUND


@pytest.mark.parametrize("service", ["", "x"])
def test_a_request_says_which_service_asks(service: str) -> None:
    told = Envelope(Caller("u", "U", service=service), 1)
    headers = told.to_headers()
    assert ("Hu-Service" in headers) is bool(service)
    assert Envelope.from_headers(headers) == told


@pytest.mark.parametrize(
    ("name", "read"),
    [("gateway.12", "gateway.12"), ("", ""), ("two words", ""), ("a=1", ""), ("x" * 65, "")],
)
def test_a_request_has_a_name_that_fits_a_records_header(name: str, read: str) -> None:
    headers = Envelope(Caller("u", "U"), 1, name=name).to_headers()
    assert Envelope.from_headers(headers).name == read

"""What a universe's owner may do about users: put them out, ban them, and lift a ban."""

import pytest

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CloseConnection, ResumeRoom
from harmonic_protocol.log import ConnectionLeft, MemberRemoved, UserBanned, UserUnbanned
from harmonic_protocol.messages.rooms import ParticipantLeft
from harmonic_protocol.messages.universes import MAX_BANS, UniverseUpdated
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.bounds import MAX_MEMBER_BYTES, ban_bytes, member_bytes, overflow
from harmonic_state.domain.decide import Decision
from harmonic_state.domain.events import event_name
from harmonic_state.domain.universe import Universe
from harmonic_state.domain.universe_requests import UniverseRequest
from state_service.builders import UNIVERSE, History, caller, command, created, open_universe

OWNER, ANN, BOB, EVE = caller("owner"), caller("ann"), caller("bob"), caller("eve")
SECOND = caller("ann", tab=2)
EDIT = command("join_room", mode="edit")
KICK = command("remove_participant", userId="ann")
BAN, UNBAN = command("ban_user", userId="ann"), command("unban_user", userId="ann")
RESUME = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces=ANN.connection_id)
NOW = "2024-03-21T10:30:00.000Z"


def left_for(events: list[object]) -> list[tuple[str, str]]:
    """Which connections were put out, and for what reason."""
    return [
        (event.connection_id, event.refusal.details["reason"])
        for event in events
        if isinstance(event, ConnectionLeft) and event.refusal is not None
    ]


@pytest.mark.parametrize("request_", [KICK, BAN, UNBAN], ids=lambda each: each.operation())
def test_the_owner_alone_may(request_: UniverseRequest) -> None:
    public = open_universe()
    public.does(command("set_member", userId="bob", role="edit"), OWNER)
    for somebody in (BOB, EVE):
        refusal = public.is_refused(request_, somebody)
        assert (refusal.code, refusal.details["reason"]) == ("PERMISSION_DENIED", "NOT_OWNER")
    assert created().is_refused(request_, EVE).code == "NOT_FOUND"


def test_a_user_is_put_out_with_all_connections_and_may_come_again() -> None:
    history = open_universe()
    for somebody in (ANN, SECOND, BOB):
        history.does(EDIT, somebody)
    events = history.does(KICK, OWNER)
    assert left_for([*events]) == [
        (ANN.connection_id, "KICKED"),
        (SECOND.connection_id, "KICKED"),
    ]
    assert isinstance(events[-1], ParticipantLeft)
    # Gateways know by the user whose streams end.
    assert {each.user_id for each in events if isinstance(each, ConnectionLeft)} == {"ann"}
    assert history.now.participants().keys() == {"bob"}
    history.does(EDIT, ANN)
    assert history.now.participants().keys() == {"bob", "ann"}


@pytest.mark.parametrize(
    ("by", "refusal"),
    [
        (
            OWNER,
            refused(
                Code.PERMISSION_DENIED, "The owner removed you from the room", reason=Reason.KICKED
            ),
        ),
        (
            Caller("service:x", "x", service="x"),
            refused(
                Code.PERMISSION_DENIED,
                "A service removed you from the room",
                reason=Reason.KICKED,
                service="x",
            ),
        ),
    ],
)
def test_who_is_put_out_is_told_by_whom(by: Caller, refusal: Refused) -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    left, _ = history.does(KICK, by)
    assert isinstance(left, ConnectionLeft)
    assert left.refusal == refusal


def test_a_session_of_who_was_put_out_while_away_is_not_continued() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(CloseConnection(universe_id=UNIVERSE), ANN)
    history.does(KICK, OWNER)
    history.does(RESUME, SECOND)
    assert history.now.connections[SECOND.connection_id].replaces is None


def test_nobody_is_put_out_who_is_not_there() -> None:
    refusal = open_universe().is_refused(KICK, OWNER)
    assert (refusal.code, refusal.message) == ("NOT_FOUND", "The user is not in the room")


def test_a_ban_takes_role_seats_and_sessions_away() -> None:
    history = created()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    history.does(EDIT, ANN)
    history.does(EDIT, SECOND)
    history.does(CloseConnection(universe_id=UNIVERSE), SECOND)
    events = history.does(BAN, OWNER)
    assert [type(event) for event in events[:2]] == [UserBanned, MemberRemoved]
    assert left_for([*events]) == [(ANN.connection_id, "BANNED")]
    assert history.now.members == {}
    assert history.now.connections == {}
    assert history.now.absences == {}


def test_who_is_banned_while_away_does_not_come_back_where_it_was() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(CloseConnection(universe_id=UNIVERSE), ANN)
    assert history.now.absences
    history.does(BAN, OWNER)
    assert history.now.absences == {}


def test_a_ban_may_take_all_the_space_that_there_is() -> None:
    history = open_universe()
    left_bytes = MAX_MEMBER_BYTES - ban_bytes({"": NOW})
    others = {"x" * (left_bytes - ban_bytes({"": NOW})): NOW}
    history.universe = history.now.later(bans=others)
    banned = UserBanned(user_id="", timestamp=NOW)
    assert ban_bytes({**others, "": NOW}) == MAX_MEMBER_BYTES
    assert overflow(history.now, [banned], NOW, hashed=False) is None
    one_more = UserBanned(user_id="y", timestamp=NOW)
    assert overflow(history.now, [one_more], NOW, hashed=False) is not None


def test_a_banned_user_may_do_nothing_until_the_ban_is_lifted() -> None:
    history = open_universe()
    history.does(EDIT, ANN)
    history.does(BAN, OWNER)
    for request in (EDIT, RESUME, command("get_universe"), command("get_music", requestId="r")):
        refusal = history.is_refused(request, ANN)
        assert (refusal.code, refusal.details["reason"]) == ("PERMISSION_DENIED", "BANNED")
    events = history.does(UNBAN, OWNER)
    assert [type(event) for event in events] == [UserUnbanned]
    assert history.now.bans == {}
    history.does(EDIT, ANN)


def test_a_ban_gives_no_private_universe_away() -> None:
    history = created()
    history.does(BAN, OWNER)
    assert history.is_refused(EDIT, ANN) == history.is_refused(EDIT, EVE)
    assert history.is_refused(EDIT, ANN).code == "NOT_FOUND"


def test_of_a_deleted_universe_a_banned_user_learns_what_others_do() -> None:
    history = open_universe()
    history.does(BAN, OWNER)
    history.does(command("delete_universe"), OWNER)
    assert history.is_refused(EDIT, ANN).code == "NOT_FOUND"


def test_a_second_ban_changes_nothing() -> None:
    history = open_universe()
    history.does(BAN, OWNER)
    before = history.now
    assert history.does(BAN, OWNER) == []
    assert history.now == before


def test_the_owner_is_not_banned() -> None:
    refusal = open_universe().is_refused(command("ban_user", userId="owner"), OWNER)
    assert (refusal.code, refusal.details) == ("INVALID_PARAMETERS", {"reason": "OWNER"})
    assert refusal.message == "The owner cannot be banned"


def test_no_ban_is_lifted_that_there_is_not() -> None:
    refusal = open_universe().is_refused(UNBAN, OWNER)
    assert (refusal.code, refusal.message) == ("NOT_FOUND", "The user is not banned")


def test_a_banned_user_is_given_no_role() -> None:
    history = created()
    history.does(BAN, OWNER)
    refusal = history.is_refused(command("set_member", userId="ann", role="view"), OWNER)
    assert (refusal.code, refusal.details) == ("INVALID_PARAMETERS", {"reason": "BANNED"})
    assert refusal.message == "The user is banned: lift the ban first"


def test_the_owner_sees_who_is_banned_and_nobody_else_does() -> None:
    history = open_universe()
    history.does(BAN, OWNER)
    since = history.now.updated_at
    assert history.now.public_view(viewer="owner").bans == {"ann": since}
    assert history.now.public_view(viewer="bob").bans is None


def crowded(history: History, bans: int, name: str) -> Universe:
    """The universe with so many bans of users with this name and a number."""
    return history.now.later(bans={f"{name}{number}": NOW for number in range(bans)})


def test_so_many_bans_and_no_more() -> None:
    history = open_universe()
    history.universe = crowded(history, MAX_BANS - 1, "user-")
    history.does(BAN, OWNER)
    refusal = history.is_refused(command("ban_user", userId="bob"), OWNER)
    assert refusal.code is Code.INVALID_PARAMETERS
    assert refusal.details == {"reason": "TOO_MANY_BANS", "limit": MAX_BANS}


def test_members_and_bans_share_their_space() -> None:
    history = open_universe()
    one = ban_bytes({"x" * 250 + "100": NOW})
    number = (MAX_MEMBER_BYTES - 100) // one
    history.universe = crowded(history, number, "x" * 250)
    full = {"reason": "NO_SPACE", "limitBytes": MAX_MEMBER_BYTES}
    large = "y" * 250
    for request in (
        command("ban_user", userId=large),
        command("set_member", userId=large, role="view"),
    ):
        assert history.is_refused(request, OWNER).details == full
    refusal = history.is_refused(command("ban_user", userId=large), OWNER)
    assert refusal.message == "The universe has no space for another ban"
    # What makes it smaller is always taken.
    unbanned = UserUnbanned(user_id="x", timestamp=NOW)
    assert overflow(history.now, [unbanned], NOW, hashed=False) is None


TRANSFER = command("update_universe", owner="ann")


def shared() -> History:
    history = created()
    history.does(command("set_member", userId="ann", role="view"), OWNER)
    return history


def test_a_universe_is_handed_over_to_a_member_who_changes_places_with_the_owner() -> None:
    history = shared()
    history.does(command("join_room", mode="view"), ANN)
    events = history.does(TRANSFER, OWNER)
    assert [event.to_wire() for event in events[:3]] == [
        {"owner": "ann", "formerOwner": "owner", "timestamp": history.now.updated_at},
        {"userId": "ann", "timestamp": history.now.updated_at},
        {"userId": "owner", "role": "edit", "timestamp": history.now.updated_at},
    ]
    (shown,) = events[3:]
    assert isinstance(shown, UniverseUpdated)
    assert (shown.owner, shown.changed, shown.seq) == ("ann", ("owner",), 2)
    assert (history.now.owner, history.now.members) == ("ann", {"owner": "edit"})
    assert history.is_refused(command("delete_universe"), OWNER).details["reason"] == "NOT_OWNER"
    history.does(EDIT, ANN)
    history.does(command("delete_universe"), ANN)


@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (TRANSFER, member_bytes(["owner"]) - member_bytes(["ann"])),
        (BAN, ban_bytes({"ann": NOW}) - member_bytes(["ann"])),
    ],
    ids=["transfer", "ban"],
)
def test_a_member_who_is_no_member_any_more_makes_room(
    request_: UniverseRequest, needed: int
) -> None:
    history = shared()
    free = MAX_MEMBER_BYTES - member_bytes([*history.now.members, ""])
    for spare, is_done in ((needed - 1, False), (needed, True)):
        members = {"ann": "view", "x" * (free - spare): "view"}
        full = History(history.now.later(members=members))
        decision = full.ask(request_, OWNER)
        assert isinstance(decision, Decision) is is_done, decision
        if is_done:
            taken = member_bytes(full.now.members) + ban_bytes(full.now.bans)
            assert taken == MAX_MEMBER_BYTES


def test_settings_change_with_the_owner_in_one_record() -> None:
    history = shared()
    events = history.does(command("update_universe", owner="ann", name="Hers"), OWNER)
    assert [event_name(event) for event in events] == [
        "settings_changed",
        "owner_changed",
        "member_removed",
        "member_set",
        "universe_updated",
    ]
    assert history.now.name == "Hers"


@pytest.mark.parametrize("owner", ["eve", "bob"])
def test_a_universe_is_handed_over_to_no_stranger(owner: str) -> None:
    history = shared()
    history.does(command("ban_user", userId="bob"), OWNER)
    refusal = history.is_refused(command("update_universe", owner=owner), OWNER)
    assert (refusal.code, refusal.details) == ("INVALID_PARAMETERS", {"reason": "NOT_MEMBER"})
    assert refusal.message == "The new owner must be a member"


def test_who_owns_it_already_is_no_new_owner() -> None:
    history = shared()
    before = history.now
    assert history.does(command("update_universe", owner="owner"), OWNER) == []
    assert history.now == before


@pytest.mark.parametrize("somebody", [ANN, EVE])
def test_nobody_else_hands_it_over(somebody: Caller) -> None:
    history = open_universe()
    history.does(command("set_member", userId="ann", role="edit"), OWNER)
    assert history.is_refused(TRANSFER, somebody).details["reason"] == "NOT_OWNER"


def test_a_transfer_is_not_asked_again_by_itself() -> None:
    assert not TRANSFER.repeatable
    assert command("update_universe", name="Another").repeatable

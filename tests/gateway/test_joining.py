"""Joining and leaving as clients ask for it: what is decided again after each wait."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from gateway.drivers import (
    Background,
    KeptSessions,
    NotingAnswers,
    ScriptedOwners,
    ShortHistory,
    Spoken,
    as_owners,
    joined,
    live_layer,
    meter,
)
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.joining import Joining
from harmonic_gateway.membership.membership import Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.notices import Notices
from harmonic_gateway.membership.rejoining import Rejoining
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.sockets import Ended
from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import CloseConnection, ResumeRoom
from harmonic_protocol.log import ConnectionLeft, ConnectionModeChanged, UniverseDeleted
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom, RoomLeft
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.observability.logs import get_log

REMOVED = refused(Code.PERMISSION_DENIED, "You were removed", reason=Reason.REMOVED)
HIDDEN = refused(Code.NOT_FOUND, "Universe not found")
AWAY = Reply(error=refused(Code.INTERNAL_ERROR, "nobody answered"))
EDIT = JoinRoom.model_validate({"universeId": "u", "mode": "edit"})
LEAVE = LeaveRoom.model_validate({"universeId": "u"})
UNTIL_S = 1e9


class Desk:
    """All the drivers of memberships on a real bus, with owners and sessions held by the test."""

    def __init__(self, bus: Bus) -> None:
        self.owners, self.sessions, self.tasks = ScriptedOwners(), KeptSessions(), Background()
        self.answers = NotingAnswers()
        self.memberships = Memberships()
        self.unseated: asyncio.Queue[Membership] = asyncio.Queue()
        shared: dict[str, Any] = {
            "memberships": self.memberships,
            "sessions": self.sessions,
            "tasks": self.tasks,
        }
        self.notices = Notices(unseated=self.unseated, answers=cast("Any", self.answers), **shared)
        self.rooms = Rooms(
            memberships=self.memberships,
            bus=bus,
            history=cast("Any", ShortHistory()),
            on_notice=self.notices.act_upon,
            live=live_layer(self.memberships, bus, self.tasks),
            tasks=cast("Any", self.tasks),
            meter=meter(),
            log=get_log(),
        )
        owners = as_owners(self.owners)
        self.departures = Departures(rooms=self.rooms, owners=owners, grace_s=0.0, **shared)
        self.joining = Joining(
            memberships=self.memberships,
            rooms=self.rooms,
            owners=owners,
            sessions=cast("Any", self.sessions),
            departures=self.departures,
            rooms_per_connection=2,
        )
        self.rejoining = Rejoining(
            unseated=self.unseated,
            rooms=self.rooms,
            owners=owners,
            answers=cast("Any", self.answers),
            **shared,
        )

    def joins(self, who: Spoken, request: JoinRoom = EDIT) -> asyncio.Task[Reply | Refused]:
        return asyncio.create_task(self.joining.join(who.as_session, request, UNTIL_S))

    async def has_joined(self, who: Spoken, position: int = 5) -> Membership:
        joining = self.joins(who)
        await self.owners.reply(joined(position))
        assert isinstance(await joining, Reply)
        membership = self.memberships.find(who.id, "u")
        assert membership is not None
        return membership

    def stage(self, who: Spoken) -> Presence | None:
        known = self.memberships.find(who.id, "u")
        return known.stage if known is not None else None


@pytest.fixture
async def desk(bus: Bus) -> AsyncIterator[Desk]:
    desk = Desk(bus)
    rejoining = asyncio.create_task(desk.rejoining.keep_rejoining())
    yield desk
    rejoining.cancel()
    # Whoever is left departs, or the logs of their rooms were followed on.
    for universe_id in desk.memberships.positions():
        for membership in tuple(desk.memberships.present(universe_id)):
            desk.rooms.depart(membership.connection)
    desk.tasks.stop()


async def test_who_joins_is_greeted_and_its_session_saved_before(desk: Desk) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann)
    assert ann.heard == ["room_joined"]
    assert desk.sessions.saved == [(["u"], False, False)]


@pytest.mark.parametrize(
    ("notice", "told"),
    [
        (lambda ann: ConnectionLeft(connection_id=ann.id, refusal=REMOVED), REMOVED),
        (lambda _: UniverseDeleted(timestamp="2024-03-21T10:30:00.000Z"), HIDDEN),
    ],
)
@pytest.mark.parametrize("waits_for", ["the reply", "the session"])
async def test_who_loses_its_seat_while_its_join_waits_does_not_get_in(
    desk: Desk, notice: Any, told: Refused, waits_for: str
) -> None:
    ann = Spoken("ann")
    desk.sessions.go.clear()
    joining = desk.joins(ann)
    question = await desk.owners.asked()
    if waits_for == "the session":
        question.reply.set_result(joined(5))
        await desk.sessions.begun.wait()
    desk.notices.act_upon("u", 6, notice(ann))
    if waits_for == "the reply":
        question.reply.set_result(joined(5))
    desk.sessions.go.set()
    assert await joining == told
    assert (ann.heard, desk.stage(ann), desk.answers.told.evicted) == ([], None, [])


@pytest.mark.parametrize("waits_for", ["the reply", "the session"])
async def test_who_is_downgraded_while_its_join_waits_may_only_view(
    desk: Desk, waits_for: str
) -> None:
    ann = Spoken("ann")
    desk.sessions.go.clear()
    joining = desk.joins(ann)
    question = await desk.owners.asked()
    if waits_for == "the session":
        question.reply.set_result(joined(5))
        await desk.sessions.begun.wait()
    desk.notices.act_upon("u", 6, ConnectionModeChanged(connection_id=ann.id, mode="view"))
    if waits_for == "the reply":
        question.reply.set_result(joined(5))
    desk.sessions.go.set()
    await joining
    assert desk.memberships.mode(ann.as_connection, "u") == "view"


async def test_what_the_snapshot_holds_already_is_outdated(desk: Desk) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann, 5)
    desk.notices.act_upon("u", 5, ConnectionLeft(connection_id=ann.id, refusal=REMOVED))
    desk.notices.act_upon("u", 4, ConnectionModeChanged(connection_id=ann.id, mode="view"))
    assert desk.memberships.mode(ann.as_connection, "u") == "edit"
    desk.notices.act_upon("u", 6, ConnectionLeft(connection_id=ann.id, refusal=REMOVED))
    assert desk.stage(ann) is None
    assert desk.answers.told.evicted == [(ann.id, REMOVED)]


async def test_a_seat_that_is_granted_to_one_who_is_gone_is_released(desk: Desk) -> None:
    ann = Spoken("ann")
    joining = desk.joins(ann)
    question = await desk.owners.asked()
    ann.closed = True
    desk.departures.depart(ann.as_session, Ended.GOODBYE)
    early = await desk.owners.reply(Reply())
    question.reply.set_result(joined(5))
    refusal = await joining
    late = await desk.owners.reply(Reply())
    assert isinstance(early, CloseConnection)
    assert isinstance(late, CloseConnection)
    await desk.tasks.done()
    assert ann.heard == []
    assert desk.memberships.of(ann.as_connection) == {}
    # Clients may go at any time: that is no failure of the product.
    assert isinstance(refusal, Refused)
    assert refusal.reason is Reason.NOT_IN_ROOM


async def test_one_who_is_gone_before_it_is_asked_for_is_given_no_seat(desk: Desk) -> None:
    ann = Spoken("ann")
    ann.closed = True
    refusal = await desk.joins(ann)
    assert isinstance(refusal, Refused)
    assert refusal.reason is Reason.NOT_IN_ROOM
    assert desk.memberships.of(ann.as_connection) == {}


@pytest.mark.parametrize(("reply", "may_hold"), [(Reply(error=HIDDEN), False), (AWAY, True)])
async def test_a_join_that_failed_leaves_a_seat_only_where_nobody_knows(
    desk: Desk, reply: Reply, *, may_hold: bool
) -> None:
    ann = Spoken("ann")
    joining = desk.joins(ann)
    await desk.owners.reply(reply)
    assert await joining == reply.error
    known = desk.memberships.find(ann.id, "u")
    assert (known is not None and known.may_hold_seat) is may_hold


async def test_a_connection_is_in_so_many_rooms_and_no_more(desk: Desk) -> None:
    ann = Spoken("ann")
    for universe in ("u", "v"):
        joining = desk.joins(ann, JoinRoom.model_validate({"universeId": universe, "mode": "edit"}))
        await desk.owners.reply(joined(5))
        await joining
    third = await desk.joins(ann, JoinRoom.model_validate({"universeId": "w", "mode": "edit"}))
    assert isinstance(third, Refused)
    assert third.reason is Reason.TOO_MANY_ROOMS
    again = desk.joins(ann)
    await desk.owners.reply(joined(6))
    assert isinstance(await again, Reply)


async def test_with_too_old_a_snapshot_the_seat_is_asked_for_again(desk: Desk) -> None:
    ann, bob = Spoken("ann"), Spoken("bob")
    first, second = desk.joins(ann), desk.joins(bob)
    old, new = await desk.owners.asked(), await desk.owners.asked()
    new.reply.set_result(joined(9))
    await second
    old.reply.set_result(joined(5))
    again = await desk.owners.reply(joined(10))
    assert isinstance(again, ResumeRoom)
    assert again.replaces == ann.id
    assert isinstance(await first, Reply)
    assert ann.heard == ["room_joined"]


async def test_who_leaves_is_told_after_its_session_was_saved_without_the_room(desk: Desk) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann)
    left = RoomLeft(universe_id="u", timestamp="2024-03-21T10:30:00.000Z")
    leaving = asyncio.create_task(desk.joining.leave(ann.as_session, LEAVE, UNTIL_S))
    await desk.owners.reply(Reply(position=6, result=left.to_wire()))
    await leaving
    assert ann.heard == ["room_joined", "room_left"]
    assert desk.sessions.saved[-1] == ([], False, False)
    assert desk.stage(ann) is None


async def test_a_leave_that_is_refused_changes_nothing(desk: Desk) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann)
    leaving = asyncio.create_task(desk.joining.leave(ann.as_session, LEAVE, UNTIL_S))
    await desk.owners.reply(AWAY)
    assert await leaving == AWAY.error
    assert desk.stage(ann) is Presence.PRESENT


def released(who: Spoken) -> ConnectionLeft:
    return ConnectionLeft(connection_id=who.id, released=True)


async def test_a_released_seat_is_asked_for_again_without_the_clients_doing(desk: Desk) -> None:
    ann = Spoken("ann")
    membership = await desk.has_joined(ann, 5)
    desk.notices.act_upon("u", 6, released(ann))
    assert membership.stage is Presence.ENTERING
    await desk.owners.reply(AWAY)
    request = await desk.owners.reply(joined(8, mode="view", continued=True))
    assert (request.replaces, request.mode) == (ann.id, "edit")
    await desk.tasks.done()
    assert (membership.stage, membership.mode) == (Presence.PRESENT, "view")
    assert ann.heard == ["room_joined"]


async def test_who_was_not_allowed_to_see_the_room_for_a_time_is_shown_it_anew(desk: Desk) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann, 5)
    desk.notices.act_upon("u", 6, released(ann))
    await desk.owners.reply(joined(8, continued=False))
    await desk.tasks.done()
    assert ann.heard == ["room_joined", "room_joined"]


async def test_who_joins_as_it_is_shown_a_newer_room_is_shown_one_that_is_newer_still(
    desk: Desk,
) -> None:
    ann = Spoken("ann")
    membership = await desk.has_joined(ann, 5)
    desk.notices.act_upon("u", 6, released(ann))
    rejoining = await desk.owners.asked()
    join = desk.joins(ann)
    joining = await desk.owners.asked()
    rejoining.reply.set_result(joined(9, continued=False))
    await desk.tasks.done()
    assert ann.heard == ["room_joined"] * 2
    joining.reply.set_result(joined(8))
    again = await desk.owners.reply(joined(10))
    assert isinstance(again, ResumeRoom)
    assert isinstance(await join, Reply)
    assert (membership.as_of, membership.stage) == (10, Presence.PRESENT)
    # It comes after the room's records up to its snapshot.
    desk.memberships.deliver("u", 10, [])
    ((_, waiting),) = desk.memberships.due("u")
    assert [frame._name for frame in waiting] == ["room_joined"]


async def test_who_was_allowed_to_see_the_room_all_the_time_is_sent_all_of_it(desk: Desk) -> None:
    ann = Spoken("ann")
    membership = await desk.has_joined(ann, 5)
    desk.notices.act_upon("u", 6, released(ann))
    await desk.owners.reply(joined(9, continued=True))
    await desk.tasks.done()
    # It was released once more before it was seated, which its gateway hears only now.
    desk.notices.act_upon("u", 8, released(ann))
    assert (membership.cursor, membership.stage) == (5, Presence.PRESENT)


async def test_who_may_not_have_its_released_seat_again_is_told(desk: Desk) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann, 5)
    desk.notices.act_upon("u", 6, released(ann))
    await desk.owners.reply(Reply(error=HIDDEN))
    await desk.tasks.done()
    assert desk.answers.told.evicted == [(ann.id, HIDDEN)]
    assert desk.stage(ann) is None
    assert desk.memberships.room("u") is None


async def test_a_connection_whose_session_was_taken_over_is_closed(desk: Desk) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann, 5)
    desk.notices.act_upon("u", 6, ConnectionLeft(connection_id=ann.id, moved=True))
    assert (ann.closed, ann.replaced, desk.stage(ann)) == (True, True, None)


async def test_a_client_that_said_goodbye_gives_its_seats_up_until_that_is_confirmed(
    desk: Desk,
) -> None:
    ann = Spoken("ann")
    await desk.has_joined(ann, 5)
    ann.closed = True
    desk.departures.depart(ann.as_session, Ended.GOODBYE)
    request = await desk.owners.reply(AWAY)
    assert isinstance(request, CloseConnection)
    await desk.owners.reply(Reply())
    await desk.tasks.done()
    assert desk.sessions.saved[-1] == (["u"], True, True)
    assert desk.memberships.of(ann.as_connection) == {}
    assert desk.memberships.room("u") is None


async def test_at_a_stop_sessions_are_saved_and_no_seat_is_released(desk: Desk) -> None:
    ann, bob = Spoken("ann"), Spoken("bob")
    await desk.has_joined(ann, 5)
    await desk.has_joined(bob, 6)
    desk.sessions.go.clear()
    desk.departures.depart(bob.as_session, Ended.BROKEN)
    closing = asyncio.create_task(desk.departures.close([ann.as_session]))
    desk.sessions.go.set()
    await closing
    assert desk.sessions.saved[-2:] == [(["u"], True, False)] * 2

"""Following the logs of rooms: on a real bus, for as long as somebody is in them."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic_core import to_json

from gateway.drivers import NOW, Background, ShortHistory, Spoken, live_layer, meter
from harmonic_gateway.delivery.feed import PREVIOUS_SEQUENCE
from harmonic_gateway.delivery.history import LogTrimmed
from harmonic_gateway.delivery.signals import ATTACHMENT_BYTES, Signals
from harmonic_gateway.membership.membership import Entry, Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_protocol import subjects
from harmonic_protocol.log import ConnectionLeft, LoggedEvent, Notice, Record
from harmonic_protocol.messages.rooms import ParticipantLeft
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.reading import EXPECTED_SEQUENCE
from harmonic_runtime.bus.wire import STORED_SEQUENCE, STORED_SUBJECT, Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_state.losses import NOTHING_SEEN, Seen
from harmonic_state.witnesses import open_witnesses


class House:
    """Rooms of universes that no other test knows."""

    def __init__(self, bus: Bus, universe: str) -> None:
        self.bus, self.universe = bus, universe
        self.memberships, self.history, self.tasks = Memberships(), ShortHistory(), Background()
        self.notices: list[tuple[int, Notice]] = []
        self.signals: list[str] = []
        self.rooms = Rooms(
            memberships=self.memberships,
            bus=bus,
            history=cast("Any", self.history),
            on_notice=lambda _, position, notice: self.notices.append((position, notice)),
            live=live_layer(
                self.memberships,
                bus,
                self.tasks,
                signals=Signals(self._signal, bytes_per_s=1000, metrics=Metrics()),
            ),
            tasks=cast("Any", self.tasks),
            meter=meter(),
            log=get_log(),
        )
        self.heard = asyncio.Event()

    async def enters(self, who: Spoken) -> Membership:
        membership = self.memberships.enter(who.as_connection, self.universe)
        await self.rooms.follow(self.universe)
        self.memberships.ask(membership)
        return membership

    async def is_in(self, who: Spoken, position: int = 5) -> Membership:
        membership = await self.enters(who)
        self.memberships.answered(membership, position, "edit")
        assert self.rooms.admit(membership) is Entry.ADMITTED
        return membership

    async def stores(self, position: int, previous: int) -> None:
        left = ParticipantLeft(universe_id=self.universe, user_id="x", timestamp=NOW, seq=1)
        gone = ConnectionLeft(connection_id="x")
        events = (
            LoggedEvent(name=left.spec.name, data=left.to_wire()),
            LoggedEvent(name=gone.name, data=gone.to_wire()),
        )
        record = Record(id=f"r{position}", at=NOW, events=events)
        headers = {
            EXPECTED_SEQUENCE: str(previous),
            STORED_SUBJECT: subjects.log(self.universe),
            STORED_SEQUENCE: str(position),
            PREVIOUS_SEQUENCE: str(previous),
        }
        payload = to_json(record.to_wire())
        await self.bus.publish(subjects.live(self.universe), payload, headers=headers)
        await self.arrived()

    async def arrived(self) -> None:
        await self.bus.flush()
        await self.bus.handled()

    def _signal(self, universe_id: str, messages: Sequence[Message]) -> None:
        assert universe_id == self.universe
        self.signals += [message.payload.decode() for message in messages]


@pytest.fixture
def house(bus: Bus, word: str) -> House:
    return House(bus, word)


async def test_members_are_sent_what_is_stored_from_their_snapshots_on(house: House) -> None:
    ann, bob = Spoken("ann"), Spoken("bob")
    first = await house.is_in(ann)
    second = await house.enters(bob)
    await house.stores(6, 5)
    await house.stores(7, 6)
    house.memberships.answered(second, 6, "edit")
    assert house.rooms.admit(second) is Entry.ADMITTED
    assert len(bob.heard) == 1
    assert [len(first.connection.written), len(bob.written)] == [2, 0]  # type: ignore[attr-defined]
    await house.stores(8, 7)
    assert [len(ann.written), len(bob.written)] == [3, 1]
    assert [position for position, _ in house.notices] == [6, 7, 8]
    assert house.rooms.positions() == {house.universe: 8}


async def test_signals_are_heard_while_somebody_is_there(house: House) -> None:
    membership = await house.is_in(Spoken("ann"))
    sizes = {ATTACHMENT_BYTES: "3"}
    await house.bus.publish(subjects.signal(house.universe), b"one", headers=sizes)
    await house.arrived()
    house.rooms.left(house.universe, membership.connection, 6)
    await house.tasks.done()
    await house.bus.publish(subjects.signal(house.universe), b"two", headers=sizes)
    await house.arrived()
    assert house.signals == ["one"]


@pytest.mark.parametrize("way_out", ["leave", "depart", "refused"])
async def test_a_log_is_left_with_the_last_who_needs_it(house: House, way_out: str) -> None:
    ann, bob = Spoken("ann"), Spoken("bob")
    await house.is_in(ann)
    entering = await house.enters(bob)
    house.rooms.left(house.universe, ann.as_connection, 6)
    assert house.rooms.positions() == {house.universe: 5}
    if way_out == "leave":
        house.memberships.answered(entering, 6, "edit")
        house.rooms.admit(entering)
        house.rooms.left(house.universe, bob.as_connection, 7)
    elif way_out == "depart":
        assert house.rooms.depart(bob.as_connection) == [entering]
    else:
        house.rooms.refused(entering, frees_seat=True)
    assert house.rooms.positions() == {}
    await house.tasks.done()
    await house.stores(7, 6)
    assert house.notices == []


async def test_who_comes_while_a_log_is_left_follows_it_anew(house: House) -> None:
    ann = Spoken("ann")
    await house.is_in(ann)
    house.rooms.left(house.universe, ann.as_connection, 6)
    await house.is_in(ann, 7)
    await house.tasks.done()
    await house.stores(8, 7)
    assert [position for position, _ in house.notices] == [8]
    assert len(ann.written) == 1


async def seen(house: House) -> Seen:
    """What an owner is told that loads the universe now."""
    nobody = SimpleNamespace(live=frozenset)
    asked = await open_witnesses(house.bus, cast("Any", nobody))
    await house.bus.flush()
    return await asked.furthest(house.universe, None)


async def test_owners_are_told_what_was_seen_in_a_lost_room_until_one_has_settled_it(
    house: House,
) -> None:
    """Whichever replica becomes the owner, and whether anybody enters the room here again."""
    await house.is_in(Spoken("ann"))
    house.memberships.logs.told(house.universe, 9)
    assert await seen(house) == Seen(5, 9)
    house.rooms.lose(house.universe)
    await house.tasks.done()
    assert await seen(house) == Seen(0, 9)
    # It is entered again, with less, and left.
    bob = Spoken("bob")
    await house.is_in(bob, 4)
    assert await seen(house) == Seen(4, 9)
    house.rooms.depart(bob.as_connection)
    await house.tasks.done()
    assert await seen(house) == Seen(0, 9)
    named = house.rooms.losses.named_next(9)
    house.rooms.losses.answered(named, [house.universe])
    await house.tasks.done()
    assert await seen(house) == NOTHING_SEEN


async def test_of_a_lost_room_only_questions_are_heard(house: House) -> None:
    await house.is_in(Spoken("ann"))
    house.memberships.logs.told(house.universe, 9)
    house.rooms.lose(house.universe)
    await house.tasks.done()
    await house.is_in(Spoken("bob"), 4)
    await house.bus.publish(
        subjects.signal(house.universe), b"one", headers={ATTACHMENT_BYTES: "3"}
    )
    await house.arrived()
    assert house.signals == ["one"]
    assert house.rooms.losses.seqs([house.universe]) == {house.universe: 9}
    assert len(house.rooms.losses) == 1


async def test_who_only_follows_a_room_has_seen_its_frames_as_well(house: House) -> None:
    class Follower:
        universe_id = house.universe

        def attached(self, position: int | None) -> None:
            assert position is None

    house.rooms.attach(cast("Any", Follower()))
    await house.rooms.follow(house.universe)
    house.memberships.logs.told(house.universe, 3)
    assert await seen(house) == Seen(0, 3)


async def test_where_the_log_was_trimmed_all_begin_anew(house: House) -> None:
    ann, bob = Spoken("ann"), Spoken("bob")
    first, second = await house.is_in(ann), await house.enters(bob)
    house.history.parts = [LogTrimmed()]
    await house.stores(8, 7)
    await house.tasks.done()
    assert [ann.closed, bob.closed] == [True, True]
    assert [first.stage, second.stage] == [Presence.GONE, Presence.GONE]
    assert house.rooms.admit(second) is Entry.GONE
    assert house.rooms.positions() == {}

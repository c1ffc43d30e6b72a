"""Carrying commands out: who is asked, what is relayed, and for whom."""

import asyncio
from typing import Any, cast

import pytest

from gateway.drivers import NotingAnswers, ScriptedOwners, Spoken, as_owners
from harmonic_gateway.commands.execution import Commands
from harmonic_gateway.commands.mailbox import Queued
from harmonic_gateway.membership.memberships import Memberships
from harmonic_protocol import subjects
from harmonic_protocol.envelope import NO_TRACE, Reply
from harmonic_protocol.messages.audio import AudioAnalysis
from harmonic_protocol.messages.parameters import PHYSICS
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import Mode
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.process.clock import SystemClock

FULL = refused(Code.ROOM_FULL, "The room is full")
ANALYSIS = {"frequencies": [], "waveform": [], "timestamp": "2024-03-21T10:30:00.000Z"}
AUDIO = AudioAnalysis.model_validate({"universeId": "u", "analysis": ANALYSIS})
CHANGE = PHYSICS.command.model_validate({"universeId": "u", "parameters": {"gravity": 1}})


class Post:
    """The bus, as far as signals are posted on it."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.is_away = False

    async def publish(self, subject: str, _payload: bytes, **_: object) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        self.posted.append(subject)


class Ways:
    """Joining and leaving, and what logs are expected to hold."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float]] = []
        self.expected: list[tuple[str, int | None]] = []
        self.outcome: Reply | Refused = Reply(seq=3)
        self.cancelled = 0

    async def join(
        self, _session: object, _join: object, until_s: float, *_: object
    ) -> Reply | Refused:
        self.taken.append(("join", until_s))
        return self.outcome

    async def leave(
        self, _session: object, _leave: object, until_s: float, *_: object
    ) -> Reply | Refused:
        self.taken.append(("leave", until_s))
        return self.outcome

    def expect(self, universe_id: str, position: int | None) -> None:
        self.expected.append((universe_id, position))

    async def cancel(self, _session: object) -> None:
        self.cancelled += 1


class Counter:
    """Commands with everything around them in the test's hands."""

    def __init__(self) -> None:
        self.post, self.ways, self.owners = Post(), Ways(), ScriptedOwners()
        self.answers, self.memberships = NotingAnswers(), Memberships()
        self.ann = Spoken("ann")
        self.commands = Commands(
            bus=cast("Any", self.post),
            owners=as_owners(self.owners),
            memberships=self.memberships,
            rooms=cast("Any", self.ways),
            joining=cast("Any", self.ways),
            cancel_return=cast("Any", self.ways.cancel),
            answers=cast("Any", self.answers),
            clock=SystemClock(),
        )

    def is_member(self, mode: Mode) -> None:
        membership = self.memberships.enter(self.ann.as_connection, "u")
        self.memberships.answered(membership, 5, mode)
        self.memberships.admit(membership)

    async def carries_out(self, command: Any) -> Refused | None:
        queued = cast("Queued", _Queued())
        return await self.commands.carry_out(self.ann.as_session, command, queued)


class _Queued:
    name, ack_id, deadline_s, trace = "command", 1, 7.0, NO_TRACE


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.mark.parametrize(
    ("command", "way"),
    [
        (JoinRoom.model_validate({"universeId": "u", "mode": "edit"}), "join"),
        (LeaveRoom.model_validate({"universeId": "u"}), "leave"),
    ],
)
async def test_joins_and_leaves_end_what_is_pending_of_an_earlier_session(
    counter: Counter, command: Any, way: str
) -> None:
    assert await counter.carries_out(command) is None
    assert counter.ways.taken == [(way, 7.0)]
    assert counter.ways.cancelled == 1
    assert counter.answers.told.accepted == [(counter.ann.id, "command")]
    counter.ways.outcome = FULL
    assert await counter.carries_out(command) is FULL
    assert len(counter.answers.told.accepted) == 1


async def test_what_an_owner_stored_is_expected_of_the_log(counter: Counter) -> None:
    carrying = asyncio.create_task(counter.carries_out(CHANGE))
    await counter.owners.reply(Reply(seq=3, position=9))
    assert await carrying is None
    assert counter.ways.expected == [("u", 9)]
    assert counter.ways.cancelled == 0
    carrying = asyncio.create_task(counter.carries_out(CHANGE))
    await counter.owners.reply(Reply(error=FULL))
    assert await carrying == FULL


async def test_a_live_signal_is_relayed_for_who_is_in_the_room_to_edit(counter: Counter) -> None:
    counter.is_member("edit")
    assert await counter.carries_out(AUDIO) is None
    assert counter.post.posted == [subjects.signal("u")]
    counter.post.is_away = True
    refusal = await counter.carries_out(AUDIO)
    assert refusal is not None
    assert refusal.code is Code.INTERNAL_ERROR


async def test_nothing_is_relayed_for_who_only_views(counter: Counter) -> None:
    counter.is_member("view")
    refusal = await counter.carries_out(AUDIO)
    assert refusal is not None
    assert refusal.reason is Reason.VIEW_ONLY
    assert counter.post.posted == []


async def test_nothing_is_relayed_for_who_is_not_in_the_room_or_was_removed(
    counter: Counter,
) -> None:
    for _ in range(2):
        refusal = await counter.carries_out(AUDIO)
        assert refusal is not None
        assert refusal.reason is Reason.NOT_IN_ROOM
        counter.is_member("edit")
        counter.memberships.unseat("u", counter.ann.id, 6, FULL)
    assert counter.post.posted == []

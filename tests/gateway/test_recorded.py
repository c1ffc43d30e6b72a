"""Commands that their records answer: once each, and none if a record may have been missed."""

import asyncio
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_gateway.owners import Owners
from harmonic_gateway.recorded import RecordedCommands
from harmonic_protocol.envelope import (
    NO_TRACE,
    POSITION,
    REQUEST,
    SEQ,
    Caller,
    Envelope,
    Reply,
)
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.parameters import PHYSICS
from harmonic_protocol.reasons import Reason
from harmonic_runtime.bus.client import Answer, BusTimeout, BusUnavailable
from harmonic_runtime.bus.wire import NO_HEADERS, Message
from harmonic_runtime.process.clock import SystemClock

CHANGE = PHYSICS.command.model_validate({"universeId": "u", "parameters": {"gravity": 1}})
PIECE = GenerateMusic.model_validate({"universeId": "u", "duration": 8})


def test_a_record_ends_the_commands_that_it_names_and_no_other() -> None:
    commands, ends = RecordedCommands(), list[tuple[int, Reply | None]]()

    def note(number: int) -> Callable[[Reply | None], None]:
        return lambda reply: ends.append((number, reply))

    names = [commands.add("u", note(number)) for number in (1, 2, 3)]
    commands.stored(f"{names[0]}=7 another-gateway.1=8 {names[2]}=9", 5)
    commands.stored(f"{names[0]}=7", 5)
    assert ends == [(1, Reply(seq=7, position=5)), (3, Reply(seq=9, position=5))]
    commands.remove(names[1])
    commands.stored(f"{names[1]}=10", 6)
    assert len(ends) == 2
    assert len(commands) == 0


def test_names_of_an_earlier_process_are_no_commands_of_this_one() -> None:
    before, now = RecordedCommands(), RecordedCommands()
    first = before.add("u", lambda _: None)
    assert now.add("u", lambda _: pytest.fail("another command was carried out")) != first
    now.stored(f"{first}=7", 5)
    assert len(now) == 1


@pytest.mark.parametrize(("universe_id", "left"), [("u", 1), ("other", 2), (None, 0)])
def test_what_may_have_been_missed_is_ended_without_a_reply(
    universe_id: str | None, left: int
) -> None:
    commands, ends = RecordedCommands(), list[Reply | None]()
    for each in ("u", "v"):
        commands.add(each, ends.append)
    commands.missed(universe_id)
    assert ends == [None] * (2 - left)
    assert len(commands) == left


class _Logs:
    """One log, and what is known of it here."""

    followed: int | None = 4
    known_seq: int = 0

    def position(self, _: str) -> int | None:
        return self.followed

    def seq(self, _: str) -> int:
        return self.known_seq

    def told(self, _: str, seq: int) -> None:
        self.known_seq = max(self.known_seq, seq)


class Asked:
    """A client of owners who answer when, and as, the test says."""

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = {}
        self.on_answer: Callable[[Any], None] = lambda _: None
        self.ended: list[str] = []
        self.replies: list[Any] = []
        self.logs = _Logs()
        self.owners = Owners(cast("Any", self), cast("Any", _Clock()), 5.0, self.logs)

    def begin(
        self,
        _key: str = "",
        *,
        headers: Mapping[str, str],
        on_answer: Callable[[Any], None],
        **_: object,
    ) -> str:
        self.headers, self.on_answer = headers, on_answer
        return "inbox.1"

    def answered(self, asked: str) -> None:
        self.ended.append(asked)

    def asks(self, command: Any = CHANGE) -> str:
        """Ask for a command; its name, if it has one."""
        self.owners.begin(
            *("u", command.operation(), command, Caller("ann", "Ann"), NO_TRACE),
            until_s=SystemClock.monotonic() + 5,
            on_reply=self.replies.append,
        )
        return self.headers.get(REQUEST, "")

    async def answers(self, answer: Answer | Any) -> None:
        self.on_answer(answer)
        await asyncio.sleep(0)


class _Clock(SystemClock):
    is_shared = True


@pytest.fixture
async def asked() -> Asked:
    return Asked()


async def test_a_change_of_parameters_is_answered_by_its_record_in_the_same_turn(
    asked: Asked,
) -> None:
    name = asked.asks()
    asked.owners.recorded.stored(f"{name}=9", 5)
    assert asked.replies == [Reply(seq=9, position=5)]
    assert asked.ended == ["inbox.1"]


@pytest.mark.parametrize(("command", "position"), [(PIECE, 4), (CHANGE, None), (CHANGE, 0)])
async def test_other_commands_and_unfollowed_logs_have_replies(
    asked: Asked, command: Any, position: int | None
) -> None:
    asked.logs.followed = position
    assert asked.asks(command) == ""
    await asked.answers(Message("inbox.1", b'{"seq":9,"position":5}', NO_HEADERS, ""))
    assert asked.replies == [Reply(seq=9, position=5)]


async def test_owners_are_told_the_last_number_that_they_named_also_of_a_lost_log(
    asked: Asked,
) -> None:
    asked.asks(PIECE)
    assert SEQ not in asked.headers
    await asked.answers(Message("inbox.1", b'{"seq":9,"position":5}', NO_HEADERS, ""))
    asked.logs.followed = None
    asked.asks(PIECE)
    assert POSITION not in asked.headers
    assert Envelope.from_headers(asked.headers).seq == 9


async def test_a_reply_that_comes_first_is_the_only_one(asked: Asked) -> None:
    name = asked.asks()
    await asked.answers(Message("inbox.1", b'{"seq":9,"position":5}', NO_HEADERS, ""))
    asked.owners.recorded.stored(f"{name}=9", 5)
    assert asked.replies == [Reply(seq=9, position=5)]


@pytest.mark.parametrize("why", [BusTimeout("silent"), None])
async def test_without_a_reply_or_a_record_the_outcome_is_unknown(
    asked: Asked, why: BusUnavailable | None
) -> None:
    asked.asks()
    if why is None:
        asked.owners.recorded.missed()
    else:
        await asked.answers(why)
    [reply] = asked.replies
    assert reply.error.details["reason"] == Reason.OUTCOME_UNKNOWN
    assert len(asked.owners.recorded) == 0


async def test_the_next_replica_is_asked_for_a_reply(asked: Asked) -> None:
    async def next_replica() -> Message:
        assert REQUEST not in asked.headers
        return Message("inbox.2", b'{"seq":9,"position":5}', NO_HEADERS, "")

    assert asked.asks()
    await asked.answers(next_replica())
    [answering] = asked.replies
    assert await answering == Reply(seq=9, position=5)


async def test_what_cannot_be_sent_is_answered_once(asked: Asked) -> None:
    def away(**_: object) -> str:
        raise BusUnavailable("away")

    asked.owners._client = cast("Any", SimpleNamespace(begin=away))
    asked.asks()
    await asyncio.sleep(0)
    assert len(asked.replies) == 1
    assert len(asked.owners.recorded) == 0

"""What a user has read for its streams is paid for from the user's share of the gateway."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from harmonic_gateway.delivery.places import Place
from harmonic_gateway.http.followed_stream import RECORD_COST_S, FollowedStream, StreamMeans
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.pace import PaceLimits, UserBudgets
from harmonic_gateway.membership.follower import StreamEnd
from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import LoggedRecord, LogPart
from harmonic_protocol.log import Record
from harmonic_protocol.messages.following import FollowUniverse, UniverseFollowed, UniverseState
from harmonic_protocol.messages.parameters import Parameters

UNIVERSE, USER = "u", "reader"
NOW = "2024-03-21T10:30:00.000Z"
END = 1000
LIMITS = PaceLimits(connection_percent=5, user_percent=10, refusals_per_s=1, refusals_burst=1)


class Log:
    """A log of empty records, read in parts, and when each part was asked for."""

    def __init__(self, budgets: UserBudgets) -> None:
        self.budget = budgets.of(USER)
        self.waits_s: list[float] = []

    async def read(self, _: str, after: int, **__: object) -> LogPart:
        self.waits_s.append(self.budget.wait_s(asyncio.get_running_loop().time()))
        records = tuple(
            LoggedRecord(position=position, record=Record(id=f"r{position}", at=NOW, events=()))
            for position in range(after + 1, min(after + 200, END) + 1)
        )
        return LogPart(records=records, complete=records[-1:] == ())


class Owners:
    """The owner of a universe whose log ends at a position."""

    async def ask(self, *_: object) -> Reply:
        state = UniverseState(
            universe_id=UNIVERSE, participants=(), parameters=Parameters(), timestamp=NOW, seq=1
        )
        return Reply(position=END, result=UniverseFollowed(state=state, record=f"r{END}").to_wire())


class Rooms:
    """Rooms that deliver nothing."""

    def attach(self, follower: Any) -> None:
        follower.attached(END)

    async def follow(self, _: str) -> None:
        """It is followed."""

    def begin(self, follower: Any, position: int) -> None:
        follower.begun(position)


def opened(budgets: UserBudgets, log: Log) -> FollowedStream:
    """A stream of the universe from its beginning."""
    good = SimpleNamespace(refusal=lambda _: None)
    means = StreamMeans(*cast("Any", (Rooms(), Owners(), log, good, "g1", 1_000_000, budgets)))
    asked = FollowUniverse.model_validate({"universeId": UNIVERSE})
    return FollowedStream(means, Identity(USER, USER, 2**40), asked, Place(0))


async def read_whole(budgets: UserBudgets, log: Log) -> None:
    """Follow the universe from its beginning until all was read."""
    stream = opened(budgets, log)
    assert await stream.begin() is None
    serving = asyncio.create_task(stream.serve(cast("Any", None)))
    async with asyncio.timeout(60):
        while (at := stream.follower.place) is None or at.position < END:  # noqa: ASYNC110 -- it shows nowhere else
            await asyncio.sleep(0.01)
    stream.follower.end(StreamEnd.CLIENT)
    await serving


async def test_what_is_read_is_charged_to_the_user() -> None:
    budgets = UserBudgets(LIMITS)
    log = Log(budgets)
    began_s = asyncio.get_running_loop().time()
    await read_whole(budgets, log)
    assert log.waits_s == [0.0] * 5
    # Ten percent of a core earn it back in ten times as long.
    assert log.budget.busy_s(began_s) > 9.9 * END * RECORD_COST_S


async def test_a_user_that_has_had_too_much_read_waits_until_it_may_have_more() -> None:
    budgets = UserBudgets(LIMITS)
    log = Log(budgets)
    log.budget.spend(0.55, asyncio.get_running_loop().time())
    await read_whole(budgets, log)
    # Each part was asked for when what was read before was paid for.
    assert log.waits_s == [0.0] * 5


async def test_a_stream_that_waits_for_its_turn_ends_when_it_is_to() -> None:
    budgets = UserBudgets(LIMITS)
    log = Log(budgets)
    log.budget.spend(100, asyncio.get_running_loop().time())
    stream = opened(budgets, log)
    assert await stream.begin() is None
    serving = asyncio.create_task(stream.serve(cast("Any", None)))
    await asyncio.sleep(0.05)
    stream.follower.end(StreamEnd.CLIENT)
    assert (await serving).end is StreamEnd.CLIENT
    assert log.waits_s == []

"""What waits on the Python client ends when nothing will come any more, whyever that is."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from harmonic_client import (
    AnyEvent,
    Client,
    Code,
    HarmonicError,
    ParametersUpdated,
    Reason,
    RefusedError,
    SharedUniverse,
    UnansweredError,
    connect,
)
from harmonic_operator.steering import store_revocation
from harmonic_protocol import subjects
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S
from harness.people import People
from harness.world import World

#: What a client is given for a token that proves nothing.
NONSENSE = "nonsense"


async def drained(events: AsyncIterator[AnyEvent]) -> None:
    """Take all events until there are no more."""
    async with asyncio.timeout(PATIENCE_S):
        async for _ in events:
            pass


async def failed(waiting: Awaitable[object]) -> HarmonicError:
    """What an await raised."""
    with pytest.raises(HarmonicError) as caught:
        await asyncio.wait_for(waiting, PATIENCE_S)
    return caught.value


class Tokens:
    """What a client is given for its tokens, which may change."""

    def __init__(self, world: World, user: str) -> None:
        self._world = world
        self._user = user
        self.given: str | None = None
        self.fails = False

    def __call__(self) -> str:
        if self.fails:
            raise OSError("the identity provider is away")
        return self.given or self._world.token(self._user)


@asynccontextmanager
async def joined(people: People, user: str) -> AsyncIterator[tuple[Client, SharedUniverse, Tokens]]:
    """A user's client in the universe, and where its tokens come from."""
    tokens = Tokens(people.world, user)
    url = people.world.stack.urls[0]
    async with connect(url, tokens, patience_s=PATIENCE_S) as client:
        yield client, await client.join(people.universe), tokens


async def test_all_that_waits_ends_where_a_reconnection_is_refused(people: People) -> None:
    async with joined(people, "ann") as (client, ann, tokens):
        waiting = asyncio.create_task(drained(aiter(ann)))
        tokens.given = NONSENSE
        await client.cut()
        await ann.until(lambda: ann.status == "away", PATIENCE_S)
        change, mode = ann.set(physics={"gravity": 3}), asyncio.create_task(ann.join("view"))

        for each in (waiting, change, mode, drained(aiter(ann)), client.join("another")):
            error = await failed(each)
            assert isinstance(error, RefusedError), error
            assert (error.code, error.reason) == (Code.AUTH_ERROR, Reason.INVALID)
        assert (client.status, ann.mode, ann.unsettled) == ("refused", "edit", False)

        # It is not over for good: with a token, it goes on.
        tokens.given = None
        client.connect()
        await ann.until(lambda: ann.status == "joined", PATIENCE_S)
        again = aiter(ann)
        await ann.set(physics={"gravity": 4})
        async with asyncio.timeout(PATIENCE_S):
            async for event in again:
                if isinstance(event, ParametersUpdated):
                    break


async def test_whoever_is_revoked_is_raised_it(people: People, world: World) -> None:
    user = world.name("ann")
    async with joined(people, user) as (client, ann, _):
        waiting = asyncio.create_task(drained(aiter(ann)))
        async with connected_as("operator", world.stack) as bus:
            await store_revocation(Streams(bus), subjects.revoked_user(user), time.time())
        error = await failed(waiting)
        assert isinstance(error, RefusedError)
        assert (error.reason, client.status) == (Reason.REVOKED, "refused")


async def test_tokens_that_stay_expired_end_what_waits(people: People, world: World) -> None:
    async with joined(people, "ann") as (client, ann, tokens):
        waiting = asyncio.create_task(drained(aiter(ann)))
        tokens.given = world.token("ann", lifetime_s=-60)
        await client.cut()
        error = await failed(waiting)
        assert isinstance(error, RefusedError)
        assert (error.reason, client.status) == (Reason.EXPIRED, "refused")


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [("DELETE", "participants", Reason.KICKED), ("PUT", "bans", Reason.BANNED)],
)
async def test_whoever_is_removed_is_raised_why(
    people: People, world: World, method: str, path: str, reason: Reason
) -> None:
    async with joined(people, "ann") as (client, ann, _):
        waiting = asyncio.create_task(drained(aiter(ann)))
        status, _ = await world.call(
            method, f"/universes/{people.universe}/{path}/ann", "owner", gateway=1
        )
        assert status == 204
        for told in (await failed(waiting), await failed(drained(aiter(ann)))):
            assert isinstance(told, RefusedError)
            assert told.reason is reason
        with pytest.raises(UnansweredError, match="not joined"):
            ann.set(physics={"gravity": 3})
        assert client.status == "connected"
        # A ban is told again, and a kick is no ban.
        if reason is Reason.KICKED:
            await ann.join()
            await ann.set(physics={"gravity": 4})


async def _nothing(_: Client, __: Tokens) -> None:
    """It is connected."""


async def _is_away(client: Client, tokens: Tokens) -> None:
    tokens.fails = True
    await client.cut()
    await client.until(lambda: client.error is not None, PATIENCE_S)


async def _is_refused(client: Client, tokens: Tokens) -> None:
    tokens.given = NONSENSE
    await client.cut()
    await client.until(lambda: client.status == "refused", PATIENCE_S)


@pytest.mark.parametrize("happened", [_nothing, _is_away, _is_refused])
async def test_closing_ends_all_that_waits_however_the_connection_is(
    people: People, happened: Callable[[Client, Tokens], Awaitable[None]]
) -> None:
    async with joined(people, "ann") as (client, ann, tokens):
        events = aiter(ann)
        await happened(client, tokens)
        is_refused = client.status == "refused"
        # In the turn in which the client is closed: nothing of it is sent.
        change = ann.set(physics={"gravity": 3})
        await client.close()

        assert isinstance(await failed(change), UnansweredError)
        if is_refused:
            assert isinstance(await failed(drained(events)), RefusedError)
        else:
            await drained(events)
        await drained(aiter(ann))
        assert isinstance(await failed(ann.join("view")), UnansweredError)
        assert isinstance(await failed(ann.set(physics={"gravity": 4})), UnansweredError)
        await asyncio.wait_for(ann.leave(), PATIENCE_S)

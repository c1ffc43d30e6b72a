"""What each kind of client sees after each kind of loss, as the protocol's documents say."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harmonic_protocol.export.returning import LOSSES, SIGHTS, Sight
from harness.client import Client
from harness.faults import down, frozen
from harness.javascript import Bridge, javascript
from harness.world import World, started
from recovery.proxy import Loss
from recovery.visitors import KINDS, Visitor, visitor

PING_S = 1
#: Longer than a client and a gateway need to miss one another.
ASLEEP_S = 3 * PING_S
STOPPED_S = 12.0


@pytest.fixture(scope="module")
async def quick(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product whose pings are as quick as may be; gateways are killed and started again."""
    async with started(
        tmp_path_factory.mktemp("returns"),
        musics=0,
        HARMONIC_PING_INTERVAL_S=str(PING_S),
        HARMONIC_PING_TIMEOUT_S=str(PING_S),
        HARMONIC_ALLOWED_ORIGINS="*",
    ) as running:
        yield running


@pytest.fixture(scope="module")
async def bridge() -> AsyncIterator[Bridge]:
    async with javascript() as running:
        yield running


@dataclass
class Play:
    """A user with clients of one kind, and somebody else who is in the room and changes it."""

    world: World
    bridge: Bridge
    kind: str
    user: str
    universe: str
    other: Client
    stack: AsyncExitStack
    gravity: float = 0.0
    visitors: list[Visitor] = field(default_factory=list)

    async def enters(self) -> Visitor:
        """A client that is in the room, and has heard of a change."""
        client = await self.another()
        await client.comes()
        await client.joins(self.universe)
        await self.other.hears("participant_joined")
        await self.changes()
        await client.listener.hears("physics_updated", universeId=self.universe)
        return client

    async def another(self) -> Visitor:
        """Another client of the user, which has not come yet."""
        made = visitor(self.world, self.bridge, self.kind, self.user)
        client = await self.stack.enter_async_context(made)
        self.visitors.append(client)
        return client

    async def changes(self) -> None:
        """Something happens in the room."""
        self.gravity += 1
        answer = await self.other.asks(
            "update_physics", universeId=self.universe, parameters={"gravity": self.gravity}
        )
        assert answer["ok"], answer

    async def sees(self, client: Visitor, greeting: dict[str, Any]) -> Sight:
        """What a client sees that is there again, after the room has changed once."""
        recovery = greeting["recovery"]
        if recovery["outcome"] == "new":
            assert recovery["reason"] == "GOODBYE"
            await self.is_given_nothing(client)
            left = await self.other.hears("participant_left")
            assert left["userId"] == self.user
            return Sight.NEW
        joined = await client.listener.hears("room_joined", universeId=self.universe)
        assert [someone["userId"] for someone in joined["participants"]].count(self.user) == 1
        replayed = await client.listener.hears("physics_updated", replayed=True)
        while replayed["parameters"]["gravity"] != self.gravity:
            # Without an offset, some of it was there before.
            replayed = await client.listener.hears("physics_updated", replayed=True)
        recovered = await client.listener.hears("state_recovered", universeId=self.universe)
        assert recovered["recovered"] is True
        await self.changes()
        live = await client.listener.hears("physics_updated", universeId=self.universe)
        assert (live["parameters"]["gravity"], "replayed" in live) == (self.gravity, False)
        assert greeting["recovered"] == (recovery["outcome"] == "recovered")
        if recovery["outcome"] == "recovered":
            assert "reason" not in recovery
            return Sight.RECOVERED
        assert recovery == {"outcome": "pending", "reason": "PENDING"}
        return Sight.PENDING

    async def is_given_nothing(self, client: Visitor) -> None:
        """It joins another room, and was put into none before."""
        names = [name for name, _ in client.listener.heard]
        greeted_at = len(names) - names[::-1].index("connect_success")
        another = await self.world.universe()
        await client.joins(another)
        heard = client.listener.heard[greeted_at:]
        rooms = [data["universeId"] for name, data in heard if name == "room_joined"]
        assert rooms == [another]


@pytest.fixture(params=KINDS)
async def play(request: pytest.FixtureRequest, quick: Stack, bridge: Bridge) -> AsyncIterator[Play]:
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        yield await begin(World(quick, http), bridge, str(request.param), stack)


async def begin(world: World, bridge: Bridge, kind: str, stack: AsyncExitStack) -> Play:
    """Somebody in a room of their own."""
    universe = await world.universe()
    other = await world.client(world.name("other"), gateway=1)
    stack.push_async_callback(world.close)
    await other.joins(universe)
    return Play(world, bridge, kind, world.name("user"), universe, other, stack)


def assert_as_documented(play: Play, loss: str, seen: Sight) -> None:
    index = [each.name for each in LOSSES].index(loss)
    cell = SIGHTS[play.kind][index]
    assert cell.by_test
    expected = {Sight.RECOVERED, Sight.PENDING} if cell.sight is Sight.BACK else {cell.sight}
    assert seen in expected


def test_the_documents_have_a_cell_for_each_client_and_loss() -> None:
    assert list(SIGHTS) == list(KINDS)
    assert {len(cells) for cells in SIGHTS.values()} == {len(LOSSES)}


@pytest.mark.parametrize("loss", ["reload", "tab closed"])
async def test_a_page_that_is_left_and_another_one(play: Play, loss: str) -> None:
    first = await play.enters()
    await first.ends()
    await play.changes()
    second = await play.another()
    assert_as_documented(play, loss, await play.sees(second, await second.comes()))


async def test_a_process_that_is_killed_and_another_one(play: Play) -> None:
    first = await play.enters()
    await first.dies()
    await play.changes()
    second = await play.another()
    assert_as_documented(play, "tab killed", await play.sees(second, await second.comes()))


async def test_a_page_that_is_restored_from_the_cache(play: Play) -> None:
    client = await play.enters()
    await client.is_stored()
    await play.changes()
    await client.is_restored()
    greeting = await client.listener.hears("connect_success")
    seen = await play.sees(client, greeting)
    assert_as_documented(play, "back-forward cache", seen)


async def test_a_laptop_that_sleeps(play: Play) -> None:
    client = await play.enters()
    await client.loses(Loss.HANG, for_good=True)
    await play.changes()
    # As long as it sleeps; nothing tells of it.
    await asyncio.sleep(ASLEEP_S)
    client.balancer.takes_in = True
    greeting = await client.listener.hears("connect_success")
    assert_as_documented(play, "laptop asleep", await play.sees(client, greeting))


async def test_a_gateway_that_is_killed(play: Play) -> None:
    client = await play.enters()
    async with down(play.world.stack.gateways[0]):
        client.balancer.takes_in = False
        await play.changes()
        client.balancer.takes_in = True
        greeting = await client.listener.hears("connect_success")
        seen = await play.sees(client, greeting)
    assert_as_documented(play, "gateway killed", seen)


async def test_a_phone_that_changes_its_network(play: Play) -> None:
    client = await play.enters()
    await client.loses(Loss.HALF_OPEN, for_good=True)
    await play.changes()
    client.balancer.takes_in = True
    greeting = await client.listener.hears("connect_success")
    assert_as_documented(play, "Wi-Fi to mobile", await play.sees(client, greeting))


async def test_two_devices_of_one_user(play: Play) -> None:
    first, second = await play.enters(), await play.another()
    greeting = await second.comes()
    assert greeting["recovery"]["outcome"] in {"new", "pending"}
    await play.is_given_nothing(second)
    mine = second.listener.all_heard("room_joined")
    await first.loses(Loss.CUT, for_good=True)
    await play.changes()
    first.balancer.takes_in = True
    again = await first.listener.hears("connect_success")
    assert await play.sees(first, again) in {Sight.RECOVERED, Sight.PENDING}
    assert second.listener.all_heard("room_joined") == mine
    assert len(second.listener.all_heard("connect_success")) == 1
    assert_as_documented(play, "two devices", Sight.OWN)


@pytest.fixture(scope="module")
async def after_a_stop(
    tmp_path_factory: pytest.TempPathFactory, bridge: Bridge
) -> Mapping[str, tuple[Play, Sight]]:
    """What clients of all kinds see whose gateway did nothing for a time, with usual pings."""
    directory = tmp_path_factory.mktemp("stopped")
    async with (
        started(directory, musics=0, HARMONIC_ALLOWED_ORIGINS="*") as running,
        aiohttp.ClientSession() as http,
        AsyncExitStack() as stack,
    ):
        plays = [await begin(World(running, http), bridge, kind, stack) for kind in KINDS]
        clients = [await play.enters() for play in plays]

        async def comes_back(play: Play, client: Visitor) -> Sight:
            greeting = await client.listener.hears("connect_success")
            return await play.sees(client, greeting)

        with frozen(running.gateways[0]):
            for play in plays:
                await play.changes()
            coming = [
                asyncio.create_task(comes_back(play, client))
                for play, client in zip(plays, clients, strict=True)
            ]
            # As long as it is stopped; nothing tells of it.
            await asyncio.sleep(STOPPED_S)
        seen = await asyncio.gather(*coming)
        return {play.kind: (play, sight) for play, sight in zip(plays, seen, strict=True)}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_gateway_that_is_stopped_for_a_time(
    after_a_stop: Mapping[str, tuple[Play, Sight]], kind: str
) -> None:
    play, seen = after_a_stop[kind]
    assert_as_documented(play, "gateway stopped", seen)

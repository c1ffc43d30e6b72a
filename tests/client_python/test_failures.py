"""The Python client where gateways are killed, connections are cut, and limits are reached."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from harmonic_client import (
    Client,
    ParametersUpdated,
    Reason,
    RefusedError,
    RoomRefused,
    SharedUniverse,
)
from harness.client import PATIENCE_S
from harness.people import People
from harness.world import World, started
from recovery.cuts import Cutter
from recovery.proxy import Link, proxy

CUTS_PER_S, CUTS, MEMBERS = 4.0, 12, 6
LINGER_S = 1.0
UPDATES = {"physics_updated", "music_updated"}
NAMES = ("gateway-1", "gateway-2")


@pytest.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A product that takes five updates a second of a user, and few events of a connection."""
    limits = started(
        tmp_path_factory.mktemp("stack"),
        musics=0,
        HARMONIC_ALLOWED_PARAMETER_UPDATES="300",
        HARMONIC_EVENTS_PER_S="5",
        HARMONIC_EVENTS_BURST="40",
    )
    async with limits as stack, aiohttp.ClientSession() as http:
        yield World(stack, http)


class Follower:
    """Keeps the numbers of the stored frames that a consumer is given."""

    def __init__(self, universe: SharedUniverse) -> None:
        self.seqs: list[int] = []
        self._universe = universe
        self._events = aiter(universe)

    async def follow(self, last: int) -> list[int]:
        """All until that one."""
        async with asyncio.timeout(PATIENCE_S):
            async for event in self._events:
                if isinstance(event, ParametersUpdated) and event.seq is not None:
                    self.seqs.append(event.seq)
                    if event.seq == last:
                        break
        return self.seqs


async def stored(world: World, universe: str, after: int) -> list[int]:
    """The numbers of the updates in the log."""
    seqs: list[int] = []
    while True:
        path = f"/universes/{universe}/events?after={after}"
        _, page = await world.call("GET", path, "owner")
        if not page["items"]:
            return seqs
        updates = [item for item in page["items"] if item["event"] in UPDATES]
        seqs += [item["data"]["seq"] for item in updates]
        after = page["items"][-1]["data"]["seq"]


async def test_a_slider_is_merged_within_the_limit_and_goes_on_after_a_refusal(
    limited: World,
) -> None:
    people = People(limited, await limited.universe())
    client, ann = await people.joins("ann")
    _, ben = await people.joins("ben", gateway=1)
    follower = Follower(ben)
    assert client.limits is not None
    assert client.limits.parameters_per_minute == 300

    drag = [ann.set(physics={"gravity": number / 10}) for number in range(1, 101)]
    first, *_, last = await asyncio.gather(*drag)
    assert len(await follower.follow(last)) == len({await each for each in drag}) < 5
    assert (ben.parameters.physics.gravity, ann.error, first < last) == (10, None, False)

    # Something else on Cat's connection asks for too much in the turn in which she sets a value.
    client, cat = await people.joins("cat")

    async def adds() -> asyncio.Future[int]:
        await cat.until(lambda: cat.held_back_until_ms is not None, PATIENCE_S)
        return cat.set(physics={"gravity": 2}, music={"tempo": 77})

    async with asyncio.TaskGroup() as flood:
        adding = flood.create_task(adds())
        for _ in range(60):
            flood.create_task(client.emit("time_sync", {"t0": 0}))
        one = cat.set(physics={"gravity": 1})
    assert (await one, cat.held_back_until_ms) == (await adding.result(), None)
    await ben.until(lambda: ben.parameters.music.tempo == 77, PATIENCE_S)
    assert ben.parameters.physics.gravity == 2
    await people.go()


async def test_a_client_of_a_killed_gateway_misses_nothing(limited: World) -> None:
    people = People(limited, await limited.universe())
    async with proxy(limited.stack.gateway_ports, NAMES, linger_s=LINGER_S) as balancer:
        _, ann = await people.joins("ann", url=balancer.url)
        _, ben = await people.joins("ben", gateway=1)
        ours, theirs = Follower(ann), Follower(ben)
        seen = ann.set(physics={"gravity": 1})

        await limited.stack.gateways[0].crash()
        await ann.until(lambda: ann.status == "away", PATIENCE_S)
        for gravity in range(5, 10):
            await ben.set(physics={"gravity": gravity})
        await seen
        last = await ann.set(physics={"gravity": 11})

        assert await ours.follow(last) == await theirs.follow(last)
        assert ann.parameters == ben.parameters
        await people.go()
    await limited.stack.gateways[0].start()


@asynccontextmanager
async def far(people: People, user: str) -> AsyncIterator[tuple[Client, Link]]:
    """A client, and its connection, which can be held up."""
    ports = people.world.stack.gateway_ports
    async with proxy(ports, NAMES, linger_s=LINGER_S) as balancer:
        client = await people.client(user, url=balancer.url)
        yield client, next(iter(balancer.links))
        await people.go()


@pytest.mark.parametrize("is_in", [False, True])
async def test_a_kick_that_is_read_along_with_the_answer_to_a_join_is_heard(
    world: World, *, is_in: bool
) -> None:
    people = People(world, await world.universe())
    async with far(people, "ann") as (client, link), asyncio.timeout(PATIENCE_S):
        ann = await client.join(people.universe, "view")
        if not is_in:
            await ann.leave()
        link.hold()
        joining = asyncio.create_task(ann.join("edit"))
        await link.holds(b"room_joined")
        path = f"/universes/{people.universe}/participants/ann"
        assert (await world.call("DELETE", path, "owner"))[0] == 204
        await link.holds(b"room_error")
        link.release()

        # By when its task has its turn, the join may have ended before the kick, or in it.
        await asyncio.gather(joining, return_exceptions=True)
        await ann.until(lambda: ann.status == "refused")
        assert isinstance(ann.error, RefusedError)
        assert ann.error.reason is Reason.KICKED


async def test_a_refused_mode_leaves_the_room_as_it_was_however_late_its_event_is_read(
    world: World,
) -> None:
    people = People(world, await world.universe(publicMode="view"))
    async with far(people, "ann") as (client, link), asyncio.timeout(PATIENCE_S):
        ann = await client.join(people.universe, "view")
        events = aiter(ann)
        link.hold()
        joining = asyncio.create_task(ann.join("edit"))
        await link.holds(b"room_error")
        link.release(before=b"room_error")
        with pytest.raises(RefusedError):
            await joining
        link.release()

        # Of the events that the room goes on to tell, the late one is the first.
        assert isinstance(await anext(events), RoomRefused)
        assert (ann.status, ann.mode) == ("joined", "view")


async def test_clients_whose_connections_are_cut_agree_in_the_end(world: World) -> None:
    """Some 60 % of the connections a second, at any byte."""
    people = People(world, await world.universe())
    chance = random.Random(1)
    over = asyncio.Event()

    async def works(ann: SharedUniverse, number: int) -> None:
        while not over.is_set():
            ann.preview(music={"tempo": chance.uniform(40, 200)})
            await asyncio.sleep(chance.uniform(0.02, 0.1))
            await ann.set(physics={"gravity": chance.uniform(0, 20)}, music={"tempo": 40 + number})

    async with proxy(world.stack.gateway_ports, NAMES, linger_s=LINGER_S) as balancer:
        members = [(await people.joins(f"member-{n}", url=balancer.url))[1] for n in range(MEMBERS)]
        began = max(member.room.participants_seq for member in members if member.room)
        followers = [Follower(member) for member in members]
        cutter = Cutter(balancer, chance, CUTS_PER_S, CUTS)
        async with asyncio.TaskGroup() as group:
            for number, member in enumerate(members):
                group.create_task(works(member, number))
            await cutter.work()
            over.set()
        last = await members[0].set(physics={"gravity": 1}, music={"tempo": 60})

        heard = [await follower.follow(last) for follower in followers]
        assert heard == [await stored(world, people.universe, began)] * MEMBERS
        for member in members:
            await member.until(
                lambda: all(m.parameters == members[0].parameters for m in members), PATIENCE_S
            )
            assert (member.previews, member.parameters.physics.gravity) == ({}, 1)
        assert cutter.cuts >= CUTS
        await people.go()

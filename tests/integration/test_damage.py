"""Stores that lost something: universes go on, members agree, and nobody gets another history."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.internal import LogEndSeen
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import Client
from harness.faults import down
from harness.wire import Wire
from harness.world import World, started
from integration.conftest import clean_logs_of

EARLIER, UPDATES = 6, 17


@pytest.fixture(scope="module")
async def fragile_stores(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with started(
        tmp_path_factory.mktemp("stores"),
        HARMONIC_SNAPSHOT_EVERY_RECORDS="5",
        HARMONIC_HISTORY_SNAPSHOTS="1",
        HARMONIC_DEPARTURE_GRACE_S="0.5",
    ) as running:
        yield running


@pytest.fixture
async def damaged(fragile_stores: Stack) -> AsyncIterator[World]:
    with clean_logs_of(fragile_stores):
        async with aiohttp.ClientSession() as http:
            view = World(fragile_stores, http)
            yield view
            await view.close()


def streams(world: World, pattern: str) -> Iterator[Path]:
    """The folders of the broker's streams of such names."""
    yield from world.stack.plan.data.glob(f"jetstream/jetstream/*/streams/{pattern}")


@contextmanager
def copied(world: World, pattern: str) -> Iterator[Path]:
    """A backup of streams, of a broker that does not run."""
    backup = world.stack.plan.data / "backup"
    for folder in streams(world, pattern):
        shutil.copytree(folder, backup / folder.name)
    yield backup
    shutil.rmtree(backup)


def put_back(world: World, backup: Path) -> None:
    for folder in backup.iterdir():
        (there,) = streams(world, folder.name)
        shutil.rmtree(there)
        shutil.copytree(folder, there)


async def surely(client: Client, universe: str, gravity: int) -> int:
    """The ``seq`` of an update that is sent until it is carried out."""
    while True:
        ack = await client.asks(
            "update_physics",
            universeId=universe,
            opId=f"op-{gravity}",
            parameters={"gravity": gravity},
        )
        if ack["ok"]:
            return int(ack["seq"])
        assert ack["error"]["code"] in {"INTERNAL_ERROR", "PERMISSION_DENIED"}, ack
        await asyncio.sleep(0.2)


async def joined_anew(world: World, user: str, universe: str, gateway: int = 0) -> Client:
    """A client that is in the room, once the product answers again."""
    while True:
        client = await world.client(user, gateway=gateway)
        ack = await client.asks("join_room", universeId=universe, mode="edit")
        if ack["ok"]:
            return client
        await client.close()
        await asyncio.sleep(0.2)


async def gravity_of(world: World, universe: str) -> float:
    while True:
        status, body = await world.call("GET", f"/universes/{universe}", "late")
        if status == 200:
            return float(body["parameters"]["physics"]["gravity"])
        assert status == 503, body
        await asyncio.sleep(0.2)


async def log_end(world: World, universe: str) -> int:
    """The position of the last record of a universe's log."""
    async with connected_as("admin", world.stack) as bus:
        stream = subjects.log_stream_of(universe)
        stored = await Streams(bus).last(stream, subjects.log(universe))
    return stored.sequence if stored is not None else 0


async def gone(world: World, universe: str) -> None:
    """Return when nobody is in a room any more."""
    while True:
        status, body = await world.call("GET", f"/universes/{universe}", "late")
        if status == 200 and not body["participants"]:
            return
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("owner_lives", [True, False], ids=["owner lives", "owner killed"])
@pytest.mark.parametrize("lost", ["HU_LOG_*", "HU_SNAPSHOT"])
async def test_a_store_restored_from_a_backup_costs_no_universe(
    damaged: World, lost: str, *, owner_lives: bool
) -> None:
    universe, (ann, bob) = await damaged.together("ann", "bob")
    (broker,), (state,) = damaged.stack.brokers, damaged.stack.states
    # Enough for a snapshot in the backup.
    for number in range(EARLIER):
        await surely(ann, universe, number)
    await broker.stop()
    with copied(damaged, lost) as backup:
        await broker.start()
        seen = [await surely(ann, universe, number) for number in range(EARLIER, UPDATES)]
        await bob.hears_up_to(seen[-1])
        await broker.stop()
        put_back(damaged, backup)
    if owner_lives:
        await broker.start()
    else:
        async with down(state):
            await broker.start()

    # What the snapshot did not cover went with the log, unless the owner knew it.
    assert await gravity_of(damaged, universe) in range(UPDATES - 5, UPDATES)
    again = await joined_anew(damaged, "cem", universe)
    first = await surely(again, universe, 19)
    assert first > seen[-1]
    late = await joined_anew(damaged, "dan", universe, gateway=1)
    second = await surely(late, universe, 18)
    heard = await again.hears("physics_updated", seq=second)
    assert second == first + 2
    assert heard["parameters"]["gravity"] == 18
    assert await gravity_of(damaged, universe) == 18
    if lost == "HU_LOG_*":
        # Members that had come further than the log are sent away, to begin anew.
        await asyncio.gather(ann.gone.wait(), bob.gone.wait())
        await damaged.logged("history_lost")


async def test_a_universe_whose_only_snapshot_is_lost_is_refused_and_says_why(
    damaged: World,
) -> None:
    universe, (ann,) = await damaged.together("ann")
    (broker,), (state,) = damaged.stack.brokers, damaged.stack.states
    for number in range(UPDATES):
        await surely(ann, universe, number)
    await broker.stop()
    for folder in streams(damaged, "HU_SNAPSHOT"):
        for block in folder.glob("msgs/*"):
            block.unlink()
    async with down(state):
        await broker.start()
    other = await damaged.universe()
    late = await joined_anew(damaged, "dan", other)
    # One universe's loss is nobody else's.
    assert await surely(late, other, 3)
    ack = await late.asks("join_room", universeId=universe, mode="edit")
    assert ack["error"]["code"] == "INTERNAL_ERROR"
    assert ack["error"]["details"]["reason"] == "DAMAGED"


async def test_of_a_universe_of_which_the_listing_alone_is_left_the_id_is_not_given_away(
    damaged: World,
) -> None:
    universe, other = await damaged.universe(), await damaged.universe()
    (state,) = damaged.stack.states
    async with connected_as("admin", damaged.stack) as bus, down(state):
        await Streams(bus).purge(subjects.log_stream_of(universe), subjects.log(universe))
        await Streams(bus).purge(subjects.SNAPSHOT_STREAM, subjects.snapshot(universe))

    late = await joined_anew(damaged, "dan", other)
    assert await surely(late, other, 3)
    ack = await late.asks("join_room", universeId=universe, mode="edit")
    assert ack["error"]["details"]["reason"] == "DAMAGED"
    body = {"id": universe, "name": "Another's", "visibility": "public"}
    for method, path, asked in (
        ("GET", f"/universes/{universe}", None),
        ("POST", "/universes", body),
    ):
        status, answer = await damaged.call(method, path, "eve", asked)
        assert (status, answer["error"]["details"]["reason"]) == (500, "DAMAGED")


@pytest.mark.parametrize("says", ["position", "seq"])
async def test_an_owner_repeats_no_number_that_members_of_any_gateway_have_seen(
    damaged: World, says: str
) -> None:
    ann, universe = await damaged.client("ann"), await damaged.universe()
    await ann.joins(universe)
    seen = await surely(ann, universe, 1)
    await ann.close()
    await gone(damaged, universe)
    async with connected_as("gateway", damaged.stack) as bus:
        # A gateway with members who were sent more than the log holds, or that has lost the room.
        # One of the version before names a position alone.
        beyond = await log_end(damaged, universe) + 1_000
        said = {"position": beyond} if says == "position" else {"position": 0, "seq": seen + 10}
        far = LogEndSeen.model_validate({"gatewayId": "g9", **said})
        await bus.subscribe(
            subjects.signal(universe), lambda asked: bus.post(asked.reply, far.to_json())
        )
        await bus.flush()
        async with down(damaged.stack.states[0]):
            pass
        # Not by who joins: their own gateway would be a witness, too.
        path = f"/universes/{universe}"
        status = 503
        while status == 503:
            status, _ = await damaged.call("PATCH", path, "owner", {"name": "on"}, gateway=1)
            await asyncio.sleep(0.1)
    again = await joined_anew(damaged, "bob", universe, gateway=1)
    assert await surely(again, universe, 2) > seen + 1_000_000
    await damaged.logged("history_lost")


async def test_an_owner_that_lives_heals_a_lost_snapshot(damaged: World) -> None:
    universe, (ann,) = await damaged.together("ann")
    (broker,), (state,) = damaged.stack.brokers, damaged.stack.states
    for number in range(UPDATES):
        await surely(ann, universe, number)
    await broker.stop()
    for folder in streams(damaged, "HU_SNAPSHOT"):
        for block in folder.glob("msgs/*"):
            block.unlink()
    await broker.start()
    seqs = [await surely(ann, universe, number) for number in range(UPDATES, 20)]
    async with down(state):
        pass
    late = await joined_anew(damaged, "dan", universe)
    assert await surely(late, universe, 19) == seqs[-1] + 2


@pytest.mark.parametrize("outgrown", [True, False], ids=["outgrown", "not outgrown"])
async def test_a_client_that_was_away_is_never_given_another_history(
    damaged: World, *, outgrown: bool
) -> None:
    universe, (ann,) = await damaged.together("ann")
    (broker,), (state,) = damaged.stack.brokers, damaged.stack.states
    bob = damaged.name("bob")
    away = await Wire.open(damaged, bob)
    await away.joins(universe)
    for number in range(EARLIER):
        await surely(ann, universe, number)
    await broker.stop()
    with copied(damaged, "HU_[LS][ON]*") as backup:
        await broker.start()
        last = [await surely(ann, universe, number) for number in range(EARLIER, UPDATES)][-1]
        while (await away.until("physics_updated"))[-1][1]["seq"] < last:
            pass
        away.cut()
        # Nobody is left who knows how far the log had come, but the client.
        await ann.close()
        await gone(damaged, universe)
        await broker.stop()
        put_back(damaged, backup)
    async with down(state, *damaged.stack.gateways):
        await broker.start()
    cem = await joined_anew(damaged, "cem", universe)
    position = int(str(away.offset).split(":")[1])
    number = 0
    while outgrown and await log_end(damaged, universe) <= position:
        number += 1
        await surely(cem, universe, number % 20)
    back = await Wire.open(damaged, bob, pid=away.pid, offset=away.offset)
    assert not back.recovered
    assert back.pid != away.pid
    told = await back.until("connect_success")
    assert told[-1][1]["recovered"] is False
    await back.joins(universe)
    seq = await surely(cem, universe, 19)
    while (await back.until("physics_updated"))[-1][1]["seq"] != seq:
        pass

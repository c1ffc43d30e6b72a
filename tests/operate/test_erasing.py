"""A user's data: shown whole, and erased so that nothing that is stored names the user."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harmonic_operator import erasing
from harmonic_operator.connection import NotDone
from harmonic_operator.erasing import places, purged
from harmonic_operator.rooms import ask_owner
from harmonic_protocol import subjects
from harmonic_protocol.intervening import EraseUser, TraceUser, UserTraced
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S, Client
from harness.operator import harmonic
from harness.wire import Wire
from harness.world import World, started
from integration.test_sharing import is_out


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A product of this module's own, with two replicas that own universes."""
    async with (
        started(
            tmp_path_factory.mktemp("erasing"), states=2, HARMONIC_SNAPSHOT_EVERY_RECORDS="5"
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        made = World(stack, http)
        yield made
        await made.close()


async def is_named(world: World, universe: str, user: str) -> bool:
    """Whether what is stored of a universe names a user."""
    async with connected_as("operator", world.stack) as bus:
        said = await ask_owner(bus, TraceUser(universe_id=universe, user_id=user))
    return UserTraced.model_validate(said).names_user


async def erased(world: World, user: str, *options: str) -> dict[str, Any]:
    """What was done to each universe that named a user, by its id."""
    ran = await harmonic(world.stack, "erase", user, "--json", *options)
    assert ran.status == 0, ran.errors
    return {each["universe"]: each for each in ran.json["universes"]}


async def lived_in(world: World, ann: str, *others: str) -> tuple[str, list[Client]]:
    """A room in which ann, its owner, has done things, with others."""
    universe = await world.universe(ann)
    universe, clients = await world.together(ann, *others, universe=universe)
    for gravity in range(7):
        await moves(clients[0], universe, gravity)
    return universe, clients


async def moves(client: Client, universe: str, gravity: float) -> int:
    """An update, and its number."""
    ack = await client.asks("update_physics", universeId=universe, parameters={"gravity": gravity})
    assert ack["ok"], ack
    return int(ack["seq"])


async def hears_of(wire: Wire, seq: int) -> None:
    """Wait for an update with a number."""
    while (await wire.until("physics_updated"))[-1][1].get("seq") != seq:
        pass


async def test_an_operator_keeps_a_user_out_of_any_universe_until_it_is_lifted(
    world: World,
) -> None:
    bob = world.name("bob")
    universe, (owner, other) = await world.together(world.name("owner"), bob)

    ran = await harmonic(world.stack, "ban", universe, bob, "--json")

    assert (ran.status, ran.json["banned"]) == (0, True)
    await is_out(other, universe, "PERMISSION_DENIED")
    await owner.hears_next("participant_left", userId=bob)
    for gateway in (0, 1):
        again = await world.client(bob, gateway=gateway)
        refusal = await again.asks("join_room", universeId=universe, mode="view")
        assert refusal["error"]["details"]["reason"] == "BANNED"
    assert bob in (await harmonic(world.stack, "unban", universe, bob)).output
    await again.joins(universe)
    ran = await harmonic(world.stack, "unban", universe, bob)
    assert (ran.status, ran.errors) == (1, "The user is not banned (NOT_FOUND).\n")
    assert (await harmonic(world.stack, "ban", world.name("nowhere"), bob)).status == 1


async def test_all_that_is_stored_of_a_user_is_exported_and_nothing_changes(world: World) -> None:
    ann = world.name("ann")
    universe, (client, _) = await lived_in(world, ann, world.name("bob"))
    seq = (await world.call("GET", f"/universes/{universe}", ann))[1]["seq"]

    ran = await harmonic(world.stack, "export", ann)

    assert ran.status == 0
    told = ran.json["universes"]
    assert told.keys() == {universe}
    names = {event["name"] for event in told[universe]["events"]}
    assert {"universe_created", "connection_joined", "physics_updated"} <= names
    assert told[universe]["state"]["isOwner"]
    assert [list(each) for each in ran.json["stored"]["quota"]] == [[universe]]
    assert len(ran.json["stored"]["sessions"]) == 1
    assert ran.json["stored"]["revocation"] == []
    # What was done lately is counted, and nobody is disturbed.
    assert len(ran.json["stored"]["leases"]) == 1
    assert await moves(client, universe, 9) == seq + 1
    nobody = (await harmonic(world.stack, "export", world.name("nobody"))).json
    assert nobody["universes"] == {}
    assert not any(nobody["stored"].values())


async def test_what_takes_several_readings_is_exported_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "READ_AT_ONCE", 3)
    ann = world.name("ann")
    (limit,) = [each for each in places(ann) if each.what == "limit parameters"]
    async with connected_as("admin", world.stack) as bus:
        for _ in range(7):
            await Streams(bus).append(limit.subject, b"", timeout_s=2)
    async with connected_as("operator", world.stack) as bus:
        assert len(await erasing.stored_at(bus, limit)) == 7


async def test_an_answer_that_cannot_be_read_is_told_of_its_universe_alone() -> None:
    async def work(universe: str) -> UserTraced:
        return UserTraced.model_validate({"events": "none" if universe == "odd" else []})

    done = dict(await erasing.of_all(["a", "odd", "z"], work))
    assert done["odd"] == "its owner answers what cannot be read"
    assert [universe for universe, found in done.items() if isinstance(found, UserTraced)] == [
        *("a", "z")
    ]


async def test_members_see_a_placeholder_and_the_universe_lives_on(world: World) -> None:
    ann, bob = world.name("ann"), world.name("bob")
    universe, (client, other) = await lived_in(world, ann, bob)
    member = f"/universes/{universe}/members/{bob}"
    assert (await world.call("PUT", member, ann, {"role": "edit"}))[0] == 200
    seq = await moves(client, universe, 8)

    done = (await erased(world, ann))[universe]

    placeholder = done["placeholder"]
    assert done["owner"] == bob
    told = await other.hears("user_erased", universeId=universe)
    assert (told["userId"], told["placeholder"]) == (ann, placeholder)
    (left,) = other.all_heard("participant_left")
    assert left["userId"] == ann
    await client.gone.wait()
    # Numbers go on, and nothing tells of the user: not to those who are there, nor to newcomers.
    assert told["seq"] == seq + 3
    assert await moves(other, universe, 9) == seq + 4
    assert not await is_named(world, universe, ann)
    for gateway in (0, 1):
        _, seen = await world.call("GET", f"/universes/{universe}", bob, gateway=gateway)
        assert (seen["owner"], seen["members"]) == (bob, {})
        newcomer = await world.client(world.name("new"), gateway=gateway)
        await newcomer.joins(universe)
        _, page = await world.call("GET", f"/universes/{universe}/events", bob, gateway=gateway)
        assert ann not in str((page, newcomer.all_heard("room_joined")))
    assert (await erased(world, ann)).keys() == set()


async def test_a_replica_that_never_knew_the_universe_goes_on_with_it(world: World) -> None:
    ann, bob = world.name("ann"), world.name("bob")
    universe, (_, other) = await lived_in(world, ann, bob)
    placeholder = (await erased(world, ann))[universe]["placeholder"]
    seq = await moves(other, universe, 3)
    for state in world.stack.states:
        await state.stop()
        await state.start()
    await moves(other, universe, 4)
    _, seen = await world.call("GET", f"/universes/{universe}", bob)
    assert (seen["owner"], seen["seq"]) == (placeholder, seq + 1)
    assert seen["parameters"]["physics"]["gravity"] == 4


async def test_others_recover_exactly_across_an_erasure(world: World) -> None:
    ann = world.name("ann")
    universe, (_, bob) = await lived_in(world, ann, world.name("bob"))
    before = await Wire.open(world, world.name("cem"))
    await before.joins(universe)
    seq = await moves(bob, universe, 2)
    await hears_of(before, seq)
    before.cut()
    await erased(world, ann)
    last = await moves(bob, universe, 3)

    # What was missed names the user, and is gone: the universe as it is now stands for it.
    before = await before.again(world, gateway=1)
    assert not before.recovered
    told = await before.joins(universe)
    assert ann not in str(told)
    assert told[-1][1]["seq"] >= last
    # From there on, nothing is missed by whoever is away.
    seq = await moves(bob, universe, 1)
    await hears_of(before, seq)
    before.cut()
    missed = [await moves(bob, universe, gravity) for gravity in (4, 5, 6)]
    again = await before.again(world, gateway=0)
    heard = await again.until("state_recovered")
    assert heard[-1][1]["recovered"]
    assert [data["seq"] for _, data in heard if data.get("replayed")] == missed


@pytest.mark.parametrize("owned", ["nobody", "deleted"])
async def test_owned_universes_go_where_the_operator_says(world: World, owned: str) -> None:
    ann, bob = world.name("ann"), world.name("bob")
    universe = await world.universe(ann, visibility="private")
    for user in (bob, world.name("cem")):
        member = f"/universes/{universe}/members/{user}"
        assert (await world.call("PUT", member, ann, {"role": "edit"}))[0] == 200

    done = (await erased(world, ann, "--owned", owned))[universe]

    status, seen = await world.call("GET", f"/universes/{universe}", bob)
    assert done["deleted"] == (owned == "deleted")
    if owned == "deleted":
        assert status == 404
    else:
        assert (status, seen["owner"]) == (200, done["placeholder"])
    _, listed = await world.call("GET", "/universes", bob)
    shown = {each["id"]: each["owner"] for each in listed["items"]}
    assert shown.get(universe) == (None if owned == "deleted" else done["placeholder"])
    assert not await is_named(world, universe, ann)


async def test_an_owner_that_is_killed_in_the_middle_leaves_what_the_next_run_finishes(
    world: World,
) -> None:
    ann = world.name("ann")
    universe, _ = await lived_in(world, ann, world.name("bob"))
    halfway = EraseUser(universe_id=universe, user_id=ann, placeholder="erased-first")
    async with connected_as("operator", world.stack) as bus:
        await ask_owner(bus, halfway)
    # The universe names nobody any more, and its log still does.
    assert await is_named(world, universe, ann)
    for state in world.stack.states:
        await state.crash()
        await state.start()

    assert (await erased(world, ann)).keys() == {universe}

    assert not await is_named(world, universe, ann)
    _, seen = await world.call("GET", f"/universes/{universe}", world.name("eve"))
    assert seen["owner"] == "erased-first"


async def test_owners_are_killed_while_many_universes_are_erased(world: World) -> None:
    ann = world.name("ann")
    universes = {await world.universe(ann) for _ in range(12)}
    running = asyncio.create_task(harmonic(world.stack, "erase", ann, "--json"))
    async with asyncio.timeout(PATIENCE_S):
        while all([await is_named(world, each, ann) for each in universes]):
            pass
    await world.stack.states[0].crash()
    ran = await running
    await world.stack.states[0].start()

    if ran.status:
        assert "run it again" in ran.errors
        await erased(world, ann)
    assert (await harmonic(world.stack, "export", ann)).json["universes"] == {}


async def test_what_is_stored_under_a_digest_of_the_user_is_removed(world: World) -> None:
    ann = world.name("ann")
    universe, _ = await lived_in(world, ann, world.name("bob"))
    await world.universe(ann, visibility="private")
    await erased(world, ann)
    stored = (await harmonic(world.stack, "export", ann)).json["stored"]
    assert {what for what, found in stored.items() if found} == {"revocation"}
    # Until it is removed as well, no token from before lets anybody in.
    refusal = await world.refused(world.token(ann))
    assert "REVOKED" in str(refusal)
    await erased(world, ann, "--forget-revocation")
    stored = (await harmonic(world.stack, "export", ann)).json["stored"]
    assert not any(stored.values())
    assert universe


async def test_it_has_to_be_said_plainly_what_becomes_of_owned_universes() -> None:
    ran = await harmonic(None, "erase", "ann", "--owned", "somebody")
    assert ran.status == 2
    assert "deleted" in ran.errors


async def test_what_is_stored_again_and_again_is_told(world: World) -> None:
    ann = world.name("ann")
    async with (
        connected_as("gateway", world.stack) as gateway,
        connected_as("operator", world.stack) as bus,
    ):

        async def store() -> None:
            session = subjects.session(ann, "pid")
            await Streams(gateway).append(session, b"{}", timeout_s=PATIENCE_S)

        async def keep_storing() -> None:
            while True:
                await store()

        await store()
        storing = asyncio.create_task(keep_storing())
        with pytest.raises(NotDone, match="again and again"):
            await purged(bus, places(ann))
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
        # Once nobody does, it is gone.
        await purged(bus, places(ann))
        assert not any((await purged(bus, places(ann))).values())


async def test_erasures_are_refused_where_earlier_versions_may_run(tmp_path: Path) -> None:
    async with (
        started(tmp_path, gateways=1, musics=0, HARMONIC_STORES_MODERATION="false") as stack,
        aiohttp.ClientSession() as http,
    ):
        universe = await World(stack, http).universe("ann")
        for command in (("erase", "ann"), ("ban", universe, "bob")):
            ran = await harmonic(stack, *command)
            assert ran.status == 1
        ran = await harmonic(stack, "erase", "ann")
        assert "not switched on here" in ran.output

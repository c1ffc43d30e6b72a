"""Who owns a universe is for speed: two owners at once, and one after the other, do no harm."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from chaos.cluster import Cluster, cluster_of
from chaos.owners import ask, owner_of, replica_id
from chaos.product import product
from harmonic_local.stack import Stack
from harmonic_protocol.envelope import Caller
from harmonic_protocol.messages.parameters import PHYSICS
from harmonic_protocol.messages.rooms import JoinRoom
from harmonic_protocol.messages.sets import ParameterCommand
from harness.world import World

UPDATES = 100


@pytest.fixture(scope="module")
async def replicas(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Two gateways and two replicas of the state service."""
    async with product(tmp_path_factory.mktemp("owners"), settings={}) as stack:
        yield stack


@pytest.fixture
async def world(replicas: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(replicas, http)
        yield view
        await view.close()


@pytest.fixture
async def cluster(replicas: Stack) -> AsyncIterator[Cluster]:
    async with cluster_of(replicas) as brokers:
        yield brokers


def _update(universe: str, gravity: float, op_id: str | None = None) -> ParameterCommand:
    payload = {"universeId": universe, "parameters": {"gravity": gravity}}
    return PHYSICS.command.model_validate(payload | ({"opId": op_id} if op_id else {}))


async def _frames(cluster: Cluster, universe: str) -> list[tuple[int, float]]:
    return [
        (data["seq"], data["parameters"]["gravity"])
        for record in (await cluster.logs())[universe]
        for name, data in record.events
        if name == "physics_updated"
    ]


async def _seated(world: World, cluster: Cluster) -> tuple[str, Caller, list[str]]:
    """A universe with a seat for whoever asks replicas directly, and the replicas."""
    universe = await world.universe()
    ids = [replica_id(world.stack, process) for process in world.stack.states]
    gateway = replica_id(world.stack, world.stack.gateways[0])
    caller = Caller("alice", "Alice", world.name("connection"), gateway)
    join = JoinRoom.model_validate({"universeId": universe, "mode": "edit"})
    assert (await ask(cluster.bus, ids[0], join, caller)).error is None
    return universe, caller, ids


async def test_two_owners_at_once_store_every_update_once_in_one_order(
    world: World, cluster: Cluster
) -> None:
    universe, caller, ids = await _seated(world, cluster)
    answers = await asyncio.gather(
        *(
            ask(cluster.bus, ids[number % 2], _update(universe, number / 10), caller)
            for number in range(UPDATES)
        )
    )
    acknowledged = {answer.seq: number / 10 for number, answer in enumerate(answers)}
    assert dict(await _frames(cluster, universe)) == acknowledged
    assert len(acknowledged) == UPDATES


async def test_an_operation_that_two_owners_get_at_once_is_applied_once_and_answered_the_same(
    world: World, cluster: Cluster
) -> None:
    universe, caller, ids = await _seated(world, cluster)
    answers = await asyncio.gather(
        *(ask(cluster.bus, name, _update(universe, 5, "op-1"), caller) for name in ids * 10)
    )
    assert [seq for seq, _ in await _frames(cluster, universe)] == [answers[0].seq]
    assert {answer.seq for answer in answers} == {answers[0].seq}


async def test_an_owner_that_was_passed_over_answers_with_what_another_stored(
    world: World, cluster: Cluster
) -> None:
    universe, caller, (first, second) = await _seated(world, cluster)
    stored = await ask(cluster.bus, second, _update(universe, 7, "op-1"), caller)
    again = await ask(cluster.bus, first, _update(universe, 7, "op-1"), caller)
    assert again.seq == stored.seq


async def test_an_operation_sent_again_over_another_gateway_to_another_owner_is_applied_once(
    world: World, cluster: Cluster
) -> None:
    universe = await world.universe()
    alice = await world.client("alice", gateway=0)
    await alice.joins(universe)
    update = {"universeId": universe, "parameters": {"gravity": 3}, "opId": "op-1"}
    first = await alice.asks("update_physics", **update)
    owner = owner_of(world.stack, universe)
    await owner.crash()
    # From another tab, at another gateway, and not even in the room yet.
    tab = await world.client("alice", gateway=1)
    again = await tab.asks("update_physics", **update)
    await owner.start()
    assert first["ok"]
    assert again == first
    assert len(await _frames(cluster, universe)) == 1


async def test_an_operation_id_that_was_used_for_something_else_is_refused_by_the_next_owner(
    world: World, cluster: Cluster
) -> None:
    universe, caller, (first, second) = await _seated(world, cluster)
    await ask(cluster.bus, first, _update(universe, 1, "op-1"), caller)
    other = await ask(cluster.bus, second, _update(universe, 2, "op-1"), caller)
    assert other.error is not None
    assert other.error.details["reason"] == "OP_ID_REUSED"

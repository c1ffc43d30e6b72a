"""What is stored is seen, though nobody says anything more that would show that it is there."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from chaos.cluster import cluster_of
from chaos.launch import UNLUCKY_GRAVITY
from chaos.owners import ask, owner_of, replica_id
from chaos.product import product
from harmonic_protocol.envelope import Caller
from harmonic_protocol.messages.parameters import PHYSICS
from harmonic_protocol.messages.rooms import JoinRoom
from harness.world import World


@pytest.fixture
async def world(logs: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A product with faults, by the names of its processes."""
    async with product(logs, faults=request.param) as stack, aiohttp.ClientSession() as http:
        view = World(stack, http)
        yield view
        await view.close()


@pytest.mark.parametrize(
    "world",
    [{"state": ["unanswered"], "gateway": ["deaf_to_the_unlucky"]}],
    indirect=True,
    ids=["unanswered"],
)
async def test_a_record_is_seen_though_its_append_was_neither_answered_nor_republished(
    world: World,
) -> None:
    universe = await world.universe()
    alice = await world.client("alice", gateway=0)
    bob = await world.client("bob", gateway=1)
    for member in (alice, bob):
        await member.joins(universe)
    parameters = {"gravity": UNLUCKY_GRAVITY}
    await alice.says("update_physics", universeId=universe, parameters=parameters)
    for member in (alice, bob):
        heard = await member.hears("physics_updated")
        assert heard["parameters"]["gravity"] == UNLUCKY_GRAVITY


@pytest.mark.parametrize(
    "world", [{"gateway": ["deaf_to_the_unlucky"]}], indirect=True, ids=["passed over"]
)
async def test_a_record_is_seen_though_the_owner_that_is_asked_for_it_was_passed_over(
    world: World,
) -> None:
    universe = await world.universe()
    alice = await world.client("alice")
    await alice.joins(universe)
    stack = world.stack
    (other,) = (process for process in stack.states if process is not owner_of(stack, universe))
    gateway, replica = replica_id(stack, stack.gateways[1]), replica_id(stack, other)
    bob = Caller("bob", "Bob", "bob's connection", gateway)
    join = JoinRoom.model_validate({"universeId": universe, "mode": "edit"})
    parameters = {"gravity": UNLUCKY_GRAVITY}
    update = PHYSICS.command.model_validate({"universeId": universe, "parameters": parameters})
    async with cluster_of(stack) as cluster:
        for request in (join, update):
            assert (await ask(cluster.bus, replica, request, bob)).error is None
        heard = await alice.hears("physics_updated")
    assert heard["parameters"]["gravity"] == UNLUCKY_GRAVITY

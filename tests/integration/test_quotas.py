"""A user owns so many universes, over all replicas, and may make another for each deleted one."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.world import World, started

MOST = 3


@pytest.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with started(
        tmp_path_factory.mktemp("quotas"), states=2, HARMONIC_UNIVERSES_PER_USER=str(MOST)
    ) as running:
        yield running


@pytest.fixture
async def world(limited: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        yield World(limited, http)


async def counted(world: World, name: str) -> float:
    total = 0.0
    for process, url in world.stack.ops_urls.items():
        if process.startswith("state"):
            async with world.http.get(f"{url}/metrics") as response:
                lines = (await response.text()).splitlines()
            total += sum(float(line.split()[-1]) for line in lines if line.startswith(name))
    return total


async def test_one_more_than_allowed_is_refused_and_a_deleted_one_makes_room(world: World) -> None:
    user = world.name("ann")
    answers = await asyncio.gather(
        *(
            world.call("POST", "/universes", user, {"name": "Mine"}, gateway=number % 2)
            for number in range(4 * MOST)
        )
    )
    made = [answer["id"] for status, answer in answers if status == 201]
    refused = [(status, answer["error"]) for status, answer in answers if status != 201]

    assert len(made) == MOST
    for status, error in refused:
        assert (status, error["code"]) == (409, "INVALID_PARAMETERS")
        assert error["message"] == f"A user owns at most {MOST} universes"
        assert (error["details"]["reason"], error["details"]["limit"]) == ("QUOTA", MOST)
    assert await counted(world, "harmonic_universe_quota_refusals_total") >= len(refused)

    assert (await world.call("DELETE", f"/universes/{made[0]}", user))[0] == 204
    assert (await world.call("POST", "/universes", user, {"name": "Mine"}))[0] == 201
    assert (await world.call("POST", "/universes", user, {"name": "Mine"}))[0] == 409


async def test_an_id_that_is_taken_costs_nothing(world: World) -> None:
    taken = await world.universe(world.name("owner"))
    user = world.name("ann")
    for _ in range(2 * MOST):
        status, answer = await world.call("POST", "/universes", user, {"id": taken, "name": "M"})
        assert (status, answer["error"]["details"]["reason"]) == (409, "TAKEN")
    made = [await world.call("POST", "/universes", user, {"name": "Mine"}) for _ in range(MOST)]
    assert [status for status, _ in made] == [201] * MOST
    # Neither does one's own.
    again = {"id": made[0][1]["id"], "name": "Mine"}
    status, answer = await world.call("POST", "/universes", user, again)
    assert (status, answer["error"]["details"]["reason"]) == (409, "TAKEN")
    assert (await world.call("POST", "/universes", user, {"name": "Mine"}))[0] == 409


async def test_a_universe_is_counted_for_whom_it_is_handed_over_to(world: World) -> None:
    ann, bob = world.name("ann"), world.name("bob")
    made = [
        (await world.call("POST", "/universes", user, {"name": "Mine"}))[1]["id"]
        for user in (ann, *[bob] * (MOST - 1))
    ]
    paths = [f"/universes/{each}" for each in made]
    for path, owner, member in ((paths[0], ann, bob), (paths[1], bob, ann)):
        assert (await world.call("PUT", f"{path}/members/{member}", owner, {"role": "view"}))[
            0
        ] == 200

    assert (await world.call("PATCH", paths[0], ann, {"owner": bob}))[0] == 200

    status, answer = await world.call("POST", "/universes", bob, {"name": "Mine"})
    assert (status, answer["error"]["details"]["reason"]) == (409, "QUOTA")
    for _ in range(MOST):
        assert (await world.call("POST", "/universes", ann, {"name": "Mine"}))[0] == 201
    # Neither of them may own more.
    status, answer = await world.call("PATCH", paths[1], bob, {"owner": ann})
    assert (status, answer["error"]["details"]["reason"]) == (409, "QUOTA")
    assert (await world.call("GET", paths[1], ann))[1]["owner"] == bob
    assert (await world.call("DELETE", paths[0], bob))[0] == 204
    assert (await world.call("POST", "/universes", bob, {"name": "Mine"}))[0] == 201


async def test_only_of_members_is_it_told_whether_they_may_own_more(world: World) -> None:
    ann, bob = world.name("ann"), world.name("bob")
    for _ in range(MOST):
        await world.call("POST", "/universes", bob, {"name": "Mine"})
    _, made = await world.call("POST", "/universes", ann, {"name": "Mine"})

    status, answer = await world.call("PATCH", f"/universes/{made['id']}", ann, {"owner": bob})

    assert (status, answer["error"]["details"]["reason"]) == (400, "NOT_MEMBER")

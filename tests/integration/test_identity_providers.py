"""Tokens of identity providers as they are in the field: good ones get in, others never."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.stack import Stack, StackPlan, planned
from harness.identity_provider import SHAPES, Key, Publisher, Shape, okta, publishing
from harness.world import SECRET, World, started

ROTATIONS = 2
CLIENTS = 10


@pytest.fixture(scope="module")
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing(okta(Key("first"))) as found:
        yield found


@pytest.fixture(scope="module")
async def product(
    publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """A product whose users come from an identity provider."""
    async with started(
        tmp_path_factory.mktemp("idp"), gateways=1, musics=0, HARMONIC_JWKS_URL=publisher.url
    ) as running:
        yield running


@pytest.fixture
async def gate(product: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(product, http)
        yield view
        await view.close()


async def gets_in(world: World, token: str) -> bool:
    """Whether a token lets its user in, for one who tries again as long as it is told to."""
    url = f"{world.stack.urls[0]}/api/v1/universes"
    while True:
        async with world.http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
            if answer.status == 503:
                await asyncio.sleep(float(answer.headers["Retry-After"]))
                continue
            assert answer.status in {200, 401}, await answer.text()
            return answer.status == 200


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("pieces", [1, 50])
async def test_a_token_of_a_provider_gets_in_and_a_forged_one_does_not(
    gate: World, publisher: Publisher, shape: Shape, pieces: int
) -> None:
    key = Key(f"{shape.__name__}-{pieces}")
    publisher.publishes(shape(key))
    publisher.pieces = pieces

    assert await gets_in(gate, key.token("ann"))
    assert not await gets_in(gate, Key(key.key_id).token("ann"))
    client = await gate.client("ann", token=key.token("ann"))
    await client.hears("connect_success", userId="ann")


async def test_keys_are_rotated_while_clients_come(gate: World, publisher: Publisher) -> None:
    current = Key("rotation-0")
    publisher.publishes(okta(current))
    publisher.pieces = 7
    stranger = Key("stranger")
    outcomes: list[tuple[bool, bool]] = []
    stopped = False

    async def comes_and_goes(number: int) -> None:
        while not stopped:
            key = current
            outcomes.append((True, await gets_in(gate, key.token(f"user-{number}"))))
            outcomes.append((False, await gets_in(gate, stranger.token("mallory"))))

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(comes_and_goes(number))
        for rotation in range(1, ROTATIONS + 1):
            before, current = current, Key(f"rotation-{rotation}")
            # As providers do: a key is published before it signs, and for a while after.
            publisher.publishes([*okta(before), *okta(current)])
            assert await gets_in(gate, current.token("ann"))
        stopped = True

    assert outcomes
    assert all(good == let_in for good, let_in in outcomes)


async def test_a_provider_that_fails_keeps_nobody_out_whose_key_is_known(
    gate: World, publisher: Publisher
) -> None:
    known, unknown = Key("known"), Key("not-yet-known")
    publisher.publishes(okta(known))
    assert await gets_in(gate, known.token("ann"))
    publisher.status = HTTPStatus.SERVICE_UNAVAILABLE
    waiting = asyncio.create_task(gets_in(gate, unknown.token("bob")))
    await publisher.was_asked(publisher.asked + 1)

    assert await gets_in(gate, known.token("ann"))
    assert not waiting.done()
    publisher.publishes([*okta(known), *okta(unknown)])
    publisher.status = HTTPStatus.OK
    assert await waiting


async def test_a_gateway_is_not_ready_before_it_has_keys(logs: Path) -> None:
    async with publishing() as publisher, aiohttp.ClientSession() as http:
        publisher.status = HTTPStatus.SERVICE_UNAVAILABLE
        plan = StackPlan(
            data=logs, jwt_secret=SECRET, musics=0, settings={"HARMONIC_JWKS_URL": publisher.url}
        )
        stack = planned(plan, lambda _name, _line: None)
        (gateway,) = stack.gateways
        try:
            for process in (*stack.brokers, *stack.states):
                await process.start()
            starting = asyncio.create_task(gateway.start())
            await publisher.was_asked(2)
            async with http.get(f"{stack.ops_urls['gateway-1']}/readyz") as answer:
                assert answer.status == 503
                told = await answer.json()
            assert told["status"] == "starting"
            assert not starting.done()

            publisher.publishes(okta(Key("late")))
            publisher.status = HTTPStatus.OK
            await starting
        finally:
            for process in reversed(stack.processes):
                await process.stop()

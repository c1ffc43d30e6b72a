"""The operator's own load, and what it says of it."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from harmonic_operator.latencies import Latencies, Measured, quantile
from harness.operator import harmonic
from harness.world import SECRET, World, started

ACCEPTED, SOME = 'commands_total{command="update_parameters",outcome="ok"}', 5


def test_quantiles_are_those_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [quantile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [51, 96, 100, 100]
    assert quantile([], 0.5) == 0
    latencies = Latencies()
    for value in values:
        latencies.add(value / 1000)
    assert latencies.summary() == {
        "p50Ms": 51,
        "p95Ms": 96,
        "p99Ms": 100,
        "maxMs": 100,
        "count": 100,
    }


def test_what_never_came_is_counted() -> None:
    measured = Measured(expected_deliveries=3)
    measured.deliveries.add(0.1)
    assert measured.missing == 2


async def test_a_load_measures_what_its_clients_see(world: World) -> None:
    urls = [part for url in world.stack.urls for part in ("--url", url)]
    ran = await harmonic(
        world.stack,
        *("load", *urls, "--clients", "12", "--rooms", "3", "--rate", "20", "--duration", "2"),
        "--json",
        HARMONIC_JWT_SECRET=SECRET,
    )
    assert ran.status == 0, ran.errors
    # Each update is delivered to all four in its room.
    assert (ran.json["connects"]["count"], ran.json["acks"]["count"]) == (12, 40)
    assert ran.json["deliveries"]["count"] == 160
    assert (ran.json["missingDeliveries"], ran.json["refusals"]) == (0, {})
    assert 0 < ran.json["acks"]["p50Ms"] <= ran.json["acks"]["maxMs"]

    _, listed = await world.call("GET", "/universes", "somebody")
    assert not any(each["name"].startswith("Load ") for each in listed["items"])


async def test_clients_come_back_to_a_gateway_that_was_restarted_and_miss_nothing(
    tmp_path: Path,
) -> None:
    async with started(tmp_path / "stack", gateways=1, musics=0) as stack:
        running = asyncio.create_task(
            harmonic(
                stack,
                *("load", "--url", stack.urls[0], "--clients", "6", "--rooms", "2"),
                *("--rate", "20", "--duration", "2", "--json"),
                HARMONIC_JWT_SECRET=SECRET,
            )
        )
        async with aiohttp.ClientSession() as http:
            world = World(stack, http)
            await world.counted(ACCEPTED, SOME)
        await stack.gateways[0].stop()
        await stack.gateways[0].start()
        ran = await running
    assert ran.status == 0, (ran.errors, ran.output)
    assert (ran.json["acks"]["count"], ran.json["refusals"]) == (40, {})
    assert (ran.json["missingDeliveries"], ran.json["lost"]) == (0, 0)
    assert ran.json["reconnects"] == 6


async def test_updates_that_a_client_merges_are_counted_as_delivered_together(world: World) -> None:
    ran = await harmonic(
        world.stack,
        *("load", "--url", world.stack.urls[0], "--clients", "1", "--rooms", "1"),
        *("--rate", "2000", "--duration", "1", "--json"),
        HARMONIC_JWT_SECRET=SECRET,
    )
    assert ran.status == 0, (ran.errors, ran.output)
    assert ran.json["acks"]["count"] == 2000
    assert ran.json["deliveries"]["count"] == 2000 - ran.json["merged"]
    assert ran.json["merged"] > 0


async def test_the_table_is_for_people(world: World) -> None:
    ran = await harmonic(
        world.stack,
        *("load", "--url", world.stack.urls[0], "--clients", "2", "--rooms", "1"),
        *("--rate", "10", "--duration", "1"),
        HARMONIC_JWT_SECRET=SECRET,
    )
    assert ran.status == 0, ran.errors
    assert "Update to delivery" in ran.output


@pytest.mark.parametrize(
    ("url", "secret", "status", "words"),
    [
        ("http://127.0.0.1:1", SECRET, 1, "does not answer as a gateway"),
        (None, "another secret, long enough too", 1, "No universe could be created"),
        (None, "", 2, "give either --tokens or a secret"),
    ],
)
async def test_why_a_load_cannot_be_put_on_is_a_sentence(
    world: World, url: str | None, secret: str, status: int, words: str
) -> None:
    given = {"HARMONIC_JWT_SECRET": secret} if secret else {}
    ran = await harmonic(None, "load", "--url", url or world.stack.urls[0], **given)
    assert ran.status == status
    assert words in ran.errors
    assert "Traceback" not in ran.errors

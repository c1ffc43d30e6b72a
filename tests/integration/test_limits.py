"""Limits per user, over all tabs and gateways, as clients meet them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from socketio.exceptions import BadNamespaceError

from gateway.door import PATIENCE_S
from harmonic_gateway.limits.pace import LOGGED_REFUSALS
from harmonic_local.stack import Stack
from harness.world import World, started

#: Of which 8 are leased, two at a time, and 12 are granted one by one.
LIMIT = 20


@pytest.fixture(scope="module")
async def strict_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product with small allowances."""
    async with started(
        tmp_path_factory.mktemp("strict"),
        HARMONIC_ALLOWED_PARAMETER_UPDATES=str(LIMIT),
        HARMONIC_ALLOWED_GENERATIONS="2",
        HARMONIC_ALLOWED_JOINS_AND_LEAVES="4",
        HARMONIC_ALLOWED_OPERATIONS="10",
        HARMONIC_EVENTS_PER_S="50",
        HARMONIC_EVENTS_BURST="100",
    ) as running:
        yield running


@pytest.fixture
async def strict(strict_stack: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(strict_stack, http)
        yield view
        await view.close()


def change(universe: str, gravity: float) -> dict[str, object]:
    return {"universeId": universe, "parameters": {"gravity": gravity}}


async def test_parameter_updates_are_counted_over_tabs_and_gateways(strict: World) -> None:
    universe = await strict.universe(strict.name("owner"))
    user = strict.name("ann")
    tabs = [await strict.client(user, gateway=n % 2) for n in range(4)]
    for tab in tabs:
        await tab.joins(universe)
    answers = await asyncio.gather(
        *(tab.asks("update_physics", **change(universe, n)) for tab in tabs for n in range(8))
    )
    refused = [answer["error"] for answer in answers if not answer["ok"]]
    assert len(answers) - len(refused) == LIMIT
    for error in refused:
        assert error["code"] == "RATE_LIMITED"
        assert error["details"]["limit"] == LIMIT
        assert error["details"]["windowMs"] == 60_000
        assert 0 < error["details"]["retryAfterMs"] < 61_000
    bob = await strict.client(strict.name("bob"))
    await bob.joins(universe)
    assert (await bob.asks("update_physics", **change(universe, 1)))["ok"]


async def test_reconnecting_gives_nothing_back(strict: World) -> None:
    universe = await strict.universe(strict.name("owner"))
    user = strict.name("ann")
    ann = await strict.client(user)
    await ann.joins(universe)
    for number in range(LIMIT):
        assert (await ann.asks("update_physics", **change(universe, number)))["ok"]
    await ann.close()
    again = await strict.client(user, gateway=1)
    await again.joins(universe)
    answer = await again.asks("update_physics", **change(universe, 1))
    assert answer["error"]["code"] == "RATE_LIMITED"


async def test_what_is_invalid_counts_and_is_answered_in_its_turn(strict: World) -> None:
    universe = await strict.universe(strict.name("owner"))
    ann = await strict.client(strict.name("ann"))
    await ann.joins(universe)
    bad = {"universeId": universe, "parameters": {"gravity": 99}}
    for _ in range(LIMIT):
        assert (await ann.asks("update_physics", **bad))["error"]["code"] == "INVALID_PARAMETERS"
    answer = await ann.asks("update_physics", **change(universe, 1))
    assert answer["error"]["code"] == "RATE_LIMITED"


async def test_joins_and_leaves_are_refused_by_a_room_error(strict: World) -> None:
    universe = await strict.universe(strict.name("owner"))
    ann = await strict.client(strict.name("ann"))
    for _ in range(2):
        await ann.joins(universe)
        assert (await ann.asks("leave_room", universeId=universe))["ok"]
    await ann.says("join_room", universeId=universe, mode="edit")
    error = await ann.hears("room_error")
    assert (error["code"], error["details"]["limit"]) == ("RATE_LIMITED", 4)


async def test_pieces_are_counted(strict: World) -> None:
    universe = await strict.universe(strict.name("owner"))
    ann = await strict.client(strict.name("ann"))
    await ann.joins(universe)
    for _ in range(2):
        assert (await ann.asks("generate_music", universeId=universe, duration=0.5))["ok"]
        await ann.hears("music_generated")
    answer = await ann.asks("generate_music", universeId=universe, duration=0.5)
    assert (answer["error"]["code"], answer["error"]["details"]["limit"]) == ("RATE_LIMITED", 2)


async def test_the_http_api_says_how_long_to_wait(strict: World) -> None:
    user = strict.name("ann")
    for _ in range(10):
        assert (await strict.call("GET", "/universes", user))[0] == 200
    status, answer = await strict.call("GET", "/universes", user, gateway=1)
    assert status == 429
    assert answer["error"]["details"]["retryAfterMs"] > 0


async def test_a_flood_on_one_connection_is_stopped_at_the_door(strict: World) -> None:
    ann, bob = await strict.client(strict.name("ann")), await strict.client(strict.name("bob"))
    answers = await asyncio.gather(*(ann.asks("nonsense") for _ in range(300)))
    codes = [answer["error"]["code"] for answer in answers]
    assert codes[:100] == ["INVALID_PARAMETERS"] * 100
    assert "RATE_LIMITED" in codes
    assert (await bob.asks("nonsense"))["error"]["code"] == "INVALID_PARAMETERS"


async def test_large_events_count_for_several_at_the_door(strict: World) -> None:
    ann = await strict.client(strict.name("ann"))
    # Each counts three times, and a hundred once may come at once.
    padding = "x" * 70_000
    answers = await asyncio.gather(*(ann.asks("nonsense", padding=padding) for _ in range(50)))
    refused = [answer for answer in answers if answer["error"]["code"] == "RATE_LIMITED"]
    assert [answer["error"]["code"] for answer in answers[:33]] == ["INVALID_PARAMETERS"] * 33
    assert refused
    details = refused[-1]["error"]["details"]
    assert (details["limit"], details["windowMs"]) == (100, 2000)
    await asyncio.sleep(details["retryAfterMs"] / 1000)
    answer = await ann.asks("nonsense", padding=padding)
    assert answer["error"]["code"] == "INVALID_PARAMETERS"


async def test_the_limits_are_announced(strict: World) -> None:
    ann = await strict.client(strict.name("ann"))
    limits = (await ann.hears("connect_success"))["limits"]
    assert (limits["parametersPerMinute"], limits["generationsPerMinute"]) == (LIMIT, 2)
    assert limits["roomsPerMinute"] == 4
    assert (limits["signalsPerSecond"], limits["signalsBurst"]) == (30, 90)
    assert limits["signalBytesPerSecond"] == 3 * 2**20
    assert limits["largerMessageBytes"] == {"audio_analysis": 128 * 1024}


async def test_live_signals_have_one_rule_of_their_own(strict: World) -> None:
    universe, (ann, bob) = await strict.together(strict.name("ann"), strict.name("bob"))
    heard = {"frequencies": [], "waveform": [], "timestamp": "2024-03-21T10:30:00Z"}

    answers = await asyncio.gather(
        *(ann.asks("audio_analysis", universeId=universe, analysis=heard) for _ in range(150))
    )

    assert [answer["ok"] for answer in answers[:90]] == [True] * 90
    details = next(a["error"]["details"] for a in answers[90:] if not a["ok"])
    assert (details["limit"], details["windowMs"]) == (90, 3000)
    # They are counted by themselves: all other events still pass.
    assert (await ann.asks("time_sync", t0=1))["t0"] == 1
    await asyncio.sleep(answers[-1]["error"]["details"]["retryAfterMs"] / 1000)
    assert (await ann.asks("audio_analysis", universeId=universe, analysis=heard))["ok"]
    await bob.hears("audio_analyzed")


@pytest.mark.parametrize("kind", ["update_presence", "preview_parameters"])
async def test_states_and_previews_are_held_to_it_as_well(strict: World, kind: str) -> None:
    universe, (ann, bob) = await strict.together(strict.name("ann"), strict.name("bob"))
    said = {"state": {"x": 1}} if kind == "update_presence" else {"physics": {"gravity": 1}}

    answers = await asyncio.gather(
        *(ann.asks(kind, universeId=universe, **said) for _ in range(150))
    )

    assert [answer["ok"] for answer in answers[:90]] == [True] * 90
    details = next(a["error"]["details"] for a in answers[90:] if not a["ok"])
    assert (details["limit"], details["windowMs"]) == (90, 3000)
    assert (await bob.asks("time_sync", t0=1))["t0"] == 1


async def test_starts_and_ends_of_music_are_counted(strict: World) -> None:
    universe, (ann,) = await strict.together(strict.name("ann"))
    for _ in range(2):
        assert (await ann.asks("start_music", universeId=universe))["ok"]
        assert (await ann.asks("stop_music", universeId=universe))["ok"]
    refused = await ann.asks("start_music", universeId=universe)
    assert (refused["error"]["code"], refused["error"]["details"]["limit"]) == ("RATE_LIMITED", 2)


async def test_a_client_that_is_refused_on_and_on_is_told_and_closed_and_may_come_back(
    logs: Path,
) -> None:
    burst = 40
    few: dict[str, Any] = {"HARMONIC_REFUSALS_PER_S": "50", "HARMONIC_REFUSALS_BURST": str(burst)}
    async with (
        started(logs, gateways=1, musics=0, **few) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann, bob) = await world.together("ann", "bob")
        async with asyncio.timeout(PATIENCE_S):
            while not ann.gone.is_set():
                with suppress(BadNamespaceError):
                    await ann.says("nonsense")
                await asyncio.sleep(0)

        # On a slow machine its queue may have been full before. Its library hands the last words
        # over after it has told of the end.
        told = await ann.hears("error", code="RATE_LIMITED")
        while told["details"]["reason"] != "REFUSALS":
            told = await ann.hears("error", code="RATE_LIMITED")
        assert told["details"]["retryAfterMs"] > 0
        # Nobody else was concerned, and the user may come back at once.
        assert (await bob.asks("update_physics", **change(universe, 1)))["ok"]
        again = await world.client("ann")
        await again.joins(universe)
        assert await world.metric('disconnects_total{reason="refusals"}') == 1
        assert await world.metric("reading_slowed_seconds_total") > 0
        await world.logged("connection_closed")
        refusals = [line for line in world.logs().splitlines() if "command_refused" in line]
        # The first ones each, then a sample.
        assert LOGGED_REFUSALS <= len(refusals) < 2 * burst
        await world.close()

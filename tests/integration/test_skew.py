"""Hosts whose clocks are a minute off: nothing fails, and all times are of one base."""

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from harmonic_gateway.limits.allowances import RETRY_MARGIN_MS
from harness.client import Client
from harness.operator import harmonic_anew
from harness.world import World, started

#: Debian's faketime.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
MEASUREMENTS = 30
#: What any two gateways may differ by.
AGREED_S = 0.005


def skewed(name: str, by_s: int) -> object:
    """Runs the process of that name with its clock off by so many seconds."""

    def command(process: str, module: str) -> Sequence[str]:
        plain = [sys.executable, "-m", module]
        if process != name:
            return plain
        return [
            "env",
            f"LD_PRELOAD={LIBRARY}",
            f"FAKETIME={by_s:+}s",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            *plain,
        ]

    return command


async def offset_s(client: Client) -> tuple[float, float]:
    """How far a gateway's clock is from this process's monotonic one, and the uncertainty."""
    best = (0.0, 1.0)
    for _ in range(MEASUREMENTS):
        asked_s = time.monotonic()
        answer = await client.asks("time_sync", t0=0)
        answered_s = time.monotonic()
        took_s = answered_s - asked_s - (answer["t2"] - answer["t1"]) / 1000
        middle_s = (answer["t1"] + answer["t2"]) / 2000 - (asked_s + answered_s) / 2
        best = min(best, (middle_s, took_s), key=lambda each: each[1])
    return best


@pytest.mark.skipif(LIBRARY is None, reason="needs Debian's faketime")
@pytest.mark.parametrize(
    ("name", "by_s"),
    [
        *[(name, by_s) for name in ("state-1", "gateway-2", "music-1") for by_s in (60, -60)],
        # So much once had a state service drop every request, or all music fail.
        *[("state-1", 3), ("state-1", -8)],
    ],
)
async def test_a_clock_that_is_a_minute_off_fails_nothing(
    tmp_path: Path, name: str, by_s: int
) -> None:
    command = skewed(name, by_s)
    async with (
        started(tmp_path / "skewed", command=command) as stack,  # type: ignore[arg-type]
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann, bob) = await world.together("ann", "bob")
        for number, member in enumerate((ann, bob)):
            ack = await member.asks(
                "update_physics", universeId=universe, parameters={"gravity": number}
            )
            assert ack["ok"], ack
            ack = await member.asks("generate_music", universeId=universe, duration=1)
            assert ack["ok"], ack
            piece = await member.hears("music_generated", userId=member.user)
            (ours, ours_s), (theirs, theirs_s) = await offset_s(ann), await offset_s(bob)
            assert abs(ours - theirs) <= AGREED_S + (ours_s + theirs_s) / 2
            # It is to be played soon, by the clock that the gateways tell.
            play_at_s = datetime.fromisoformat(piece["playAt"]).timestamp()
            assert -2 < play_at_s - (time.monotonic() + ours) < 2
        await skew_is_told(world, name, by_s)
        await world.close()


@pytest.mark.skipif(LIBRARY is None, reason="needs Debian's faketime")
@pytest.mark.parametrize("by_s", [60, -60])
async def test_how_long_a_user_is_to_wait_is_true_whatever_the_gateways_clock_says(
    tmp_path: Path, by_s: int
) -> None:
    async with (
        started(
            tmp_path / "skewed",
            gateways=1,
            musics=0,
            command=skewed("gateway-1", by_s),  # type: ignore[arg-type]
            HARMONIC_ALLOWED_PARAMETER_UPDATES="2",
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann,) = await world.together("ann")
        update = {"universeId": universe, "parameters": {"gravity": 1}}
        while (ack := await ann.asks("update_physics", **update))["ok"]:
            pass
        told = ack["error"]["details"]
        # Both were granted a moment ago: nearly all of the window is left, and no more than that.
        assert told["windowMs"] / 2 < told["retryAfterMs"] <= told["windowMs"] + RETRY_MARGIN_MS
        await world.close()


@pytest.mark.skipif(LIBRARY is None, reason="needs Debian's faketime")
async def test_a_client_goes_on_at_a_gateway_whose_clock_is_ahead_by_more_than_the_window(
    tmp_path: Path,
) -> None:
    async with (
        started(
            tmp_path / "skewed",
            musics=0,
            command=skewed("gateway-2", 60),  # type: ignore[arg-type]
            HARMONIC_RECOVERY_WINDOW_S="30",
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe = await world.universe()
        ann = await world.client("ann", comes_back=True)
        await ann.joins(universe)
        await ann.vanishes()
        back = await world.client("ann", gateway=1, comes_back=True)
        greeted = await back.hears("connect_success")
        assert greeted["recovered"], greeted["recovery"]
        await world.close()


@pytest.mark.skipif(LIBRARY is None, reason="needs Debian's faketime")
async def test_what_an_operator_says_last_counts_whatever_clocks_of_operators_say(
    tmp_path: Path,
) -> None:
    async with started(tmp_path / "stack", gateways=1, musics=0) as stack:
        operator = stack.bus_user("operator")
        ahead = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME": "+60s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        ran = await harmonic_anew("switch", "audio", "off", **operator, **ahead)
        assert ran.status == 0, ran.errors
        # The gateway acts by it when the command ends.
        ran = await harmonic_anew("switch", "audio", "on", **operator)
        assert ran.status == 0, ran.errors


async def skew_is_told(world: World, name: str, by_s: int) -> None:
    """The process whose clock is off says by how much, and no other says that it is."""
    for process, url in world.stack.ops_urls.items():
        async with world.http.get(f"{url}/metrics") as response:
            lines = (await response.text()).splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if line[:1] != "#")
        skew_s = float(values["harmonic_clock_skew_seconds"])
        assert skew_s == pytest.approx(by_s if process == name else 0, abs=0.5), process
    line = await world.logged("clock_skewed")
    assert str(abs(by_s) // 10) in line

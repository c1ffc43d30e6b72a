"""The probe: what it does with two clients, and what it tells of it."""

import json
from pathlib import Path

import aiohttp
import pytest

from gateway.door import opened
from harmonic_local.processes import free_port
from harmonic_operator.probe import USERS
from harness.operator import harmonic, running
from harness.world import SECRET, World, started


def gateways(world: World) -> list[str]:
    return [part for url in world.stack.urls for part in ("--url", url)]


async def test_a_round_in_which_all_goes_well(world: World) -> None:
    ran = await harmonic(
        world.stack,
        *("probe", *gateways(world), "--rounds", "2", "--every", "3", "--json"),
        *("--universe", world.name("probe")),
        HARMONIC_JWT_SECRET=SECRET,
        HARMONIC_OPS_PORT=str(free_port()),
    )

    assert ran.status == 0, ran.errors
    assert [json.loads(line) for line in ran.output.splitlines()] == [
        {"round": number, "ok": True, "failure": None} for number in (1, 2)
    ]


async def test_a_step_that_fails_is_named(world: World) -> None:
    ran = await harmonic(
        world.stack,
        *("probe", *gateways(world), "--rounds", "1"),
        HARMONIC_JWT_SECRET="another secret than the product's own",
        HARMONIC_OPS_PORT=str(free_port()),
    )

    assert ran.status == 1
    assert "Round 1: connect: " in ran.output
    assert "The latest round failed: connect: " in ran.errors


async def test_tokens_are_read_from_a_file(world: World, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(world.token("writer"))
    command = ("probe", *gateways(world), "--rounds", "1", "--tokens", str(tokens))
    port = {"HARMONIC_OPS_PORT": str(free_port())}

    ran = await harmonic(world.stack, *command, **port)
    assert (ran.status, "holds less than two" in ran.errors) == (2, True)

    tokens.write_text(f"{world.token('writer')}\n{world.token('reader')}\n")
    ran = await harmonic(world.stack, *command, "--universe", world.name("probe"), **port)
    assert ran.status == 0, ran.errors


async def test_a_secret_is_read_from_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "jwt-secret"
    file.write_text(f"{SECRET}\n")

    ran = await harmonic(
        world.stack,
        *("probe", *gateways(world), "--rounds", "1", "--universe", world.name("probe")),
        HARMONIC_JWT_SECRET_FILE=str(file),
        HARMONIC_OPS_PORT=str(free_port()),
    )

    assert ran.status == 0, ran.errors


async def test_it_tells_by_metrics_what_came_of_each_step(world: World) -> None:
    port = free_port()
    command = ("probe", *gateways(world), "--every", "3600", "--universe", world.name("probe"))
    async with running(
        world.stack, *command, HARMONIC_JWT_SECRET=SECRET, HARMONIC_OPS_PORT=str(port)
    ) as output:
        assert await output.readline() == b"Round 1: all well.\n"
        async with world.http.get(f"http://127.0.0.1:{port}/metrics") as response:
            lines = (await response.text()).splitlines()

    for step in ("connect", "join", "hear", "recover"):
        assert f'harmonic_probe_steps_total{{outcome="ok",step="{step}"}} 1.0' in lines
        assert f'harmonic_probe_steps_total{{outcome="failed",step="{step}"}} 0.0' in lines
        assert f'harmonic_probe_seconds_count{{step="{step}"}} 1.0' in lines
    assert "harmonic_probe_up 1.0" in lines


async def test_a_probe_that_asks_too_often_says_so(tmp_path: Path) -> None:
    port = free_port()
    async with (
        started(tmp_path, musics=0, HARMONIC_ALLOWED_PARAMETER_UPDATES="1") as stack,
        aiohttp.ClientSession() as http,
    ):
        # The second user of the probe updates nothing before it recovers, and has nothing left.
        world = World(stack, http)
        client = await world.client(USERS[0])
        universe = await world.universe()
        await client.joins(universe)
        said = {"universeId": universe, "parameters": {"gravity": 1}}
        assert (await client.asks("update_physics", **said))["ok"]
        await world.close()
        command = ("probe", "--url", stack.urls[0], "--every", "3600")
        async with running(
            stack, *command, HARMONIC_JWT_SECRET=SECRET, HARMONIC_OPS_PORT=str(port)
        ) as output:
            assert await output.readline() == b"Round 1: recover: refused: RATE_LIMITED.\n"
            async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
                lines = (await response.text()).splitlines()

    assert 'harmonic_probe_steps_total{outcome="limited",step="recover"} 1.0' in lines
    assert 'harmonic_probe_steps_total{outcome="failed",step="recover"} 0.0' in lines


@pytest.mark.parametrize(
    ("why", "outcome", "said"),
    [
        ("too often", "limited", "put off: its user comes back too often"),
        ("away", "failed", "no answer, and close code 1012"),
    ],
)
async def test_a_probe_that_is_put_off_is_told_from_one_that_fails(
    why: str, outcome: str, said: str
) -> None:
    """The gateway's sockets alone: they put everybody off."""
    port = free_port()
    async with opened() as door, aiohttp.ClientSession() as http:
        door.puts_off = why
        command = ("probe", "--url", door.url, "--every", "3600")
        async with running(
            None, *command, HARMONIC_JWT_SECRET=SECRET, HARMONIC_OPS_PORT=str(port)
        ) as output:
            assert await output.readline() == f"Round 1: connect: {said}.\n".encode()
            async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
                lines = (await response.text()).splitlines()

    assert f'harmonic_probe_steps_total{{outcome="{outcome}",step="connect"}} 1.0' in lines


async def test_a_client_that_is_not_given_what_it_missed_fails_the_round(tmp_path: Path) -> None:
    async with started(tmp_path / "product", musics=0, HARMONIC_RECOVERY_WINDOW_S="0") as stack:
        ran = await harmonic(
            stack,
            *("probe", "--url", stack.urls[0], "--rounds", "1"),
            HARMONIC_JWT_SECRET=SECRET,
            HARMONIC_OPS_PORT=str(free_port()),
        )

    assert ran.status == 1
    assert "Round 1: recover: the session does not go on: " in ran.output

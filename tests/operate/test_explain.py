"""From an error's id to its cause, by the logs of real services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from chaos.owners import replica_id
from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.causes import Cause
from harmonic_runtime.bus.jetstream import call
from harness.broker import connected_as
from harness.faults import down, frozen
from harness.operator import harmonic
from harness.world import World, started


async def explained(world: World, error_id: str, text: str) -> dict[str, object]:
    """What the logs say of an error, once its line is there, with what a tool puts before each."""
    await world.logged(error_id)
    logs = "".join(f"[pod/harmonic] {line}\n" for line in world.logs().splitlines())
    ran = await harmonic(None, "explain", error_id, typed=logs)
    assert ran.status == 0, ran.errors
    assert text in ran.output
    ran = await harmonic(None, "explain", error_id, "--json", typed=logs)
    found: dict[str, object] = ran.json
    return found


@asynccontextmanager
async def bounded_log(stack: Stack, universe: str) -> AsyncIterator[None]:
    """The stream of a universe's log takes no more while the block runs."""
    name = subjects.log_stream_of(universe)
    async with connected_as("admin", stack) as bus:
        info = await call(bus, f"STREAM.INFO.{name}", {})
        full = {**info["config"], "max_bytes": info["state"]["bytes"]}
        await call(bus, f"STREAM.UPDATE.{name}", full)
        yield
        await call(bus, f"STREAM.UPDATE.{name}", info["config"])


@asynccontextmanager
async def no_log(stack: Stack, universe: str) -> AsyncIterator[None]:
    """The stream of a universe's log is gone."""
    async with connected_as("admin", stack) as bus:
        await call(bus, f"STREAM.DELETE.{subjects.log_stream_of(universe)}", {})
        yield


@asynccontextmanager
async def no_music(stack: Stack, _universe: str) -> AsyncIterator[None]:
    async with down(*stack.musics):
        yield


@asynccontextmanager
async def no_owner(stack: Stack, _universe: str) -> AsyncIterator[None]:
    async with down(*stack.states):
        yield


@asynccontextmanager
async def silent_owner(stack: Stack, _universe: str) -> AsyncIterator[None]:
    with frozen(*stack.states):
        yield


#: Faults, the cause that each leads to, and whether a replica of the state service was asked.
FAULTS = {
    "no owner": (no_owner, {Cause.NO_OWNER, Cause.NO_ANSWER}, False),
    "silent owner": (silent_owner, {Cause.NO_ANSWER}, True),
    "full log": (bounded_log, {Cause.STORE_FULL}, True),
    "no log": (no_log, {Cause.STORE_UNAVAILABLE, Cause.OUTCOME_UNKNOWN}, True),
    "no music": (no_music, {Cause.MUSIC_UNAVAILABLE}, False),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_error_leads_to_its_cause_its_universe_and_its_replica(
    tmp_path: Path, fault: str
) -> None:
    make, causes, asks_replica = FAULTS[fault]
    async with (
        started(tmp_path / "stack", gateways=1) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann,) = await world.together("ann")
        replica = replica_id(stack, stack.states[0])
        async with make(stack, universe):
            if fault == "no music":
                await ann.says("generate_music", universeId=universe, duration=1)
            else:
                await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
            error = await ann.hears("error", code="INTERNAL_ERROR")
            found = await explained(world, error["details"]["errorId"], f"{universe}\n")
        assert (found["code"], found["universe"]) == ("INTERNAL_ERROR", universe)
        (cause,) = [each for each in Cause if each.value == found["cause"]]
        assert cause in causes
        assert found["meaning"] == cause.meaning
        assert found["gateway"] == "gateway-1"
        if asks_replica:
            assert (found["replica"], found["replicaInstance"]) == (replica, "state-1")
        await world.close()


async def test_a_refusal_that_is_the_clients_own_fault_is_explained_too(world: World) -> None:
    universe, (ann,) = await world.together(world.name("ann"))
    answer = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 99})
    found = await explained(world, answer["error"]["details"]["errorId"], "INVALID_PARAMETERS\n")
    assert found["code"] == "INVALID_PARAMETERS"
    assert "cause" not in found


async def test_logs_that_say_nothing_of_it_end_with_1() -> None:
    typed = '{"event": "ready"}\nno JSON at all {\n[]\n'
    ran = await harmonic(None, "explain", "unknown", typed=typed)
    assert (ran.status, ran.output) == (1, "")
    assert "say nothing of unknown" in ran.errors

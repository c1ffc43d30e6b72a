"""The operator's command: seeing a running product, and switching things off."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_runtime.bus.streams import Streams
from harmonic_state.settings import StateSettings
from harmonic_state.storage import stream_configs
from harness.broker import connected_as
from harness.client import PATIENCE_S, Client
from harness.operator import harmonic, harmonic_anew, running
from harness.world import World, started

COMMANDS = (
    *("status", "top", "who", "tail", "explain", "kick", "revoke", "drain", "rebalance", "switch"),
    *("backup", "restore", "load", "ban", "unban", "erase", "audit"),
)
SWITCHED_OFF = "SWITCHED_OFF"


async def test_help_says_what_there_is_with_examples_and_exit_statuses() -> None:
    ran = await harmonic_anew("--help")
    assert ran.status == 0
    assert all(command in ran.output for command in COMMANDS)
    assert "Exit status:" in ran.output


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_command_has_an_example_and_json(command: str) -> None:
    ran = await harmonic(None, command, "--help")
    assert ran.status == 0
    assert f"harmonic {command}" in ran.output
    assert "Example" in ran.output
    assert "--json" in ran.output


#: What each shell's script sets when a command is to be completed of which ``re`` is typed.
COMPLETING = {
    "bash": {"COMP_WORDS": "harmonic re", "COMP_CWORD": "1"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "harmonic re"},
    "fish": {"_TYPER_COMPLETE_ARGS": "harmonic re", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.mark.parametrize("shell", COMPLETING)
async def test_shells_can_complete_commands(shell: str) -> None:
    # Else the shell is the one that the tests happen to run under.
    known = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script, completed = await asyncio.gather(
        harmonic_anew("--show-completion", shell, **known),
        harmonic_anew(_HARMONIC_COMPLETE=f"complete_{shell}", **COMPLETING[shell]),
    )
    assert script.status == completed.status == 0
    assert f"complete_{shell}" in script.output
    offered = re.findall(r'(?:^|")([a-z]+)(?=["\t\n])', completed.output, re.MULTILINE)
    assert set(offered) == {"revoke", "rebalance", "restore"}


async def test_without_a_bus_a_command_says_so_and_ends_with_3() -> None:
    ran = await harmonic(
        None,
        "status",
        HARMONIC_NATS_URL="nats://127.0.0.1:1",
        HARMONIC_BUS_START_TIMEOUT_S="0.2",
    )
    assert (ran.status, ran.output) == (3, "")
    assert "nats://127.0.0.1:1" in ran.errors
    assert "Traceback" not in ran.errors


async def test_what_cannot_be_used_is_a_sentence_and_ends_with_2() -> None:
    ran = await harmonic(None, "status", HARMONIC_NATS_URL="wrong")
    assert ran.status == 2
    assert ran.errors.startswith("HARMONIC_NATS_URL must name servers")
    assert (await harmonic(None, "switch", "gravity", "off")).status == 2
    assert (await harmonic(None, "revoke")).status == 2


async def test_status_shows_every_replica_and_stream_of_a_healthy_product(world: World) -> None:
    ran = await harmonic(world.stack, "status", "--json")
    # What other tests did to the product is named for a minute.
    async with asyncio.timeout(90):
        while ran.json["problems"]:
            ran = await harmonic(world.stack, "status", "--json")
    assert ran.status == 0
    shown = {(each["service"], each["instance"]) for each in ran.json["replicas"]}
    assert shown == {
        ("gateway", "gateway-1"),
        ("gateway", "gateway-2"),
        ("state", "state-1"),
        ("music", "music-1"),
    }
    assert all(each["state"] == "ready" for each in ran.json["replicas"])
    assert {each["name"] for each in ran.json["streams"]} == {
        config["name"] for config in stream_configs(StateSettings())
    }

    ran = await harmonic(world.stack, "status")
    assert ran.status == 0
    assert "1 of 1 brokers answer." in ran.output
    assert "Nothing is wrong." in ran.output
    # One screen.
    assert len(ran.output.splitlines()) <= 40


async def test_top_shows_the_universe_that_is_asked_most(world: World) -> None:
    universe, (ann,) = await world.together(world.name("ann"))
    shown: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        # Requests are counted in whole windows of some seconds.
        while not any(each["universeId"] == universe for each in shown):
            for gravity in range(20):
                await ann.asks(
                    "update_physics", universeId=universe, parameters={"gravity": gravity}
                )
            shown = (await harmonic(world.stack, "top", "--json")).json
    (busiest,) = [each for each in shown if each["universeId"] == universe]
    assert busiest["connections"] == 1
    assert busiest["requestsPerS"] > 0


async def refused_reason(client: Client, event: str, **fields: object) -> object:
    """The reason why a command is refused; ``None`` if it is not."""
    answer = await client.asks(event, **fields)
    if answer["ok"]:
        return None
    assert answer["error"]["code"] == "PERMISSION_DENIED"
    return answer["error"]["details"]["reason"]


ANALYSIS = {"frequencies": [0.0], "waveform": [0.0], "timestamp": "2024-03-21T10:30:00.000Z"}


@pytest.fixture
async def switchable(tmp_path: Path) -> AsyncIterator[Stack]:
    async with started(tmp_path / "stack") as stack:
        yield stack


async def test_switches_are_in_force_everywhere_and_kept_over_restarts(switchable: Stack) -> None:
    async with aiohttp.ClientSession() as http:
        world = World(switchable, http)
        universe, clients = await world.together("ann", "ben")
        asked: dict[str, tuple[str, dict[str, Any]]] = {
            "audio": ("audio_analysis", {"universeId": universe, "analysis": ANALYSIS}),
            "music": ("generate_music", {"universeId": universe, "duration": 1}),
            "joins": ("join_room", {"universeId": universe, "mode": "view"}),
        }
        for switch, (event, fields) in asked.items():
            ran = await harmonic(switchable, "switch", switch, "off", "--json")
            # In force on both gateways when the command ends, which waits 2 s at most.
            assert (ran.status, ran.json["late"]) == (0, [])
            assert ran.json["inForce"] == ["gateway-1", "gateway-2"]
            for client in clients:
                assert await refused_reason(client, event, **fields) == SWITCHED_OFF
        assert "audio is switched off." in (await harmonic(switchable, "status")).output

        gateway = switchable.gateways[0]
        await gateway.stop()
        await gateway.start()
        cleo = await world.client("cleo")
        event, fields = asked["joins"]
        assert await refused_reason(cleo, event, **fields) == SWITCHED_OFF

        for switch in asked:
            assert (await harmonic(switchable, "switch", switch, "on")).status == 0
        await cleo.joins(universe)
        event, fields = asked["audio"]
        assert await refused_reason(clients[1], event, **fields) is None
        await world.close()


async def test_with_joins_off_rooms_go_on_and_clients_come_back(switchable: Stack) -> None:
    async with aiohttp.ClientSession() as http:
        world = World(switchable, http)
        universe = await world.universe()
        ann = await world.client("ann", comes_back=True)
        await ann.joins(universe)
        assert (await harmonic(switchable, "switch", "joins", "off")).status == 0
        changed = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 3.5})
        assert changed["ok"]

        await ann.vanishes()
        back = await world.client("ann", comes_back=True)

        # In the greeting or, where its earlier connection's end was not stored yet, after it.
        greeting = await back.hears("connect_success")
        assert greeting["recovered"] or greeting["recovery"]["reason"] == "PENDING"
        await back.hears("room_joined", universeId=universe)
        await world.close()


async def test_who_shows_connections_and_their_gateways(world: World) -> None:
    ann, ben = world.name("ann"), world.name("ben")
    universe, _ = await world.together(ann, ben)
    ran = await harmonic(world.stack, "who", universe, "--json")
    assert ran.status == 0
    at = {seat["userId"]: ran.json["gateways"][seat["gatewayId"]] for seat in ran.json["seats"]}
    assert at == {ann: "gateway-1", ben: "gateway-2"}
    assert ran.json["universe"]["participants"] == 2

    assert ann in (await harmonic(world.stack, "who", universe)).output
    ran = await harmonic(world.stack, "who", world.name("nowhere"))
    assert (ran.status, ran.errors) == (1, "Universe not found (NOT_FOUND).\n")


async def test_tail_prints_what_is_stored_as_it_happens(world: World) -> None:
    universe, (ann,) = await world.together(world.name("ann"))
    async with running(world.stack, "tail", universe, "--json") as lines:
        assert json.loads(await lines.readline()) == {"listening": universe}
        await ann.asks("update_physics", universeId=universe, parameters={"gravity": 2.5})
        event = json.loads(await lines.readline())
    assert event["name"] == "physics_updated"
    assert event["data"]["parameters"]["gravity"] == 2.5
    assert event["position"] > 0


async def test_tail_names_a_record_that_cannot_be_read_and_goes_on(tmp_path: Path) -> None:
    async with (
        started(tmp_path / "stack", gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
        connected_as("state", stack) as bus,
        AsyncExitStack() as listening,
    ):
        world, streams = World(stack, http), Streams(bus)
        universe = await world.universe("ann")
        lines = await listening.enter_async_context(running(stack, "tail", universe, "--json"))
        assert json.loads(await lines.readline()) == {"listening": universe}
        last = await streams.last(subjects.log_stream_of(universe), subjects.log(universe))
        assert last is not None
        position = await streams.append(
            subjects.log(universe),
            b"no record",
            timeout_s=PATIENCE_S,
            expected_last_subject_sequence=last.sequence,
        )
        assert json.loads(await lines.readline()) == {"position": position, "unreadable": True}
        await world.call("PATCH", f"/universes/{universe}", "ann", {"name": "Another"})
        names = set()
        while "settings_changed" not in names:
            names.add(json.loads(await lines.readline())["name"])


async def test_a_user_who_is_kicked_is_out_at_once_and_may_come_again(world: World) -> None:
    bob = world.name("bob")
    universe, (ann, other) = await world.together(world.name("ann"), bob)
    tab = await world.client(bob)
    await tab.joins(universe)

    ran = await harmonic(world.stack, "kick", universe, bob, "--json")

    assert (ran.status, ran.json["connections"]) == (0, 2)
    for client in (other, tab):
        told = await client.hears("room_error", universeId=universe)
        assert (told["code"], told["details"]["reason"]) == ("PERMISSION_DENIED", "KICKED")
    await ann.hears("participant_left", userId=bob)
    denied = await other.asks("update_physics", universeId=universe, parameters={"gravity": 1})
    assert denied["error"]["details"]["reason"] == "NOT_IN_ROOM"
    await other.joins(universe)
    await ann.hears("participant_joined")

    ran = await harmonic(world.stack, "kick", universe, world.name("nobody"))
    assert (ran.status, ran.errors) == (1, "The user is not in the room (NOT_FOUND).\n")


async def test_a_kick_ends_the_session_of_who_is_away(world: World) -> None:
    bob = world.name("bob")
    universe, (ann,) = await world.together(world.name("ann"))
    away = await world.client(bob, comes_back=True)
    await away.joins(universe)
    await away.vanishes()
    assert (await harmonic(world.stack, "kick", universe, bob)).status == 0
    await ann.asks("update_physics", universeId=universe, parameters={"gravity": 4})

    back = await world.client(bob, comes_back=True)

    recovered = await back.hears("state_recovered", universeId=universe)
    assert (recovered["recovered"], recovered["missed"]) == (False, 0)
    assert not any(each.get("replayed") for each in back.all_heard("physics_updated"))

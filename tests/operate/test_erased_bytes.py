"""After an erasure, and once brokers were renewed one by one, no file of theirs names the user."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from harmonic_local.stack import Stack
from harmonic_operator.streams import stream_states
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable
from harness.broker import connected_as
from harness.client import Client
from harness.operator import harmonic
from harness.world import World, started
from operate.saved import other_brokers
from operate.test_erasing import moves

USER, NAME = "ann-who-wants-to-go", "Unmistakable Ann"
#: What may not be found: the id, the name, and the digest that subjects hold.
TRACES: Mapping[str, bytes] = {
    "id": USER.encode(),
    "name": NAME.encode(),
    "digest": subjects.audience_of(USER).encode(),
}
#: How long brokers that have just started may take until each has what the others have.
READY_S = 60.0


def found(data: Path, traces: Mapping[str, bytes] = TRACES) -> set[tuple[str, str]]:
    """Which traces are in which brokers' files."""
    brokers = [folder for folder in data.iterdir() if folder.is_dir()]
    return {
        (broker.name, what)
        for broker in brokers
        for path in broker.rglob("*")
        if path.is_file()
        for what, trace in traces.items()
        if trace in path.read_bytes()
    }


async def all_have_all(stack: Stack) -> None:
    """Wait until each of three brokers has what the others have."""
    async with asyncio.timeout(READY_S), connected_as("operator", stack) as bus:
        while True:
            try:
                states = await stream_states(bus)
            except BusUnavailable:
                states = []
            if states and all(
                state.problem is None
                and len(state.copies) == 2
                and all(copy.current and not copy.behind for copy in state.copies)
                for state in states
            ):
                return
            # Nobody tells that a copy is complete.
            await asyncio.sleep(0.1)


async def lives(world: World) -> tuple[str, Client]:
    """A product in which the user has left traces in every stream, most of them superseded."""
    token = world.token(USER, name=NAME)
    await world.universe(USER, visibility="private")
    universe = await world.universe(USER)
    ann = await world.client(USER, token=token)
    bob = await world.client("bob", gateway=1)
    for client in (ann, bob):
        await client.joins(universe)
    for gravity in range(12):
        await moves(ann, universe, gravity)
        await moves(bob, universe, gravity)
    assert (await ann.asks("generate_music", universeId=universe, duration=1))["ok"]
    await bob.hears("music_generated")
    # It moderates, and is moderated.
    theirs = await world.universe("bob")
    for path, by in ((f"{universe}/bans/eve", USER), (f"{theirs}/bans/{USER}", "bob")):
        assert (await world.call("PUT", f"/universes/{path}", by))[0] == 204
    # Its session is saved again, and the settings are listed again.
    await ann.vanishes()
    await world.client(USER, token=token)
    for name in ("Another name", "Yet another"):
        status, _ = await world.call("PATCH", f"/universes/{universe}", USER, {"name": name})
        assert status == 200
    return universe, bob


async def test_no_file_of_renewed_brokers_holds_what_was_erased(tmp_path: Path) -> None:
    async with (
        started(tmp_path, brokers=3, HARMONIC_SNAPSHOT_EVERY_RECORDS="5") as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, bob = await lives(world)
        data = stack.plan.data / "jetstream"
        before = await moves(bob, universe, 1)
        assert {what for _, what in found(data)} == TRACES.keys()

        ran = await harmonic(stack, "erase", USER, "--json", "--forget-revocation")

        assert ran.status == 0, ran.errors
        assert universe in {each["universe"] for each in ran.json["universes"]}
        # A broker that stops has its own journal begin anew; an empty one is given what there is.
        for is_emptied in (False, True):
            for number, broker in enumerate(stack.brokers, start=1):
                await broker.stop()
                if is_emptied:
                    shutil.rmtree(data / str(number))
                await broker.start()
                await all_have_all(stack)
        after = await bob.asks(
            "update_physics", universeId=universe, parameters={"gravity": 2}, opId="after"
        )
        assert after["seq"] > before
        _, seen = await world.call("GET", f"/universes/{universe}", "bob")
        assert seen["owner"].startswith("erased-")
        assert (await harmonic(stack, "backup", str(tmp_path / "backup"))).status == 0
        await world.close()
        for broker in stack.brokers:
            await broker.stop()

        assert found(data) == set()
    # So one broker that keeps the data by itself is renewed by way of three.
    async with other_brokers(tmp_path / "one") as alone:
        ran = await harmonic(alone, "restore", str(tmp_path / "backup"), "--replicas", "1")
        assert ran.status == 0, ran.errors
        for broker in alone.brokers:
            await broker.stop()
        restored = alone.plan.data / "jetstream"
        assert found(restored, {"universe": universe.encode()})
        assert found(restored) == set()

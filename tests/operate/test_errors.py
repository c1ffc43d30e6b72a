"""Every kind of ``INTERNAL_ERROR``, made for real, and what its id leads to in the logs."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chaos.owners import replica_id
from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.causes import Cause
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.jetstream import call
from harness.broker import connected_as
from harness.client import PATIENCE_S, Client
from harness.faults import down, frozen
from harness.identity_provider import Key
from harness.operator import harmonic
from harness.world import World, started

TESTS = Path(__file__).parents[1]
#: The module whose declarations only gateways know, and have a bug in.
FAULTY = "operate.faulty"
KEYS = json.dumps({"keys": [Key("current").entry(use="sig", alg="RS256")]})
#: A universe was created; at an earlier try, of which nothing was heard.
MADE = {HTTPStatus.CREATED, HTTPStatus.CONFLICT}


@dataclass(frozen=True, slots=True)
class Scene:
    """A product, a universe of its own, and a member of it."""

    world: World
    bus: Bus
    universe: str
    ann: Client
    keys: Path
    #: What makes the product as it was.
    afterwards: AsyncExitStack

    @property
    def stack(self) -> Stack:
        return self.world.stack

    async def error(self, event: str, **fields: Any) -> Mapping[str, Any]:
        """The error that a command of the member is answered with."""
        answer = await self.ann.asks(event, universeId=self.universe, **fields)
        error: Mapping[str, Any] = answer["error"]
        return error

    async def update(self) -> Mapping[str, Any]:
        """The error that an update of the member is answered with."""
        return await self.error("update_physics", parameters={"gravity": 1.5})

    @asynccontextmanager
    async def log_stream(self, **changes: Any) -> AsyncIterator[None]:
        """The stream of the universe's log is set otherwise while the block runs."""
        name = subjects.log_stream_of(self.universe)
        config = (await call(self.bus, f"STREAM.INFO.{name}", {}))["config"]
        await call(self.bus, f"STREAM.UPDATE.{name}", {**config, **changes})
        try:
            yield
        finally:
            await call(self.bus, f"STREAM.UPDATE.{name}", config)


Provoked = Mapping[str, Any]


async def no_owner(scene: Scene) -> Provoked:
    async with down(*scene.stack.states):
        return await scene.update()


async def no_answer(scene: Scene) -> Provoked:
    with frozen(*scene.stack.states):
        return await scene.update()


async def overdue(scene: Scene) -> Provoked:
    """Of two commands of one connection, the second one waits until its time is over."""
    with frozen(*scene.stack.states):
        answers = await asyncio.gather(scene.update(), scene.update())
    return answers[1]


async def bus_unavailable(scene: Scene) -> Provoked:
    async with down(*scene.stack.brokers):
        return await scene.update()


async def store_unavailable(scene: Scene) -> Provoked:
    """The stream of the log is away when a replica wants to load the universe."""
    name = subjects.log_stream_of(scene.universe)
    async with down(*scene.stack.states):
        pass
    await call(scene.bus, f"STREAM.DELETE.{name}", {})
    # A replica that starts sets it up again.
    scene.afterwards.push_async_callback(restart, scene.stack)
    return await scene.update()


async def restart(stack: Stack) -> None:
    async with down(*stack.states):
        pass


async def store_full(scene: Scene) -> Provoked:
    async with scene.log_stream(max_bytes=1):
        return await scene.update()


async def outcome_unknown(scene: Scene) -> Provoked:
    """The broker stores the record, and never says so.

    Of a change of parameters, the record would be the reply.
    """
    async with scene.log_stream(no_ack=True):
        return await scene.error("generate_music", duration=8)


async def damaged(scene: Scene) -> Provoked:
    """The beginning of a log is lost that no snapshot covers."""
    await scene.ann.asks("update_physics", universeId=scene.universe, parameters={"gravity": 1.5})
    name, subject = subjects.log_stream_of(scene.universe), subjects.log(scene.universe)
    last = await call(scene.bus, f"STREAM.MSG.GET.{name}", {"last_by_subj": subject})
    async with down(*scene.stack.states):
        await call(
            scene.bus, f"STREAM.PURGE.{name}", {"filter": subject, "seq": last["message"]["seq"]}
        )
    return await scene.update()


async def music_unavailable(scene: Scene) -> Provoked:
    async with down(*scene.stack.musics):
        await scene.ann.says("generate_music", universeId=scene.universe, duration=8)
        return await scene.ann.hears("error", code="INTERNAL_ERROR")


async def keys_unavailable(scene: Scene) -> Provoked:
    scene.keys.write_text("no set of keys")
    headers = {"Authorization": f"Bearer {Key('newer').token('ann')}"}
    path = f"/universes/{scene.universe}"
    _, answer = await scene.world.call("GET", path, headers=headers)
    scene.keys.write_text(KEYS)
    error: Provoked = answer["error"]
    return error


async def unreadable(scene: Scene) -> Provoked:
    return await scene.error("update_weather", parameters={"wind": 2.0})


async def fault(scene: Scene) -> Provoked:
    return await scene.error("break")


SCENES: Mapping[Cause, Callable[[Scene], Awaitable[Provoked]]] = {
    Cause.UNREADABLE: unreadable,
    Cause.FAULT: fault,
    Cause.NO_ANSWER: no_answer,
    Cause.OVERDUE: overdue,
    Cause.STORE_FULL: store_full,
    Cause.OUTCOME_UNKNOWN: outcome_unknown,
    Cause.NO_OWNER: no_owner,
    Cause.MUSIC_UNAVAILABLE: music_unavailable,
    Cause.KEYS_UNAVAILABLE: keys_unavailable,
    Cause.DAMAGED: damaged,
    Cause.BUS_UNAVAILABLE: bus_unavailable,
    Cause.STORE_UNAVAILABLE: store_unavailable,
}
#: A replica of the state service was asked, and is named.
BY_A_REPLICA = {
    *(Cause.NO_ANSWER, Cause.STORE_UNAVAILABLE, Cause.STORE_FULL, Cause.OUTCOME_UNKNOWN),
    *(Cause.DAMAGED, Cause.UNREADABLE),
}


def command(name: str, module: str) -> Sequence[str]:
    """Gateways load the extension, and no other service."""
    extended = ["env", f"HARMONIC_EXTENSIONS={FAULTY}", f"PYTHONPATH={TESTS}"]
    return [*(extended if name.startswith("gateway") else ()), sys.executable, "-m", module]


def test_every_cause_has_its_scene() -> None:
    assert set(SCENES) == set(Cause)


@dataclass(frozen=True, slots=True)
class Product:
    """What all scenes play in, one after the other."""

    stack: Stack
    keys: Path


@pytest.fixture(scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    folder = tmp_path_factory.mktemp("errors")
    keys = folder / "keys.json"
    keys.write_text(KEYS)
    async with started(
        folder / "stack", gateways=1, command=command, HARMONIC_JWKS_FILE=str(keys)
    ) as stack:
        yield Product(stack, keys)


@asynccontextmanager
async def entered(product: Product) -> AsyncIterator[Scene]:
    """A scene, once the product does again what it should."""
    async with (
        aiohttp.ClientSession() as http,
        connected_as("admin", product.stack) as bus,
        AsyncExitStack() as afterwards,
    ):
        world = World(product.stack, http)
        name = world.name("universe")
        body = {"id": name, "name": "A universe", "visibility": "public", "publicMode": "edit"}
        async with asyncio.timeout(PATIENCE_S):
            while (await world.call("POST", "/universes", "owner", body))[0] not in MADE:
                pass
        _, (ann,) = await world.together(world.name("ann"), universe=name)
        yield Scene(world, bus, name, ann, product.keys, afterwards)
        await world.close()


@pytest.mark.parametrize("cause", SCENES, ids=lambda cause: cause.value)
async def test_an_errors_id_leads_to_its_cause(product: Product, cause: Cause) -> None:
    async with entered(product) as scene:
        async with asyncio.timeout(2 * PATIENCE_S):
            error = await SCENES[cause](scene)

        assert error["code"] == "INTERNAL_ERROR"
        error_id = error["details"]["errorId"]
        await scene.world.logged(f'"error_id":"{error_id}"')
        logs = scene.world.logs()
        ran = await harmonic(None, "explain", error_id, "--json", typed=logs)
        found = ran.json
        assert (found["code"], found["cause"]) == ("INTERNAL_ERROR", cause.value)
        assert found["meaning"] == cause.meaning
        assert found["universe"] == scene.universe
        assert found["gateway"] == "gateway-1"
        if cause in BY_A_REPLICA:
            replica = replica_id(scene.stack, scene.stack.states[0])
            assert (found["replica"], found["replicaInstance"]) == (replica, "state-1")
        else:
            assert found.get("replicaInstance") is None
        # What a tool puts before each line does no harm.
        prefixed = "".join(f"[pod/harmonic] {line}\n" for line in logs.splitlines())
        ran = await harmonic(None, "explain", error_id, typed=prefixed)
        assert (ran.status, f"{scene.universe}\n" in ran.output) == (0, True), ran.errors

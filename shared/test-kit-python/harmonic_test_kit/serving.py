"""The process that runs an instance, and does what the tests tell it, a line of JSON each way.

A line in is ``{"id": 1, "do": "delay", "with": {"latency_ms": 80}}``; the answer is
``{"id": 1, "result": …}`` or ``{"id": 1, "error": "…"}``. It ends with its standard input.
"""

import asyncio
import itertools
import json
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from harmonic_local import bus
from harmonic_local.processes import Managed, NotReadyError
from harmonic_local.stack import FOR_TESTS, Stack, StackPlan, running
from harmonic_local.tokens import make_token
from harmonic_test_kit.network import Network, NetworkConditions, network
from harmonic_test_kit.script import Script

#: Pages of the tests come from anywhere.
SETTINGS = {**FOR_TESTS, "HARMONIC_ALLOWED_ORIGINS": "*"}
MAX_LINE_BYTES = 1024 * 1024
_CALL_TIMEOUT_S = 10.0

#: What is wrong with what was asked, or with an instance whose processes were killed. Either way,
#: the next line may be carried out.
_NOT_DONE = (
    *(ValueError, TypeError, AttributeError, ProcessLookupError),
    *(aiohttp.ClientError, TimeoutError, NotReadyError),
)

Action = Callable[..., Awaitable[Any]]


def plan(folder: Path, gateways: int, settings: Mapping[str, str]) -> StackPlan:
    """What is to run, with its data in ``folder``."""
    packed = Path(__file__).with_name("nats") / "nats.conf"
    return StackPlan(
        data=folder / "data",
        jwt_secret=secrets.token_urlsafe(32),
        gateways=gateways,
        settings={**SETTINGS, **settings},
        broker_config=packed if packed.exists() else bus.CONFIG,
    )


class Kit:
    """An instance, the networks in front of its gateways, and what may be done to them."""

    def __init__(
        self, stack: Stack, networks: list[Network], conditions: NetworkConditions, script: Script
    ) -> None:
        self._stack = stack
        self._networks = networks
        self._conditions = conditions
        self._script = script
        self._numbers = itertools.count(1)
        self._actions: Mapping[str, Action] = {
            "token": self.token,
            "universe": self.universe,
            "cut": self.cut,
            "delay": self.delay,
            "block": self.block,
            "unblock": self.unblock,
            "refuse": self.refuse,
            "kill": self.kill,
            "start": self.start,
            "restore": self.restore,
        }

    async def do(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do one thing by its name; raise ``ValueError`` or ``TypeError`` if it cannot be done."""
        action = self._actions.get(name)
        if action is None:
            raise ValueError(f"there is no {name}: there are {', '.join(self._actions)}")
        return await action(**arguments)

    async def token(self, user: str, name: str | None = None, lifetime_s: int = 3600) -> str:
        """A token of a user; with a ``lifetime_s`` below 0, it has expired."""
        return make_token(self._stack.plan.jwt_secret, user, name=name, lifetime_s=lifetime_s)

    async def universe(self, owner: str = "owner", **settings: Any) -> str:
        """The id of a new universe that anybody may edit, unless ``settings`` say otherwise."""
        number = next(self._numbers)
        body = {
            "id": f"universe-{number}",
            "name": f"Universe {number}",
            "visibility": "public",
            "publicMode": "edit",
            **settings,
        }
        headers = {"Authorization": f"Bearer {await self.token(owner)}"}
        timeout = aiohttp.ClientTimeout(total=_CALL_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(
                f"{self._stack.urls[0]}/api/v1/universes", json=body, headers=headers
            ) as answer,
        ):
            if answer.status != HTTPStatus.CREATED:
                raise ValueError(await answer.text())
            return str((await answer.json())["id"])

    async def cut(self) -> None:
        """Break all connections."""
        for each in self._networks:
            each.cut()

    async def delay(self, latency_ms: float = 0, jitter_ms: float = 0) -> None:
        """From now on, messages take so long each way, and up to ``jitter_ms`` more."""
        self._conditions.latency_ms, self._conditions.jitter_ms = latency_ms, jitter_ms

    async def block(self) -> None:
        """Let nothing through, without a word to either side."""
        self._conditions.passing.clear()

    async def unblock(self) -> None:
        """Let through what waited, and what follows."""
        self._conditions.passing.set()

    async def refuse(self, command: str, code: str, **said: Any) -> None:
        """Refuse the next commands of this name; see :meth:`Script.refuse`."""
        self._script.refuse(command, code, **said)

    async def kill(self, process: str) -> None:
        """End a process as a crash does."""
        await self._process(process).crash()

    async def start(self, process: str) -> None:
        """Start a killed process again, and wait until it is ready."""
        await self._process(process).start()

    async def restore(self) -> None:
        """Undo all misbehaviour: a fast network, no scripted refusals, all processes running."""
        await self.delay()
        await self.unblock()
        self._script.clear()
        for process in self._stack.processes:
            if not process.runs:
                await process.start()

    def _process(self, name: str) -> Managed:
        for process in self._stack.processes:
            if process.name == name:
                return process
        known = ", ".join(process.name for process in self._stack.processes)
        raise ValueError(f"there is no process {name}: there are {known}")


async def serve(folder: Path, gateways: int, settings: Mapping[str, str]) -> None:
    """Run an instance until the end of standard input, or a signal to end.

    Raise :class:`~harmonic_local.processes.NotReadyError` if it does not start, and
    ``CancelledError`` after a signal.
    """
    this = asyncio.current_task()
    if this is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)

    def output(name: str, line: str) -> None:
        with (folder / f"{name}.log").open("a") as file:
            file.write(f"{line}\n")

    async with running(plan(folder, gateways, settings), output) as stack, AsyncExitStack() as up:
        conditions, script = NetworkConditions(), Script()
        networks = [
            await up.enter_async_context(network(url, conditions, script)) for url in stack.urls
        ]
        _say(urls=[each.url for each in networks], jwtSecret=stack.plan.jwt_secret)
        await _obey(Kit(stack, networks, conditions, script))


async def _obey(kit: Kit) -> None:
    lines = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    async for line in lines:
        number = None
        try:
            wanted = json.loads(line)
            number = wanted.get("id")
            result = await kit.do(wanted.get("do"), wanted.get("with", {}))
        except _NOT_DONE as error:
            _say(id=number, error=str(error) or type(error).__name__)
        else:
            _say(id=number, result=result)


def _say(**said: Any) -> None:
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()

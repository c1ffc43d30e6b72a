"""A running product to test against: its address, its tokens, universes and clients."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from socketio.exceptions import ConnectionError as ConnectionRefused
from yarl import URL

from harmonic_local.bus import CONFIG
from harmonic_local.processes import Spawn, execute
from harmonic_local.stack import FOR_TESTS, Stack, StackPlan, program, running
from harmonic_local.tokens import make_token
from harness import leaks
from harness.client import PATIENCE_S, Client

SECRET = "the tests' own secret, long enough"


class World:
    """One test's view of a running product: what it makes is its own, and is left behind."""

    _numbers = itertools.count(1)

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http
        self._clients: list[Client] = []

    def token(self, user: str, *, name: str | None = None, lifetime_s: int = 3600) -> str:
        """A good token."""
        return make_token(SECRET, user, name=name, lifetime_s=lifetime_s)

    def name(self, word: str) -> str:
        """A name that no other test uses."""
        return f"{word}-{next(self._numbers)}"

    async def client(
        self,
        user: str,
        *,
        gateway: int = 0,
        namespace: str = "/ws",
        token: str | None = None,
        http: aiohttp.ClientSession | None = None,
        **options: Any,
    ) -> Client:
        """A connected client of a user; with an empty ``token``, it brings none in ``auth``."""
        client = Client(user, namespace, http)
        self._clients.append(client)
        brought = self.token(user) if token is None else token or None
        return await client.connect(self.stack.urls[gateway], brought, **options)

    async def refused(self, token: str | None, *, gateway: int = 0, **options: Any) -> Any:
        """What a client is told that is not let in."""
        client = Client("nobody", options.pop("namespace", "/ws"))
        try:
            await client.connect(self.stack.urls[gateway], token, **options)
        except ConnectionRefused:
            return client.refusal
        await client.close()
        raise AssertionError("was let in")

    async def together(self, *users: str, universe: str | None = None) -> tuple[str, list[Client]]:
        """A room with these users in edit mode, on one gateway and the other in turn.

        Each has heard of all the others, and of nothing else.
        """
        universe = universe or await self.universe()
        clients: list[Client] = []
        for number, user in enumerate(users):
            client = await self.client(user, gateway=number % len(self.stack.urls))
            await client.joins(universe)
            for other in clients:
                await other.hears("participant_joined")
            clients.append(client)
        return universe, clients

    async def universe(self, owner: str = "owner", **settings: Any) -> str:
        """A new universe that anyone may edit, unless ``settings`` say otherwise."""
        body = {
            "id": self.name("universe"),
            "name": "A universe",
            "visibility": "public",
            "publicMode": "edit",
            **settings,
        }
        async with asyncio.timeout(PATIENCE_S):
            # As a client does that is asked to come again: a broker may have just come back.
            status, answer = await self.call("POST", "/universes", owner, body)
            while status == HTTPStatus.SERVICE_UNAVAILABLE:
                await asyncio.sleep(answer["error"]["details"]["retryAfterMs"] / 1000)
                status, answer = await self.call("POST", "/universes", owner, body)
        assert status == 201, answer
        return str(answer["id"])

    async def call(
        self,
        method: str,
        path: str,
        user: str | None = None,
        body: Any = None,
        *,
        gateway: int = 0,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """A call of the HTTP API: the status and the answer, read as JSON where it is.

        ``path`` is sent as it stands, with what must be percent-encoded encoded. A stream of
        events, which has no end, is not read.
        """
        headers = dict(headers or {})
        if user is not None:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        url = URL(f"{self.stack.urls[gateway]}/api/v1{path}", encoded=True)
        async with self.http.request(method, url, json=body, headers=headers) as response:
            if response.content_type == "text/event-stream":
                return response.status, None
            raw = await response.read()
            is_json = response.content_type == "application/json"
            return response.status, json.loads(raw) if is_json and raw else raw

    async def logged(self, text: str) -> str:
        """The line of a process's log that holds ``text``, once it is there."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for line in self.logs().splitlines():
                    if text in line:
                        return line
                # Lines come through a pipe, which nobody tells us of.
                await asyncio.sleep(0.02)

    async def metric(self, name: str, *, gateway: int = 0) -> float:
        """A gateway's metric; its name without ``harmonic_``, and with its labels if it has any."""
        ops = self.stack.ops_urls[f"gateway-{gateway + 1}"]
        async with self.http.get(f"{ops}/metrics") as response:
            lines = (await response.text()).splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines)
        return float(values[f"harmonic_{name}"])

    async def counted(self, name: str, at_least: float, *, gateway: int = 0) -> None:
        """Wait until a gateway's metric has come to a value."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if await self.metric(name, gateway=gateway) >= at_least:
                    return
                # Metrics are asked for, and tell nobody.
                await asyncio.sleep(0.02)

    def logs(self) -> str:
        """All that the product's processes have logged so far."""
        return "".join(file.read_text() for file in self.stack.plan.data.parent.glob("*.log"))

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients:
            await client.close()


#: How services are started: the last of these.
_spawning: list[Spawn] = [execute]


def spawn_by(spawn: Spawn) -> None:
    """Have the services of all products from now on started so."""
    _spawning.append(spawn)


@asynccontextmanager
async def started(
    directory: Path,
    *,
    brokers: int = 1,
    gateways: int = 2,
    states: int = 1,
    musics: int = 1,
    command: Callable[[str, str], Sequence[str]] = program,
    broker_config: Path = CONFIG,
    **settings: str,
) -> AsyncIterator[Stack]:
    """A product of its own, with its logs in a file per process in ``directory``.

    ``settings`` are for all of its services.
    """
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 -- before anything runs

    def output(name: str, line: str) -> None:
        with (directory / f"{name}.log").open("a") as file:
            file.write(line + "\n")

    plan = StackPlan(
        data=directory / "data",
        jwt_secret=SECRET,
        brokers=brokers,
        gateways=gateways,
        states=states,
        musics=musics,
        settings={**FOR_TESTS, **settings},
        command=command,
        spawn=_spawning[-1],
        broker_config=broker_config,
    )
    async with running(plan, output) as stack:
        leaks.watch(stack, directory)
        try:
            yield stack
        finally:
            await leaks.keep_traces(stack, directory)

"""``harmonic load``: clients that join rooms and change them, to size one's own cluster.

They are official Python clients in this one process, which can drive some hundreds of them; run
several of it for more.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import socketio
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from socketio.exceptions import SocketIOError

from harmonic_operator.clients import ANSWER_TIMEOUT_S, NAMESPACE, ask, make_token
from harmonic_operator.connection import NotDone
from harmonic_operator.latencies import Measured
from harmonic_operator.output import console, errors, table, write_json
from harmonic_protocol.messages.declaration import API_PREFIX
from harmonic_protocol.messages.universes import MAX_PARTICIPANTS
from harmonic_runtime.process.ticker import spread

#: Connections that are being made at a time.
CONNECTING = 32
#: How long the last deliveries are waited for.
LATE_S = 5.0
TOKEN_LIFETIME_S = 24 * 3600
#: Each update sets a gravity that no other one sets, so that its deliveries are known by it.
_MARKS = 20_000_000
_PER_UNIT = 1_000_000


@dataclass(frozen=True)
class LoadPlan:
    """Who does what: ``rate`` is updates a second in all; a token for each client."""

    urls: Sequence[str]
    tokens: Sequence[str]
    rooms: int
    rate: float
    duration_s: float


def make_tokens(secret: str, clients: int) -> list[str]:
    """Tokens of users that nobody else has."""
    run = secrets.token_hex(4)
    return [make_token(secret, f"load-{run}-{n}", TOKEN_LIFETIME_S) for n in range(clients)]


async def load(plan: LoadPlan, *, as_json: bool) -> None:
    """Carry a load out; raise :class:`NotDone` if clients were not served as they should be."""
    measured = Measured()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        crowd = _Crowd(plan, measured, http)
        with _progress() as progress:
            try:
                await crowd.create_rooms()
                await crowd.connect(progress)
                await crowd.write(progress)
            finally:
                await crowd.leave()
    _report(plan, measured, as_json=as_json)
    if measured.not_connected or measured.missing or measured.disconnects:
        raise NotDone(
            f"{measured.not_connected} clients could not connect or join,"
            f" {measured.disconnects} were disconnected, {measured.missing} deliveries never came."
        )


class _Crowd:
    """All clients of a load."""

    def __init__(self, plan: LoadPlan, measured: Measured, http: aiohttp.ClientSession) -> None:
        self._plan = plan
        self._measured = measured
        self._http = http
        self._rooms: list[str] = []
        self._members: list[tuple[socketio.AsyncClient, str]] = []
        self._present: dict[str, int] = {}
        self._sent_at_s: dict[int, float] = {}
        self._news = asyncio.Event()
        self._leaving = False

    async def create_rooms(self) -> None:
        """Create the universes, each owned by the first client in it."""
        size = -(-len(self._plan.tokens) // self._plan.rooms)
        for number in range(self._plan.rooms):
            body = {
                "name": f"Load {number}",
                "visibility": "public",
                "publicMode": "edit",
                "maxParticipants": min(max(size, 1), MAX_PARTICIPANTS),
            }
            url = f"{self._plan.urls[0]}{API_PREFIX}/universes"
            try:
                async with self._http.post(url, json=body, headers=self._owner(number)) as answer:
                    said = await answer.json()
            except (aiohttp.ClientError, ValueError) as error:
                raise NotDone(f"{url} does not answer as a gateway: {error}.") from error
            if "id" not in said:
                raise NotDone(f"No universe could be created: {said.get('error', said)}.")
            self._rooms.append(said["id"])

    async def connect(self, progress: Progress) -> None:
        """Let all clients connect and join their rooms."""
        free = asyncio.Semaphore(CONNECTING)
        task = progress.add_task("Connecting", total=len(self._plan.tokens), shown="")

        async def enter(number: int, token: str) -> None:
            async with free:
                if not await self._enter(number, token):
                    self._measured.not_connected += 1
                progress.advance(task)

        await asyncio.gather(*(enter(n, token) for n, token in enumerate(self._plan.tokens)))
        if not self._members:
            raise NotDone("No client could connect and join.")

    async def write(self, progress: Progress) -> None:
        """Send updates at the wanted rate, each from the next client in turn."""
        updates = max(1, int(self._plan.rate * self._plan.duration_s))
        task = progress.add_task("Updates", total=updates, shown="")
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        async with asyncio.TaskGroup() as group:
            async for number in spread(range(updates), updates / self._plan.rate):
                client, room = self._members[number % len(self._members)]
                group.create_task(self._update(client, room, number % _MARKS))
                progress.update(task, completed=number + 1, shown=self._shown())
        self._measured.took_s = loop.time() - began_at
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_S):
                while self._measured.missing:
                    self._news.clear()
                    await self._news.wait()

    async def leave(self) -> None:
        """Let all go, and delete the universes."""
        self._leaving = True
        await asyncio.gather(
            *(client.disconnect() for client, _ in self._members), return_exceptions=True
        )
        for number, room in enumerate(self._rooms):
            url = f"{self._plan.urls[0]}{API_PREFIX}/universes/{room}"
            with suppress(aiohttp.ClientError):
                async with self._http.delete(url, headers=self._owner(number)):
                    pass

    def _owner(self, room: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._plan.tokens[room % len(self._plan.tokens)]}"}

    async def _enter(self, number: int, token: str) -> bool:
        room = self._rooms[number % len(self._rooms)]
        client = socketio.AsyncClient(reconnection=False, http_session=self._http)
        client.on("physics_updated", self._delivered, namespace=NAMESPACE)
        client.on("disconnect", self._gone, namespace=NAMESPACE)
        began_s = time.monotonic()
        try:
            await client.connect(
                self._plan.urls[number % len(self._plan.urls)],
                auth={"token": token},
                namespaces=[NAMESPACE],
                transports=["websocket"],
                wait_timeout=ANSWER_TIMEOUT_S,
            )
            joined = await ask(client, "join_room", {"universeId": room, "mode": "edit"})
        except (SocketIOError, TimeoutError, aiohttp.ClientError):
            return False
        if not joined["ok"]:
            self._measured.refusals[joined["error"]["code"]] += 1
            return False
        self._measured.connects.add(time.monotonic() - began_s)
        self._members.append((client, room))
        self._present[room] = self._present.get(room, 0) + 1
        return True

    async def _update(self, client: socketio.AsyncClient, room: str, mark: int) -> None:
        sent_s = self._sent_at_s[mark] = time.monotonic()
        asked = {"universeId": room, "parameters": {"gravity": mark / _PER_UNIT}}
        try:
            answer = await ask(client, "update_physics", asked)
        except (SocketIOError, TimeoutError):
            self._measured.refusals["no answer"] += 1
            return
        if answer["ok"]:
            self._measured.acks.add(time.monotonic() - sent_s)
            self._measured.expected_deliveries += self._present[room]
        else:
            self._measured.refusals[answer["error"]["code"]] += 1

    async def _delivered(self, event: dict[str, Any], *_: object) -> None:
        sent_s = self._sent_at_s.get(round(event["parameters"]["gravity"] * _PER_UNIT))
        if sent_s is not None:
            self._measured.deliveries.add(time.monotonic() - sent_s)
            self._news.set()

    async def _gone(self, *_: object) -> None:
        if not self._leaving:
            self._measured.disconnects += 1

    def _shown(self) -> str:
        acks, deliveries = self._measured.acks, self._measured.deliveries
        return (
            f"acks p50 {acks.lately(0.5):.0f} p99 {acks.lately(0.99):.0f} ms,"
            f" deliveries p50 {deliveries.lately(0.5):.0f} p99 {deliveries.lately(0.99):.0f} ms"
        )


def _report(plan: LoadPlan, measured: Measured, *, as_json: bool) -> None:
    asked = {
        "clients": len(plan.tokens),
        "rooms": plan.rooms,
        "rate": plan.rate,
        "durationS": plan.duration_s,
    }
    if as_json:
        write_json({**asked, **measured.summary()})
        return
    rows = [
        (
            name,
            summary["count"],
            *(f"{summary[key]:.1f}" for key in ("p50Ms", "p95Ms", "p99Ms", "maxMs")),
        )
        for name, summary in (
            ("Connect and join", measured.connects.summary()),
            ("Update to ack", measured.acks.summary()),
            ("Update to delivery", measured.deliveries.summary()),
        )
    ]
    columns = ("", "Number ", "p50 ms ", "p95 ms ", "p99 ms ", "Most ms ")
    console.print(table("", columns, rows))
    console.print(
        f"{measured.summary()['updatesPerS']} updates a second by {len(plan.tokens)} clients in"
        f" {plan.rooms} rooms; refused: {dict(measured.refusals) or 'none'}."
    )


def _progress() -> Progress:
    """Bars on standard error, where it is a terminal, with the latest latencies."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[shown]}"),
        console=errors,
        transient=True,
    )

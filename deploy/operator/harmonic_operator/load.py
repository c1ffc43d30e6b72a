"""``harmonic load``: clients that join rooms and change them, to size one's own cluster.

They are the clients that applications use, all in this one process, which can drive some hundreds
of them. Run several processes for more.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harmonic_client import (
    AnyEvent,
    Client,
    HarmonicError,
    ParametersUpdated,
    PhysicsParameters,
    RefusedError,
    RoomJoined,
    SharedUniverse,
    connect,
)
from harmonic_operator.clients import ANSWER_TIMEOUT_S, make_token
from harmonic_operator.connection import NotDone
from harmonic_operator.latencies import Measured
from harmonic_operator.output import console, errors, table, write_json
from harmonic_protocol.messages.universes import MAX_PARTICIPANTS
from harmonic_runtime.process.ticker import spread

#: Connections that are being opened at a time.
CONNECTING = 32
#: Seconds that the last deliveries are waited for.
LATE_S = 5.0
TOKEN_LIFETIME_S = 24 * 3600
#: Each update sets a unique gravity, by which its deliveries are recognised.
_MARKS = 20_000_000
_PER_UNIT = 1_000_000


@dataclass(frozen=True)
class LoadPlan:
    """The plan: ``rate`` is updates per second of all together; ``tokens`` has one per client."""

    urls: Sequence[str]
    tokens: Sequence[str]
    rooms: int
    rate: float
    duration_s: float


def make_tokens(secret: str, clients: int) -> list[str]:
    """Tokens of new users that no one else has."""
    run = secrets.token_hex(4)
    return [make_token(secret, f"load-{run}-{n}", TOKEN_LIFETIME_S) for n in range(clients)]


async def load(plan: LoadPlan, *, as_json: bool) -> None:
    """Run a load; raise :class:`NotDone` if clients were not served as they should be."""
    measured = Measured()
    crowd = _Crowd(plan, measured)
    with _progress() as progress:
        try:
            await crowd.enter(progress)
            await crowd.write(progress)
        finally:
            await crowd.leave()
    _report(plan, measured, as_json=as_json)
    if measured.not_connected or measured.missing or measured.lost:
        raise NotDone(
            f"{measured.not_connected} clients could not connect or join, {measured.lost} were not"
            f" in their rooms at the end, {measured.missing} deliveries never came."
        )


@dataclass
class _Member:
    """A client in its room."""

    client: Client
    universe: SharedUniverse
    last_seq: int = 0


class _Crowd:
    """All clients of a load: the first ones create the universes, and own them."""

    def __init__(self, plan: LoadPlan, measured: Measured) -> None:
        self._plan = plan
        self._measured = measured
        self._attending: list[asyncio.Task[None]] = []
        self._rooms: dict[int, str] = {}
        self._members: dict[int, _Member] = {}
        self._present: dict[str, int] = {}
        self._sent_at_s: dict[int, float] = {}
        self._news = asyncio.Event()
        self._leaving = False

    async def enter(self, progress: Progress) -> None:
        """Have all clients connect and join their rooms."""
        free = asyncio.Semaphore(CONNECTING)
        everybody = range(len(self._plan.tokens))
        task = progress.add_task("Connecting", total=len(everybody), shown="")

        async def enter(number: int) -> None:
            async with free:
                refusal = await self._enter(number)
                self._measured.not_connected += refusal is not None
                if isinstance(refusal, RefusedError):
                    self._measured.refusals[refusal.code.value] += 1
                progress.advance(task)
                if refusal is not None and number < self._plan.rooms:
                    raise self._unowned(number, refusal)

        for some in (everybody[: self._plan.rooms], everybody[self._plan.rooms :]):
            await asyncio.gather(*(enter(number) for number in some))

    async def write(self, progress: Progress) -> None:
        """Send updates at the planned rate, each from the next client in turn."""
        updates = max(1, int(self._plan.rate * self._plan.duration_s))
        task = progress.add_task("Updates", total=updates, shown="")
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        members = list(self._members.values())
        async with asyncio.TaskGroup() as group:
            async for number in spread(range(updates), updates / self._plan.rate):
                group.create_task(self._update(members[number % len(members)], number % _MARKS))
                progress.update(task, completed=number + 1, shown=self._shown())
        self._measured.took_s = loop.time() - began_at
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_S):
                while self._measured.missing:
                    self._news.clear()
                    await self._news.wait()
        self._measured.lost = sum(each.universe.status != "joined" for each in members)

    async def leave(self) -> None:
        """Delete the universes, and disconnect all clients."""
        self._leaving = True
        for number, room in self._rooms.items():
            if number in self._members:
                with suppress(HarmonicError):
                    await self._members[number].client.request("DELETE", f"/universes/{room}")
        for task in self._attending:
            task.cancel()
        for ended in await asyncio.gather(*self._attending, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    async def _enter(self, number: int) -> HarmonicError | None:
        """Have a client connect and join; return the error if it cannot."""
        entered: asyncio.Future[HarmonicError | None] = asyncio.get_running_loop().create_future()
        attending = asyncio.create_task(self._attend(number, entered))
        self._attending.append(attending)
        both: set[asyncio.Future[Any]] = {attending, entered}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not entered.done():
            attending.result()
        return await entered

    async def _attend(self, number: int, entered: asyncio.Future[HarmonicError | None]) -> None:
        """Run a client from its connect to its end; it reconnects by itself meanwhile."""
        url, token = self._plan.urls[number % len(self._plan.urls)], self._plan.tokens[number]
        began_s = time.monotonic()
        try:
            async with connect(
                url, lambda: token, patience_s=ANSWER_TIMEOUT_S, retry=False
            ) as client:
                connected_s = time.monotonic()
                room = await self._room(client, number)
                joining_s = time.monotonic()
                universe = await client.join(room)
                events = aiter(universe)
                took_s = connected_s - began_s + time.monotonic() - joining_s
                self._measured.connects.add(took_s)
                self._members[number] = _Member(client, universe)
                self._present[room] = self._present.get(room, 0) + 1
                entered.set_result(None)
                async for event in events:
                    self._hear(event)
        except HarmonicError as error:
            if not entered.done():
                entered.set_result(error)

    async def _room(self, client: Client, number: int) -> str:
        """The room of a client, which creates it if it is the first one there."""
        rooms = self._plan.rooms
        if number < rooms:
            body = {
                "name": f"Load {number}",
                "visibility": "public",
                "publicMode": "edit",
                "maxParticipants": min(-(-len(self._plan.tokens) // rooms), MAX_PARTICIPANTS),
            }
            created = await client.request("POST", "/universes", body)
            self._rooms[number] = created["id"]
        return self._rooms[number % rooms]

    def _unowned(self, number: int, error: HarmonicError) -> NotDone:
        if isinstance(error, RefusedError):
            return NotDone(f"No universe could be created: {error}.")
        url = self._plan.urls[number % len(self._plan.urls)]
        return NotDone(f"{url} does not answer as a gateway: {error}.")

    async def _update(self, member: _Member, mark: int) -> None:
        sent_s = self._sent_at_s[mark] = time.monotonic()
        try:
            seq = await member.universe.set(physics={"gravity": mark / _PER_UNIT})
        except HarmonicError as error:
            code = error.code.value if isinstance(error, RefusedError) else "no answer"
            self._measured.refusals[code] += 1
            return
        self._measured.acks.add(time.monotonic() - sent_s)
        if seq == member.last_seq:
            # A limit, or an update under way, held both back: they were sent as one.
            self._measured.merged += 1
        else:
            member.last_seq = seq
            self._measured.expected_deliveries += self._present[member.universe.id]

    def _hear(self, event: AnyEvent) -> None:
        match event:
            # An event that only repeats the current values after a return has no number.
            case ParametersUpdated(seq=int(), parameters=PhysicsParameters(gravity=gravity)):
                sent_s = self._sent_at_s.get(round(gravity * _PER_UNIT))
                if sent_s is not None:
                    self._measured.deliveries.add(time.monotonic() - sent_s)
                    self._news.set()
            case RoomJoined() if not self._leaving:
                # After the first client, whose events are not heard here.
                self._measured.reconnects += 1

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
    """Progress bars with the latest latencies on standard error, if that is a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[shown]}"),
        console=errors,
        transient=True,
    )

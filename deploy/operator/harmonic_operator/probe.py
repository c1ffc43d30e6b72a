"""``harmonic probe``: two clients that do what people do, again and again, and what came of it.

In each round both connect and join a universe of the probe's own. One changes it, and the other
hears of it. Then the other's connection is cut: it misses a change, comes back, and is sent it.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import socketio
from socketio.exceptions import SocketIOError

from harmonic_operator import probe_metrics as table
from harmonic_operator.clients import ANSWER_TIMEOUT_S, NAMESPACE, ask
from harmonic_operator.connection import NotDone
from harmonic_operator.output import console, write_json
from harmonic_operator.settings import OperatorSettings
from harmonic_protocol.messages.declaration import API_PREFIX
from harmonic_protocol.refusals import Code
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.ops import Readiness, ops_server

#: Each update sets a gravity that is hardly ever set twice, so that it is known by it.
_MARKS, _PER_UNIT = 20_000_000, 1_000_000
#: The two users of the probe, where it signs its own tokens.
USERS = ("probe-writer", "probe-reader")
#: From one round to the next, at least: in each, one user comes back twice, which a gateway lets a
#: user do once a second.
LEAST_EVERY_S = 3.0
#: The close code of RFC 6455's registry by which a gateway says that a client comes too often.
TRY_LATER_CODE = 1013
#: A token of a round serves that round.
TOKEN_LIFETIME_S = 300.0

_FAILURES = (SocketIOError, aiohttp.ClientError, OSError, TimeoutError)


@dataclass(frozen=True)
class ProbePlan:
    """Where, how often, and as whom: ``tokens`` gives those of the two users, anew each round.

    Without a number of ``rounds``, it goes on for ever.
    """

    urls: Sequence[str]
    tokens: Callable[[], Sequence[str]]
    universe: str
    every_s: float
    rounds: int | None


class StepFailed(Exception):
    """A step of a round did not go well; the text says which, and why."""


class StepLimited(StepFailed):
    """A step was refused since its user, or its address, had asked too often."""


async def probe(plan: ProbePlan, settings: OperatorSettings, *, as_json: bool) -> None:
    """Go round after round, with metrics at the operations port.

    Raise :class:`NotDone` at the end if the latest round failed.
    """
    metrics, readiness = Metrics(), Readiness()
    rounds = Rounds(plan, metrics)
    failure: str | None = None
    async with ops_server(settings, readiness, metrics):
        readiness.ready()
        done = 0
        while plan.rounds is None or done < plan.rounds:
            if done:
                await asyncio.sleep(plan.every_s)
            failure = await rounds.go()
            done += 1
            if as_json:
                write_json({"round": done, "ok": failure is None, "failure": failure})
            else:
                console.print(f"Round {done}: {failure or 'all well'}.")
    if failure is not None:
        raise NotDone(f"The latest round failed: {failure}.")


class Rounds:
    """The rounds of a probe, one after the other, and what is counted of them."""

    def __init__(self, plan: ProbePlan, metrics: Metrics) -> None:
        self._plan = plan
        self._outcomes = metrics.counters(table.PROBE_STEPS)
        self._seconds = metrics.histograms(table.PROBE_SECONDS)
        self._up = metrics.gauge(table.PROBE_UP)
        self._prepared = False

    async def go(self) -> str | None:
        """One round; what failed, if anything did."""
        try:
            await self._go()
        except StepFailed as failed:
            # The universe may be gone, or the membership.
            self._prepared = False
            self._up.set(0)
            return str(failed)
        self._up.set(1)
        return None

    async def _go(self) -> None:
        writing, reading, *_ = self._plan.tokens()
        first, last = self._plan.urls[0], self._plan.urls[-1]
        async with AsyncExitStack() as leaving:
            with self._step(table.CONNECT):
                writer = await leaving.enter_async_context(_connected(first, writing))
                reader = await leaving.enter_async_context(_connected(last, reading))
            with self._step(table.JOIN):
                if not self._prepared:
                    await self._prepare(writer, await reader.user())
                    self._prepared = True
                await writer.join(self._plan.universe)
                await reader.join(self._plan.universe)
            with self._step(table.HEAR):
                mark = await writer.update(self._plan.universe)
                await reader.hears(mark)
            with self._step(table.RECOVER):
                await reader.cut()
                mark = await writer.update(self._plan.universe)
                back = await leaving.enter_async_context(_connected(last, reading))
                await back.hears(mark)

    async def _prepare(self, writer: "_Member", reader: str) -> None:
        """Have a universe of one's own, in which the reader is a member."""
        universe = self._plan.universe
        body = {"id": universe, "name": "The probe's own", "visibility": "private"}
        await writer.call("POST", "/universes", body, HTTPStatus.CREATED, HTTPStatus.CONFLICT)
        path = f"/universes/{universe}/members/{reader}"
        await writer.call("PUT", path, {"role": "edit"}, HTTPStatus.OK, HTTPStatus.NO_CONTENT)

    @contextmanager
    def _step(self, step: str) -> Iterator[None]:
        """Count a step, and measure it; raise :class:`StepFailed` if it fails."""
        began_s = time.monotonic()
        try:
            yield
        except (StepFailed, *_FAILURES) as error:
            limited = isinstance(error, StepLimited)
            self._outcomes.of(step, table.LIMITED if limited else table.FAILED).inc()
            reason = str(error) or type(error).__name__
            raise StepFailed(f"{step}: {reason}") from error
        self._outcomes.of(step, table.OK).inc()
        self._seconds.of(step).observe(time.monotonic() - began_s)


class _Member:
    """One of the two clients, over one connection."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})
        self._client = socketio.AsyncClient(reconnection=False, http_session=self._http)
        self._user: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._heard: set[int] = set()
        self._news = asyncio.Condition()
        self._gone = asyncio.Event()
        self._refusal: asyncio.Future[dict[str, Any]] = self._user.get_loop().create_future()
        self._client.on("connect_success", self._greeted, namespace=NAMESPACE)
        self._client.on("physics_updated", self._updated, namespace=NAMESPACE)
        self._client.on("connect_error", self._refused, namespace=NAMESPACE)
        self._client.on("disconnect", self._ended, namespace=NAMESPACE)

    async def connect(self) -> None:
        """Return once it is greeted; raise :class:`StepFailed`, or as the library does, if not."""
        await self._client.connect(
            self._url,
            auth={"token": self._token},
            namespaces=[NAMESPACE],
            transports=["websocket"],
            # It would wait for the answer even after the connection has ended.
            wait=False,
        )
        engine = self._client.eio
        await asyncio.wait(
            {self._user, self._refusal, engine.read_loop_task},
            timeout=ANSWER_TIMEOUT_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._refusal.done():
            raise _failed(self._refusal.result())
        if not self._user.done():
            if engine.ws.close_code == TRY_LATER_CODE:
                raise StepLimited("put off: its user comes back too often")
            raise StepFailed(f"no answer, and close code {engine.ws.close_code}")

    async def close(self) -> None:
        """Say goodbye, where it is not cut off."""
        if not self._http.closed:
            await self._client.disconnect()
            await self._http.close()

    async def cut(self) -> None:
        """Lose the connection without a word of the protocol."""
        await self._http.close()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await self._gone.wait()

    async def user(self) -> str:
        """Who it is, as the gateway says."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await asyncio.shield(self._user)

    async def join(self, universe: str) -> None:
        _must(await ask(self._client, "join_room", {"universeId": universe, "mode": "edit"}))

    async def update(self, universe: str) -> int:
        """Change the universe; by what the change is known."""
        mark = secrets.randbelow(_MARKS)
        parameters = {"gravity": mark / _PER_UNIT}
        asked = {"universeId": universe, "parameters": parameters}
        _must(await ask(self._client, "update_physics", asked))
        return mark

    async def hears(self, mark: int) -> None:
        """Wait until a change has come."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S), self._news:
            await self._news.wait_for(lambda: mark in self._heard)

    async def call(self, method: str, path: str, body: object, *good: HTTPStatus) -> None:
        """A call of the HTTP API, which must be answered by one of these."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        url = f"{self._url}{API_PREFIX}{path}"
        async with self._http.request(method, url, json=body, timeout=timeout) as response:
            if response.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise StepLimited(f"{method} {path} was refused: {Code.RATE_LIMITED}")
            if response.status not in good:
                raise StepFailed(f"{method} {path} was answered by {response.status}")

    async def _greeted(self, told: dict[str, Any], *_: object) -> None:
        if not self._user.done():
            self._user.set_result(told["userId"])

    async def _refused(self, told: object, *_: object) -> None:
        # What the client library says of its own has no code.
        refusal = told.get("data") if isinstance(told, dict) else None
        if isinstance(refusal, dict) and not self._refusal.done():
            self._refusal.set_result(refusal)

    async def _updated(self, told: dict[str, Any], *_: object) -> None:
        async with self._news:
            self._heard.add(round(told["parameters"]["gravity"] * _PER_UNIT))
            self._news.notify_all()

    async def _ended(self, *_: object) -> None:
        self._gone.set()


@asynccontextmanager
async def _connected(url: str, token: str) -> AsyncIterator[_Member]:
    """A client that is connected while the block runs."""
    member = _Member(url, token)
    try:
        await member.connect()
        yield member
    finally:
        await member.close()


def _must(answer: dict[str, Any]) -> None:
    if not answer["ok"]:
        raise _failed(answer["error"])


def _failed(error: dict[str, Any]) -> StepFailed:
    """What a refusal means: the product's fault, or that the probe asked too often."""
    kind = StepLimited if error["code"] == Code.RATE_LIMITED else StepFailed
    return kind(f"refused: {error['code']} {error['details'].get('reason', '')}".strip())

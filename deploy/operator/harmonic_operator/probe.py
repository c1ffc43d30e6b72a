"""``harmonic probe``: two clients that do what people do, repeatedly, with metrics of the results.

In each round both connect and join a universe of the probe's own. One changes it, and the other
hears the change. Then the other's connection is cut: it misses a change, reconnects, and is sent
it.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from harmonic_client import (
    AnyEvent,
    Client,
    Code,
    HarmonicError,
    NotConnectedError,
    ParametersUpdated,
    Reason,
    RefusedError,
    RoomJoined,
    SharedUniverse,
    connect,
)
from harmonic_operator import probe_metrics as table
from harmonic_operator.clients import ANSWER_TIMEOUT_S
from harmonic_operator.connection import NotDone
from harmonic_operator.output import console, write_json
from harmonic_operator.settings import OperatorSettings
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.ops import Readiness, ops_server

#: Each update sets another gravity, in millionths.
_MARKS, _PER_UNIT = 20_000_000, 1_000_000
#: The two users of the probe, if it signs its own tokens.
USERS = ("probe-writer", "probe-reader")
#: The least seconds between rounds: in each, one user reconnects twice, which a gateway allows once
#: a second.
LEAST_EVERY_S = 3.0
#: Seconds that a token of a round is valid.
TOKEN_LIFETIME_S = 300.0


@dataclass(frozen=True)
class ProbePlan:
    """The target, interval and users: ``tokens`` returns those of the two users, anew each round.

    Without a number of ``rounds``, it runs until stopped.
    """

    urls: Sequence[str]
    tokens: Callable[[], Sequence[str]]
    universe: str
    every_s: float
    rounds: int | None


class StepFailed(Exception):
    """A step of a round failed; the text says which, and why."""


async def probe(plan: ProbePlan, settings: OperatorSettings, *, as_json: bool) -> None:
    """Run the rounds, with metrics at the operations port.

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
    """The rounds of a probe, one after the other, and their metrics."""

    def __init__(self, plan: ProbePlan, metrics: Metrics) -> None:
        self._plan = plan
        self._outcomes = metrics.counters(table.PROBE_STEPS)
        self._seconds = metrics.histograms(table.PROBE_SECONDS)
        self._up = metrics.gauge(table.PROBE_UP)
        self._prepared = False

    async def go(self) -> str | None:
        """Run one round; return what failed, or ``None``."""
        try:
            await self._go()
        except StepFailed as failed:
            # The universe or the membership may be gone.
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
                    await self._prepare(writer, reader.user_id or "")
                    self._prepared = True
                written = await writer.join(self._plan.universe)
                read = await reader.join(self._plan.universe)
            with self._step(table.HEAR):
                events = aiter(written)
                await _hear(events, await _update(read))
            with self._step(table.RECOVER):
                events = aiter(read)
                await reader.cut()
                await read.until(lambda: read.status == "away", ANSWER_TIMEOUT_S)
                await _hear(events, await _update(written))

    async def _prepare(self, writer: Client, reader: str) -> None:
        """Ensure a universe of the probe's own, in which the reader is a member."""
        universe = self._plan.universe
        body = {"id": universe, "name": "The probe's own", "visibility": "private"}
        try:
            await writer.request("POST", "/universes", body)
        except RefusedError as error:
            if error.reason is not Reason.TAKEN:
                raise
        path = f"/universes/{universe}/members/{quote(reader, safe='')}"
        await writer.request("PUT", path, {"role": "edit"})

    @contextmanager
    def _step(self, step: str) -> Iterator[None]:
        """Count and time a step; raise :class:`StepFailed` if it fails."""
        began_s = time.monotonic()
        try:
            yield
        except (StepFailed, HarmonicError, TimeoutError) as error:
            self._outcomes.of(step, table.LIMITED if _is_limit(error) else table.FAILED).inc()
            raise StepFailed(f"{step}: {_reason(error)}") from error
        self._outcomes.of(step, table.OK).inc()
        self._seconds.of(step).observe(time.monotonic() - began_s)


def _connected(url: str, token: str) -> AbstractAsyncContextManager[Client]:
    """A client that is connected while the block runs; only one attempt is made."""
    return connect(url, lambda: token, patience_s=ANSWER_TIMEOUT_S, retry=False)


async def _update(universe: SharedUniverse) -> int:
    """Change the universe; return the change's number. Raise any refusal, a limit included."""
    update = universe.set(physics={"gravity": secrets.randbelow(_MARKS) / _PER_UNIT})
    # Otherwise the client would retry by itself after a limit.
    await universe.until(
        lambda: update.done() or universe.held_back_until_ms is not None, ANSWER_TIMEOUT_S
    )
    if not update.done() and universe.error is not None:
        raise universe.error
    return await update


async def _hear(events: AsyncIterator[AnyEvent], seq: int) -> None:
    """Wait for the event of a change."""
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        async for event in events:
            if isinstance(event, ParametersUpdated) and event.seq == seq:
                return
            if isinstance(event, RoomJoined) and event.from_seq is None:
                raise StepFailed("the session does not go on: its room was joined again")


def _is_limit(error: Exception) -> bool:
    """Whether the probe itself exceeded a limit, which is no fault of the product."""
    match error:
        case RefusedError(code=Code.RATE_LIMITED) | NotConnectedError(too_often=True):
            return True
        case _:
            return False


def _reason(error: Exception) -> str:
    if isinstance(error, RefusedError):
        return f"refused: {error.code} {error.reason or ''}".strip()
    return str(error) or type(error).__name__

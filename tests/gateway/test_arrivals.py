"""A client's way in: every order of what its awaits lead to, of revocations and of ends."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_gateway.admission.arrivals import Arrivals
from harmonic_gateway.admission.records import ConnectionRecords
from harmonic_gateway.failures import Failures
from harmonic_gateway.identity.fingerprints import Fingerprints
from harmonic_gateway.identity.verification import REVOKED, Identity
from harmonic_gateway.limits.dead_tokens import ANSWERED_REFUSALS, DeadTokens
from harmonic_gateway.recovery.recovery import Prepared, ReturnsTooOften
from harmonic_gateway.recovery.returning import Return
from harmonic_gateway.sockets import (
    Connection,
    ConnectRefused,
    ConnectUnavailable,
    Ended,
    Handshake,
)
from harmonic_protocol.messages.connection import RecoveryReport
from harmonic_protocol.reasons import RecoveryOutcome
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harness import virtual_time

DEPTH = 6
CROWDED = refused(Code.RATE_LIMITED, "too many")
NOBODY_KNOWS = refused(Code.INTERNAL_ERROR, "no keys at the moment")

#: What can happen: to the step that is awaited, to the token, to the client, to its request.
MOVES = ("ok", "bad", "later", "crash", "revoke", "go", "cancel")


class Crash(Exception):
    """A bug of ours."""


@dataclass
class Parts:
    """What an arrival needs of others. Each step waits until the order of moves goes on."""

    revoked: bool = False
    step: "asyncio.Future[str] | None" = None
    counted: int = 0
    departed: list[Ended] = field(default_factory=list)
    is_returning: bool = False
    closed: bool = False

    async def _next(self) -> str:
        self.step = asyncio.get_running_loop().create_future()
        try:
            return await self.step
        finally:
            self.step = None

    async def identify(self, _: str | None) -> Identity | Refused:
        said = await self._next()
        if said == "bad" or self.revoked:
            return REVOKED
        return NOBODY_KNOWS if said == "later" else Identity("ann", "Ann", 2**40)

    def refusal_to_admit(self, _: Identity) -> Refused | None:
        return REVOKED if self.revoked else None

    async def admit(self, _session: object, _pid: object) -> Refused | None:
        if await self._next() != "ok":
            return CROWDED
        self.counted += 1
        return None

    def left(self, _: object) -> None:
        self.counted -= 1

    async def prepare(self, _session: object, _claim: object) -> Prepared:
        said = await self._next()
        if said == "often":
            raise ReturnsTooOften("the user returns too often")
        if said == "later":
            raise BusUnavailable("away")
        self.is_returning = True
        report = RecoveryReport(outcome=RecoveryOutcome.RECOVERED)
        return Prepared(report, Return(None))

    def abandon(self, _prepared: Prepared) -> None:
        # Else the rooms that the client was about to be in are not saved.
        assert self.departed

    def depart(self, _session: object, ended: Ended) -> None:
        self.departed.append(ended)


def arrivals(parts: Parts) -> Arrivals:
    some, metrics = cast("Any", parts), Metrics()
    issued = SimpleNamespace(issue=lambda _user: "a pid")
    return Arrivals(
        standing=some,
        crowding=some,
        recovery=some,
        pids=cast("Any", issued),
        fingerprints=Fingerprints("secret"),
        departures=some,
        gateway_id="g1",
        records=ConnectionRecords(
            "secret",
            Failures(get_log(), SampledLog(get_log(), SystemClock()), metrics),
            SystemClock(),
            dead=DeadTokens(),
            metrics=metrics,
            log=get_log(),
        ),
    )


def connection(parts: Parts) -> Connection:
    made = SimpleNamespace(
        id="c1",
        transport="websocket",
        handshake=Handshake({}, {}),
        session=None,
        pid=None,
        elsewhere=None,
        is_closed=lambda: parts.closed,
    )
    return cast("Connection", _Hashable(made))


class _Hashable:
    """A stand-in that can be a key."""

    def __init__(self, made: SimpleNamespace) -> None:
        self.__dict__.update(made.__dict__)


async def played(moves: tuple[str, ...]) -> tuple[Parts, str, int]:
    """Let an order of moves happen; the parts, the outcome, and how many moves were of use."""
    parts = Parts()
    door, client = arrivals(parts), connection(parts)
    task = asyncio.ensure_future(door.arrive(client, {"token": "x"}))
    used = 0
    for move in moves:
        await settled()
        if task.done():
            break
        used += 1
        make(move, parts, door, task)
    await settled()
    if not task.done():
        task.cancel()
        await settled()
        assert task.done()
        return parts, "waiting", used
    outcome = outcome_of(task)
    if outcome == "accepted":
        # In the same turn, the sockets ask whether the client is still there.
        if parts.closed:
            door.abandoned(client)
            outcome = "abandoned"
        else:
            door.connected(client)
    assert not door._arriving
    return parts, outcome, used


def make(move: str, parts: Parts, door: Arrivals, task: "asyncio.Future[None]") -> None:
    match move:
        case "revoke":
            parts.revoked = True
            door.look_at_tokens()
        case "go":
            parts.closed = True
        case "cancel":
            task.cancel()
        case "crash" if parts.step is not None:
            parts.step.set_exception(Crash())
        case _ if parts.step is not None:
            parts.step.set_result(move)
        case _:
            # Nothing is waited for.
            pass


def outcome_of(task: "asyncio.Future[None]") -> str:
    if task.cancelled():
        return "cancelled"
    match task.exception():
        case None:
            return "accepted"
        case ConnectRefused():
            return "refused"
        case ConnectUnavailable():
            return "turned away"
        case Crash():
            return "crashed"
        case other:
            raise other


async def settled() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def orders() -> Iterator[tuple[str, ...]]:
    """All orders of moves, but those that only differ after the end."""
    return itertools.product(MOVES, repeat=DEPTH)


def test_every_order_admits_only_those_who_may_come_in_and_gives_back_the_rest() -> None:
    async def explore() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        seen: set[tuple[str, ...]] = set()
        for moves in orders():
            if any(moves[:length] in seen for length in range(1, len(moves) + 1)):
                continue
            parts, outcome, used = await played(moves)
            if used < len(moves):
                seen.add(moves[:used])
            outcomes[outcome] += 1
            check(parts, outcome, moves[:used])
        return outcomes

    outcomes = virtual_time.run(explore())
    assert outcomes.keys() == {
        *("accepted", "refused", "turned away", "abandoned", "cancelled", "crashed", "waiting")
    }
    assert outcomes.total() > 400


def check(parts: Parts, outcome: str, moves: tuple[str, ...]) -> None:
    """What holds after every order."""
    is_in = outcome == "accepted"
    assert parts.counted == (1 if is_in else 0), (moves, outcome)
    if is_in:
        assert not parts.closed
        assert "revoke" not in moves
        assert parts.departed == []
    elif parts.is_returning:
        # Its seats are given back once: at once after a revocation, else after the grace.
        expected = Ended.GOODBYE if "revoke" in moves else Ended.BROKEN
        assert parts.departed == [expected], (moves, outcome)
    else:
        assert len(parts.departed) <= 1, (moves, outcome)
    if "revoke" in moves and outcome == "waiting":
        # Only the verification itself is waited for: it asks for revocations at its end.
        assert "ok" not in moves[: moves.index("revoke")], moves


@pytest.mark.parametrize(("move", "too_often"), [("often", True), ("later", False)])
def test_a_client_that_returns_too_often_is_told_from_one_that_nobody_can_tell_of(
    move: str, *, too_often: bool
) -> None:
    async def put_off() -> bool:
        parts = Parts()
        door, client = arrivals(parts), connection(parts)
        task = asyncio.ensure_future(door.arrive(client, {"token": "x"}))
        for each in ("ok", "ok", move):
            await settled()
            make(each, parts, door, task)
        await settled()
        error = task.exception()
        assert isinstance(error, ConnectUnavailable)
        return error.too_often

    assert virtual_time.run(put_off()) is too_often


@pytest.mark.parametrize("step", ["verification", "count", "recovery"])
def test_a_token_that_ends_while_anything_is_awaited_is_refused(step: str) -> None:
    """The schedule forced at each of the awaits, without a sweep that would hear of it."""

    async def forced() -> None:
        parts = Parts()
        door, client = arrivals(parts), connection(parts)
        task = asyncio.ensure_future(door.arrive(client, {"token": "x"}))
        for name in ("verification", "count", "recovery"):
            await settled()
            parts.revoked = parts.revoked or name == step
            if parts.step is not None:
                parts.step.set_result("ok")
        await settled()
        with pytest.raises(ConnectRefused) as refusal:
            await task
        assert cast("Any", refusal.value.data)["details"]["reason"] == "REVOKED"
        assert parts.counted == 0

    virtual_time.run(forced())


def test_a_client_that_waits_is_refused_as_soon_as_its_token_is_revoked() -> None:
    async def waits() -> None:
        parts = Parts()
        door, client = arrivals(parts), connection(parts)
        task = asyncio.ensure_future(door.arrive(client, {"token": "x"}))
        await settled()
        assert parts.step is not None
        parts.step.set_result("ok")
        await settled()
        parts.revoked = True
        door.look_at_tokens()
        with pytest.raises(ConnectRefused):
            await task
        assert parts.step is None

    virtual_time.run(waits())


def test_a_token_that_was_refused_again_and_again_is_not_verified() -> None:
    async def tries() -> None:
        parts = Parts()
        door = arrivals(parts)
        at_once = partial(door.refused_at_once, Handshake({}, {}), "websocket")
        for _ in range(ANSWERED_REFUSALS):
            assert at_once({"token": "x"}) is None
            task = asyncio.ensure_future(door.arrive(connection(parts), {"token": "x"}))
            await settled()
            make("bad", parts, door, task)
            with pytest.raises(ConnectRefused):
                await task
        refused = at_once({"token": "x"})
        assert refused is not None
        assert cast("Any", refused.data)["details"]["reason"] == "REVOKED"
        assert at_once({"token": "x"}) is refused
        # Others are verified as ever.
        assert at_once({"token": "y"}) is None

    virtual_time.run(tries())

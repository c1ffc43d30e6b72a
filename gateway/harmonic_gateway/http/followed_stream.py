"""One stream of server-sent events: carries out the steps of its follower.

The decisions are the follower's (:mod:`harmonic_gateway.membership.follower`).
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from harmonic_gateway.delivery.feed import RETRY_S, read_frames
from harmonic_gateway.delivery.history import History, LogTrimmed
from harmonic_gateway.delivery.places import Place, Position
from harmonic_gateway.delivery.server_sent import KEEP_ALIVE
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.pace import MAX_WAIT_S, UserBudgets
from harmonic_gateway.membership.follower import (
    AskOwner,
    AwaitNews,
    EndStream,
    LogRecord,
    PauseReading,
    ReadAfter,
    StreamEnd,
    StreamFollower,
    WriteEvents,
)
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.owners import Owners
from harmonic_protocol.causes import Cause
from harmonic_protocol.internal import LoggedRecord
from harmonic_protocol.log import NOTICES, OWNERS_NOTES
from harmonic_protocol.messages.following import KEEP_ALIVE_S, FollowUniverse, UniverseFollowed
from harmonic_protocol.transient import UNAVAILABLE
from harmonic_runtime.bus.client import BusUnavailable

#: How long a client may take to read one write.
WRITTEN_WITHIN_S = 30.0
#: Records encoded before other tasks get a turn.
RECORDS_IN_A_ROW = 100
#: CPU seconds of the gateway to read, parse and encode a record, and for each of its bytes.
RECORD_COST_S, BYTE_COST_S = 30e-6, 5e-9

_UNAVAILABLE = UNAVAILABLE.caused_by(Cause.BUS_UNAVAILABLE)
_HIDDEN = NOTICES.keys() | OWNERS_NOTES.keys()


class StreamClient(Protocol):
    """The client that reads a stream."""

    async def write(self, data: bytes) -> None:
        """Write, and return once the client has room for more; raise ``OSError`` if it is gone."""


@dataclass(frozen=True, slots=True)
class StreamMeans:
    """What all streams share."""

    rooms: Rooms
    owners: Owners
    history: History
    standing: Standing
    gateway_id: str
    max_bytes: int
    budgets: UserBudgets


class FollowedStream:
    """A user's stream of one universe, after a place or from the current state on."""

    def __init__(
        self, means: StreamMeans, identity: Identity, asked: FollowUniverse, at: Place | None
    ) -> None:
        self.identity = identity
        self.follower = StreamFollower(
            asked.universe_id, identity.user_id, at, max_bytes=means.max_bytes, driver=self
        )
        self._means = means
        self._asked = asked
        #: The user's budget, which all its connections and streams share.
        self._budget = means.budgets.of(identity.user_id)
        self._awake = asyncio.Event()
        self._scope: asyncio.Timeout | None = None
        self._is_interrupted = False

    def wake(self) -> None:
        """Wake :meth:`serve`: there is something to do."""
        self._awake.set()

    def interrupt(self) -> None:
        """Interrupt the current step: there is something else to do."""
        self._awake.set()
        scope = self._scope
        if scope is not None and not self._is_interrupted and not scope.expired():
            self._is_interrupted = True
            scope.reschedule(asyncio.get_running_loop().time())

    async def begin(self) -> EndStream | None:
        """Ask the owner; return the end if the universe may not, or cannot now, be followed."""
        while self.follower.is_asking:
            await self._finish(self._ask())
        return self.follower.ended

    async def serve(self, client: StreamClient) -> EndStream:
        """Write to a client until the stream ends; return the end."""
        while True:
            self._awake.clear()
            step = self.follower.next()
            match step:
                case AskOwner():
                    await self._finish(self._ask())
                case ReadAfter(place=place):
                    if not await self._earns():
                        await self._finish(self._read(place))
                case WriteEvents(data=data):
                    await self._write(client, data)
                case PauseReading():
                    await self._finish(asyncio.sleep(RETRY_S))
                    self.follower.paused()
                case AwaitNews():
                    if not await self._finish(self._awake.wait(), KEEP_ALIVE_S):
                        await self._write(client, KEEP_ALIVE)
                case EndStream():
                    return step
                case _:
                    assert_never(step)

    def close(self) -> None:
        """Detach from the room's feed."""
        if self.follower.is_attached:
            self._means.rooms.detach(self.follower)

    async def _finish(
        self, work: Coroutine[Any, Any, object], within_s: float | None = None
    ) -> bool:
        """Await ``work`` until it is finished or interrupted; ``False`` after ``within_s``."""
        self._is_interrupted = False
        try:
            async with asyncio.timeout(within_s) as scope:
                self._scope = scope
                await work
        except TimeoutError:
            if not scope.expired():
                raise
            return self._is_interrupted
        finally:
            self._scope = None
        return True

    def _charge(self, cost_s: float) -> None:
        self._budget.spend(cost_s, asyncio.get_running_loop().time())

    async def _earns(self) -> bool:
        """Wait if the user's budget is overdrawn; return whether it was."""
        wait_s = self._budget.wait_s(asyncio.get_running_loop().time())
        if wait_s:
            await self._finish(asyncio.sleep(min(wait_s, MAX_WAIT_S)))
        return wait_s > 0

    async def _write(self, client: StreamClient, data: bytes) -> None:
        try:
            if not await self._finish(client.write(data), WRITTEN_WITHIN_S):
                self.follower.end(StreamEnd.STALLED)
        except OSError:
            self.follower.end(StreamEnd.CLIENT)

    async def _ask(self) -> None:
        follower, means, identity = self.follower, self._means, self.identity
        universe_id = follower.universe_id
        if not follower.is_attached:
            means.rooms.attach(follower)
        try:
            await means.rooms.follow(universe_id)
        except BusUnavailable:
            follower.end(StreamEnd.UNAVAILABLE, _UNAVAILABLE)
            return
        caller, asked = identity.caller(means.gateway_id), self._asked
        reply = await means.owners.ask(universe_id, asked.operation(), asked, caller)
        refusal = reply.error or means.standing.refusal(identity)
        if refusal is not None:
            is_passing = "retryAfterMs" in refusal.details
            follower.end(StreamEnd.UNAVAILABLE if is_passing else StreamEnd.REFUSED, refusal)
            return
        followed = UniverseFollowed.model_validate(reply.result)
        position = Position.of_record(reply.position or 0, followed.record)
        if follower.is_attached:
            means.rooms.begin(follower, position)
        # The call may have detached it, if the log turned out to be lost.
        if follower.is_attached:
            follower.answered(position, followed.state)

    async def _read(self, place: Place) -> None:
        follower = self.follower
        try:
            part = await self._means.history.read(
                follower.universe_id,
                place.position,
                after_mark=place.mark,
                inclusive=place.frames is not None,
            )
        except LogTrimmed:
            follower.trimmed()
            return
        except BusUnavailable:
            follower.end(StreamEnd.UNAVAILABLE, _UNAVAILABLE)
            return
        # The cost is charged even if the client no longer waits.
        self._charge(len(part.records) * RECORD_COST_S)
        records = []
        for number, logged in enumerate(part.records, start=1):
            records.append(await self._record(logged))
            if number % RECORDS_IN_A_ROW == 0:
                await asyncio.sleep(0)
        size_bytes = sum(len(frame.data) for record in records for frame in record.frames)
        self._charge(size_bytes * BYTE_COST_S)
        follower.part_read(records)

    async def _record(self, logged: LoggedRecord) -> LogRecord:
        record = logged.record
        universe_id, history = self.follower.universe_id, self._means.history
        delivery, frames = await read_frames(universe_id, logged, history)
        position = Position.of_record(logged.position, record.id)
        numbers = (event.data.get("seq") for event in record.events if event.name not in _HIDDEN)
        first = next((number for number in numbers if isinstance(number, int)), None)
        return LogRecord(position, frames, delivery.notices, first)

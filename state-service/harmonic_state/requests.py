"""Requests as they come over the bus: read, put into the universe's queue, answered."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import assert_never

from pydantic import BaseModel, ValidationError

from harmonic_protocol.catalogue import OPERATIONS, STATE_COMMANDS, ApiOperation, StateCommand
from harmonic_protocol.envelope import Envelope, Reply
from harmonic_protocol.internal import (
    INTERNAL_REQUESTS,
    BusRequest,
    CompareHeads,
    Heads,
    ReadLog,
)
from harmonic_protocol.messages.universes import CreateUniverse, ListUniverses
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, invalid_fields, refused
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state.domain.decide import UniverseRequest
from harmonic_state.journal import Journal
from harmonic_state.listing import Listing
from harmonic_state.parts import log_part
from harmonic_state.quotas import Quotas
from harmonic_state.room import Waiting
from harmonic_state.rooms import Rooms

_UNAVAILABLE = refused(
    Code.INTERNAL_ERROR, "The server cannot answer this at the moment", retryAfterMs=1000
)
_TRIMMED = refused(Code.NOT_FOUND, "The log does not reach back so far", reason=Reason.TRIMMED)

#: What a replica is asked over the bus.
StateRequest = StateCommand | ApiOperation | BusRequest

REQUESTS: Mapping[str, type[StateRequest]] = MappingProxyType(
    {**STATE_COMMANDS, **OPERATIONS, **INTERNAL_REQUESTS}
)


class Requests:
    """The subscription's handler; it never waits, since requests arrive one at a time."""

    def __init__(
        self,
        *,
        bus: Bus,
        replica_id: str,
        rooms: Rooms,
        journal: Journal,
        listing: Listing,
        quotas: Quotas,
        tasks: Tasks,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._bus = bus
        self._replica_id = replica_id
        self._rooms = rooms
        self._journal = journal
        self._listing = listing
        self._quotas = quotas
        self._tasks = tasks
        self._log = log
        self._creations: set[asyncio.Task[None]] = set()
        received = metrics.counter("requests", "requests by name", ["name"])
        self._received = {name: received.labels(name) for name in REQUESTS}

    def receive(self, message: Message) -> None:
        """Take one request; what cannot be read is refused."""
        name = message.subject.rpartition(".")[2]
        declared = REQUESTS.get(name)
        if declared is None:
            self._log.warning("request_unknown", subject=message.subject)
            self._answer(message, Reply(error=refused(Code.INTERNAL_ERROR, "Unknown request")))
            return
        self._received[name].inc()
        try:
            envelope = Envelope.from_headers(message.headers)
            # A newer gateway may have added a field, which this version need not know.
            request = declared.model_validate_json(message.payload, extra="ignore")
        except ValidationError as error:
            model: type[BaseModel] = declared
            self._answer(message, Reply(error=invalid_fields(error, model)))
            return
        except ValueError:
            self._log.warning("request_without_envelope", subject=message.subject)
            self._answer(message, Reply(error=refused(Code.INTERNAL_ERROR, "Malformed request")))
            return
        self._dispatch(request, envelope, message)

    async def finish(self) -> None:
        """Have all that was received in its universe's queue; for when nothing more comes."""
        await asyncio.gather(*self._creations)

    def _dispatch(self, request: StateRequest, envelope: Envelope, message: Message) -> None:
        def reply(answer: Reply) -> None:
            self._answer(message, answer)

        if isinstance(request, ListUniverses):
            self._tasks.start(self._list(request, envelope, message), name="list")
        elif isinstance(request, CompareHeads):
            self._tasks.start(self._compare_heads(request, message), name="compare heads")
        elif isinstance(request, ReadLog):
            self._tasks.start(self._read_log(request, message), name="read log")
        elif isinstance(request, CreateUniverse):
            task = self._tasks.start(self._create(request, envelope, reply), name="create")
            self._creations.add(task)
            task.add_done_callback(self._creations.discard)
        elif isinstance(request, UniverseRequest):
            waiting = Waiting(request, envelope.caller, envelope.deadline_ms, reply)
            self._rooms.submit(request.universe_id, waiting)
        else:
            assert_never(request)

    async def _create(
        self, request: CreateUniverse, envelope: Envelope, reply: Callable[[Reply], None]
    ) -> None:
        universe_id, user_id = request.id or "", envelope.caller.user_id
        try:
            counted = await self._quotas.reserve(user_id, universe_id)
        except BusUnavailable:
            reply(Reply(error=_UNAVAILABLE))
            return
        if isinstance(counted, Refused):
            reply(Reply(error=counted))
            return

        async def release_and_reply(answer: Reply) -> None:
            try:
                await self._quotas.release(user_id, universe_id)
            except BusUnavailable:
                self._log.warning("quota_not_released", universe=universe_id)
            reply(answer)

        def answer(answer: Reply) -> None:
            refusal = answer.error
            # Where the outcome is not known, it may have been created.
            if counted and refusal is not None and refusal.code is not Code.INTERNAL_ERROR:
                self._tasks.start(release_and_reply(answer), name="release quota")
            else:
                reply(answer)

        waiting = Waiting(request, envelope.caller, envelope.deadline_ms, answer)
        self._rooms.submit(universe_id, waiting)

    async def _list(self, request: ListUniverses, envelope: Envelope, message: Message) -> None:
        try:
            page = await self._listing.page(
                envelope.caller.user_id, cursor=request.cursor, limit=request.limit
            )
        except BusUnavailable:
            self._answer(message, Reply(error=_UNAVAILABLE))
            return
        self._answer(message, Reply(result=page.to_wire()))

    async def _compare_heads(self, request: CompareHeads, message: Message) -> None:
        ahead, unknown = self._rooms.compare(request.positions)
        # What is known here may be out of date, where another replica was taken for the owner.
        others = request.positions.keys() - ahead.keys()
        try:
            for universe_id, position in (await self._journal.newest(list(others))).items():
                if position > request.positions[universe_id]:
                    ahead[universe_id] = position
        except BusUnavailable:
            self._answer(message, Reply(error=_UNAVAILABLE))
            return
        if request.owner == self._replica_id:
            self._rooms.adopt(unknown)
        self._answer(message, Reply(result=Heads(heads=ahead).to_wire()))

    async def _read_log(self, request: ReadLog, message: Message) -> None:
        universe_id, after = request.universe_id, request.after_position
        try:
            stored = self._rooms.recent(universe_id, after)
            if stored is None:
                stored = await self._journal.records(universe_id, after_position=after)
        except BusUnavailable:
            self._answer(message, Reply(error=_UNAVAILABLE))
            return
        if stored and stored[0].previous > after:
            self._answer(message, Reply(error=_TRIMMED))
            return
        self._answer(message, Reply(result=log_part(stored).to_wire()))

    def _answer(self, message: Message, reply: Reply) -> None:
        if not message.reply:
            return
        try:
            self._bus.post(message.reply, reply.to_json())
        except BusUnavailable:
            self._log.info("reply_lost", subject=message.subject)

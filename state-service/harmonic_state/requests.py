"""Requests from the bus: parsed, put into the universe's queue, answered."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, assert_never

from pydantic import BaseModel, ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.catalogue import (
    OWNER_OPERATIONS,
    STATE_COMMANDS,
    OwnerOperation,
    StateCommand,
)
from harmonic_protocol.envelope import Envelope, Reply, RequestTrace
from harmonic_protocol.internal import (
    INTERNAL_REQUESTS,
    BusRequest,
)
from harmonic_protocol.intervening import (
    EraseUser,
    ForgetHistory,
    OperatorBan,
)
from harmonic_protocol.messages.auditing import ListAudit
from harmonic_protocol.messages.endless import StartMusic
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import (
    BanUser,
    CreateUniverse,
    UpdateUniverse,
)
from harmonic_protocol.refusals import invalid_fields
from harmonic_runtime.bus.client import Bus, BusUnavailable, MessageTooLarge
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.observability.tracing import RequestSpan, Tracer
from harmonic_state import metrics as table
from harmonic_state.creation import Creations
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.means import Means
from harmonic_state.ownership import OwnedUniverses
from harmonic_state.reads import ReadRequest, Reads
from harmonic_state.refusals import (
    BROKEN,
    ENOUGH_PIECES,
    MALFORMED,
    NO_BARS,
    NO_MODERATION,
    UNKNOWN,
)

#: A reply is sent this much before its caller's timeout, but at most a quarter of the time before.
REPLY_MARGIN_S = 0.1
_MS_PER_S = 1000

#: The requests that a replica accepts over the bus.
StateRequest = StateCommand | OwnerOperation | BusRequest

REQUESTS: Mapping[str, type[StateRequest]] = MappingProxyType(
    {**STATE_COMMANDS, **OWNER_OPERATIONS, **INTERNAL_REQUESTS}
)


class Requests:
    """The subscription's handler; it never waits, since requests arrive one at a time."""

    def __init__(
        self,
        *,
        bus: Bus,
        universes: OwnedUniverses,
        creations: Creations,
        reads: Reads,
        means: Means,
        tracer: Tracer,
        metrics: Metrics,
        log: SampledLog,
    ) -> None:
        self._bus = bus
        self._universes = universes
        self._creations = creations
        self._reads = reads
        self._means = means
        self._tracer = tracer
        self._log = log
        received = metrics.counters(table.REQUESTS)
        self._received = {name: received.of(name) for name in REQUESTS}
        self._lost = metrics.counter(table.REPLIES_LOST)
        self._misdirected = metrics.counter(table.REPLIES_MISDIRECTED)
        self._pieces_refused = metrics.counter(table.PIECES_REFUSED)

    def receive(self, message: Message) -> None:
        """Handle one request; refuse an unreadable one."""
        name = message.subject.rpartition(".")[2]
        declared = REQUESTS.get(name)
        if declared is None:
            self._log.warning("request_unknown", subject=message.subject)
            self._answer(message, Reply(error=UNKNOWN))
            return
        self._received[name].inc()
        try:
            envelope = Envelope.from_headers(message.headers)
            # A newer gateway may have added a field that this version does not know.
            request = declared.model_validate_json(message.payload, extra="ignore")
        except ValidationError as error:
            model: type[BaseModel] = declared
            self._answer(message, Reply(error=invalid_fields(error, model)))
            return
        except ValueError:
            self._log.warning("request_malformed", subject=message.subject)
            self._answer(message, Reply(error=MALFORMED))
            return
        self._dispatch(request, envelope, message)

    def _dispatch(self, request: StateRequest, envelope: Envelope, message: Message) -> None:
        trace = envelope.trace
        reply: Callable[[Reply], None] = partial(self._answer, message)
        if self._tracer.records and trace.is_sampled:
            span = self._tracer.begin(
                f"own {request.operation()}", trace.traceparent, arrived_s=message.arrived_s
            )
            trace, reply = trace._replace(traceparent=span.traceparent), _ending(span, reply)
            # The reply ends the span.
            envelope = envelope._replace(name="")
        caller, within_s = envelope.caller, self._time_left_s(envelope)
        # The most frequent first: each class that it is not costs time.
        if isinstance(request, ParameterCommand):
            # A record may reply to it. Replies to others come after the effects of their events.
            name = envelope.name
            self._submit(request, request.universe_id, envelope, within_s, reply, trace, name)
        elif isinstance(request, ReadRequest):
            self._read(self._reads.answer(request, caller), message, reply)
        elif isinstance(request, CreateUniverse):
            self._creations.begin(request, caller, within_s=within_s, reply=reply, trace=trace)
        elif _is_moderation(request) and not self._means.settings.stores_moderation:
            reply(Reply(error=NO_MODERATION))
        elif isinstance(request, StartMusic) and not self._means.settings.stores_bars:
            reply(Reply(error=NO_BARS))
        elif isinstance(request, StartMusic) and self._means.endless.is_full:
            self._pieces_refused.inc()
            reply(Reply(error=ENOUGH_PIECES))
        elif isinstance(request, UpdateUniverse) and _changes_owner(request):
            self._creations.begin_transfer(
                request,
                caller,
                within_s=within_s,
                reply=reply,
                trace=trace,
                seen_position=envelope.position,
                seen_seq=envelope.seq,
            )
        elif isinstance(request, UniverseRequest):
            reply = self._replying(request, message, reply)
            self._submit(request, request.universe_id, envelope, within_s, reply, trace)
        else:
            assert_never(request)

    def _submit(  # noqa: PLR0917 -- once for each request
        self,
        request: UniverseRequest,
        universe_id: str,
        envelope: Envelope,
        within_s: float,
        reply: Callable[[Reply], None],
        trace: RequestTrace,
        name: str = "",
    ) -> None:
        pending = self._means.pending(
            request,
            envelope.caller,
            within_s=within_s,
            reply=reply,
            seen_position=envelope.position,
            seen_seq=envelope.seq,
            trace=trace,
            name=name,
        )
        self._universes.submit(universe_id, pending)

    def _time_left_s(self, envelope: Envelope) -> float:
        """Seconds that the request may take here for its reply to arrive in time."""
        clock = self._means.clock
        now_ms = int(clock.unix_s() * _MS_PER_S)
        left_ms = envelope.time_left_ms(now_ms, is_shared=clock.is_shared)
        left_s = left_ms / _MS_PER_S
        return left_s - min(REPLY_MARGIN_S, left_s / 4)

    def _read(
        self,
        reading: Coroutine[Any, Any, Reply],
        message: Message,
        reply: Callable[[Reply], None],
    ) -> None:
        async def read() -> None:
            try:
                answer = await reading
            except Exception:
                self._means.log.exception("read_failed", subject=message.subject)
                answer = Reply(error=BROKEN)
            reply(answer)

        self._means.tasks.start(read(), name="read")

    def _replying(
        self, request: UniverseRequest, message: Message, reply: Callable[[Reply], None]
    ) -> Callable[[Reply], None]:
        """The callback that takes the decision: ``reply``, or one that first reads."""
        if not isinstance(request, ListAudit):
            return reply

        def read_if_granted(decided: Reply) -> None:
            # The universe's queue decides the permission; the reading is done outside of it.
            if decided.error is not None:
                reply(decided)
            else:
                self._read(self._reads.list_audit(request), message, reply)

        return read_if_granted

    def _answer(self, message: Message, reply: Reply) -> None:
        if not message.reply:
            return
        if subjects.is_reserved(message.reply):
            # This service may write logs: a reply sent to a log's subject would become a record.
            self._misdirected.inc()
            self._log.warning("reply_misdirected", subject=message.subject, reply=message.reply)
            return
        if reply.error is not None:
            reply = Reply.failed(reply.error, self._means.settings.replica_id)
        try:
            try:
                self._bus.post(message.reply, reply.to_json())
            except MessageTooLarge as error:
                self._log.error("reply_too_large", subject=message.subject, reason=str(error))
                broken = Reply.failed(BROKEN, self._means.settings.replica_id)
                self._bus.post(message.reply, broken.to_json())
        except (BusUnavailable, ValueError):
            # Callers choose the reply subject, and may have chosen an invalid one.
            self._lost.inc()
            self._log.warning("reply_lost", subject=message.subject)


def _changes_owner(request: UpdateUniverse) -> bool:
    return "owner" in request.model_fields_set


def _is_moderation(request: StateRequest) -> bool:
    """Whether its events are of a kind that replicas of an earlier version do not read."""
    return isinstance(request, BanUser | OperatorBan | EraseUser | ForgetHistory) or (
        isinstance(request, UpdateUniverse) and _changes_owner(request)
    )


def _ending(span: RequestSpan, reply: Callable[[Reply], None]) -> Callable[[Reply], None]:
    """A callback that replies, and ends the span of the request."""

    def end(answer: Reply) -> None:
        reply(answer)
        span.end(None if answer.error is None else answer.error.code.value)

    return end

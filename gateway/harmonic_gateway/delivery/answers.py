"""A client's answers to its commands: an ack if it asked for one, and an event on refusal."""

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.failures import Failures
from harmonic_gateway.metrics import OTHER
from harmonic_gateway.sockets import Connection
from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.envelope import NO_TRACE, RequestTrace
from harmonic_protocol.messages.connection import ErrorReported
from harmonic_protocol.messages.declaration import Command, Failure
from harmonic_protocol.messages.rooms import RoomRefused
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.tracing import trace_id_of
from harmonic_runtime.process.entropy import new_trace


class Answers:
    """Tells clients the outcome of their commands."""

    def __init__(self, failures: Failures, meter: DeliveryMeter, metrics: Metrics) -> None:
        self._failures = failures
        self._meter = meter
        seconds = metrics.summaries(table.COMMAND_SECONDS)
        self._seconds = {name: seconds.of(name) for name in COMMANDS}
        done = metrics.counters(table.COMMANDS_DONE)
        self._accepted = {name: done.of(name, "ok") for name in COMMANDS}
        self._refused = {name: done.of(name, "refused") for name in (*COMMANDS, OTHER)}

    def accepted(
        self, connection: Connection, name: str, ack_id: int | None, **details: object
    ) -> None:
        """The command was carried out."""
        self._accepted[name].inc()
        if ack_id is not None:
            known = {key: value for key, value in details.items() if value is not None}
            connection.acknowledge(ack_id, {"ok": True, **known})

    def took(self, name: str, took_s: float, *, is_stored: bool) -> None:
        """A command was carried out so long after its arrival; if ``is_stored``, by its owner."""
        self._seconds[name].observe(took_s)
        if is_stored:
            self._meter.appended(took_s)

    def refused(
        self,
        connection: Connection,
        declared: type[Command] | None,
        refusal: Refused,
        ack_id: int | None = None,
        *,
        universe_id: str | None = None,
        op_id: str | None = None,
        trace: RequestTrace = NO_TRACE,
    ) -> None:
        """The command was refused: one event, and an ack if the client wanted one.

        The client is told the id of its trace, by which operators find what happened.
        """
        name = declared.spec.name if declared else None
        error_id = trace.trace_id or trace_id_of(new_trace())
        refusal = refusal.about(event=name, universeId=universe_id, opId=op_id, errorId=error_id)
        self._refused[name or OTHER].inc()
        self._failures.report(
            "command_refused",
            refusal,
            error_id=error_id,
            universe_id=universe_id,
            # What fails on this side is not counted against the client.
            in_full=refusal.code is Code.INTERNAL_ERROR or connection.count_refusal(),
            command=name,
            connection=connection.id,
        )
        if ack_id is not None:
            connection.acknowledge(ack_id, {"ok": False, "error": refusal.to_wire()})
        if declared is not None and _is_room_error(declared, refusal):
            self._room_error(connection, refusal, universe_id)
            return
        error = ErrorReported(code=refusal.code, message=refusal.message, details=refusal.details)
        connection.send(encode_event(error, ErrorReported.spec.name))

    def evicted(self, connection: Connection, refusal: Refused, universe_id: str) -> None:
        """The connection was removed from a room: a ``room_error`` that answers no command."""
        error_id = trace_id_of(new_trace())
        self._failures.report(
            "evicted",
            refusal,
            error_id=error_id,
            universe_id=universe_id,
            connection=connection.id,
        )
        about = refusal.about(universeId=universe_id, errorId=error_id)
        self._room_error(connection, about, universe_id)

    def _room_error(
        self, connection: Connection, refusal: Refused, universe_id: str | None
    ) -> None:
        error = RoomRefused(
            error=refusal.message,
            code=refusal.code,
            message=refusal.message,
            details=refusal.details,
            universe_id=universe_id,
        )
        connection.send(encode_event(error, RoomRefused.spec.name))


def _is_room_error(declared: type[Command], refusal: Refused) -> bool:
    return (
        declared.spec.failure is Failure.ROOM_ERROR
        and refusal.code is not Code.AUTH_ERROR
        and refusal.reason is not Reason.TOO_LARGE
    )

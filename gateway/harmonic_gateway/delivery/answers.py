"""What a client is told of its command: an ack if it wanted one, and an event on refusal."""

from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.sockets import Connection
from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.messages.connection import ErrorReported
from harmonic_protocol.messages.declaration import Command, Failure
from harmonic_protocol.messages.rooms import RoomRefused
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.entropy import new_id


class Answers:
    """Tells clients how their commands fared."""

    def __init__(self, log: BoundLogger, sampled: SampledLog, metrics: Metrics) -> None:
        self._log = log
        self._sampled = sampled
        self._outcomes = metrics.counter(
            "commands_total", "commands by name and outcome", ["command", "outcome"]
        )
        self._accepted = {name: self._outcomes.labels(name, "ok") for name in COMMANDS}

    def accepted(
        self, connection: Connection, name: str, ack_id: int | None, **details: object
    ) -> None:
        """The command was carried out."""
        self._accepted[name].inc()
        if ack_id is not None:
            known = {key: value for key, value in details.items() if value is not None}
            connection.acknowledge(ack_id, {"ok": True, **known})

    def refused(
        self,
        connection: Connection,
        declared: type[Command] | None,
        refusal: Refused,
        ack_id: int | None = None,
        *,
        universe_id: str | None = None,
        op_id: str | None = None,
    ) -> None:
        """The command was refused: one event, and an ack if the client wanted one."""
        name = declared.spec.name if declared else None
        error_id = new_id()
        refusal = refusal.about(event=name, universeId=universe_id, opId=op_id, errorId=error_id)
        self._outcomes.labels(name or "unknown", refusal.code.value).inc()
        self._note(connection, name, refusal, error_id)
        if ack_id is not None:
            connection.acknowledge(ack_id, {"ok": False, "error": refusal.to_wire()})
        if declared is not None and _is_room_error(declared, refusal):
            self._room_error(connection, refusal, universe_id)
            return
        error = ErrorReported(code=refusal.code, message=refusal.message, details=refusal.details)
        connection.send(encode_event(error, ErrorReported.spec.name))

    def evicted(self, connection: Connection, refusal: Refused, universe_id: str) -> None:
        """The connection was removed from a room: a ``room_error`` that answers no command."""
        error_id = new_id()
        self._log.info(
            "evicted",
            code=refusal.code.value,
            reason=refusal.details.get("reason"),
            error_id=error_id,
            connection=connection.id,
        )
        about = refusal.about(universeId=universe_id, errorId=error_id)
        self._room_error(connection, about, universe_id)

    def _note(
        self, connection: Connection, name: str | None, refusal: Refused, error_id: str
    ) -> None:
        """Log a refusal; of many that are the client's own fault, a sample.

        What fails on this side is no fault of the client, and is not counted against it.
        """
        reason = refusal.details.get("reason")
        told = {
            "command": name,
            "code": refusal.code.value,
            "reason": reason,
            "error_id": error_id,
            "connection": connection.id,
        }
        if refusal.code is Code.INTERNAL_ERROR or connection.count_refusal():
            self._log.info("command_refused", **told)
        else:
            self._sampled.info("command_refused", kind=f"{refusal.code.value} {reason}", **told)

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

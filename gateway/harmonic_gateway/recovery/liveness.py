"""Whether a connection's client answers, asked of its gateway over the bus."""

from collections.abc import Mapping

from pydantic import ValidationError

from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.summaries import marks
from harmonic_gateway.recovery.questions import Questions
from harmonic_gateway.sockets import Connection, Ended
from harmonic_protocol import subjects
from harmonic_protocol.internal import ConnectionCheck, ConnectionChecked, Liveness
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.sampling import SampledLog

#: A client that does not answer is known to be gone so long after its ping's timeout.
MARGIN_S = 1.0


class LivenessChecks:
    """Answers other gateways about ``sessions``, those connected here, and asks them."""

    def __init__(
        self, bus: Bus, sessions: Mapping[str, Session], ping_timeout_s: float, log: SampledLog
    ) -> None:
        self._bus = bus
        self._log = log
        self._sessions = sessions
        self._patience_s = ping_timeout_s + MARGIN_S
        self._questions = Questions()

    def hear(self, message: Message) -> None:
        """Take a question of a gateway."""

        def reply(checked: ConnectionChecked) -> None:
            try:
                self._bus.post(message.reply, checked.to_json())
            except BusUnavailable:
                # Whoever asks waits for a bounded time.
                return

        try:
            asked = ConnectionCheck.model_validate_json(message.payload)
        except ValidationError:
            self._log.warning("connection_check_unreadable")
            # A connection that may be alive is taken from nobody.
            reply(ConnectionChecked(liveness=Liveness.ALIVE))
            return
        session = self._sessions.get(asked.connection_id)
        if session is None:
            reply(ConnectionChecked(liveness=Liveness.UNKNOWN))
            return
        connection = session.connection
        if self._questions.ask(connection.id, reply, in_doubt=connection.in_doubt):
            connection.ping_now()
        else:
            reply(ConnectionChecked(liveness=Liveness.ALIVE))

    def ponged(self, connection: Connection) -> None:
        """A connection here has answered a ping."""
        if self._questions.ponged(connection.id):
            connection.ping_now()

    def ended(self, connection_id: str, ended: Ended, acknowledged: dict[str, int]) -> None:
        """A connection here is over, whose client had come so far in its rooms."""
        liveness = Liveness.GOODBYE if ended is Ended.GOODBYE else Liveness.BROKEN
        checked = ConnectionChecked(
            liveness=liveness, acknowledged=acknowledged, marks=marks(acknowledged)
        )
        self._questions.ended(connection_id, checked)

    def moved(self, connection_id: str) -> None:
        """A connection goes on at another gateway: whoever asks finds it there."""
        self._questions.ended(connection_id, ConnectionChecked(liveness=Liveness.UNKNOWN))

    async def ask(self, gateway_id: str, connection_id: str) -> ConnectionChecked:
        """What a gateway knows of its connection; raise :class:`BusUnavailable` without answer."""
        message = await self._bus.request(
            subjects.ping(gateway_id),
            ConnectionCheck(connection_id=connection_id).to_json(),
            timeout_s=self._patience_s,
        )
        try:
            return ConnectionChecked.model_validate_json(message.payload)
        except ValidationError as error:
            raise BusUnavailable("an answer of a newer version") from error

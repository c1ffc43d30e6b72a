"""Whether a connection's client answers, asked of its gateway over the bus.

A gateway that is asked pings the connection. Only the answer to a ping that it sends after the
question counts: one that was on its way before says nothing of a client that is gone since.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from harmonic_gateway.membership.session import Session
from harmonic_gateway.sockets import Connection, Ended
from harmonic_protocol import subjects
from harmonic_protocol.internal import ConnectionCheck, ConnectionChecked, Liveness
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.wire import Message

#: Questions about one connection that wait at the same time; to others it is alive.
MAX_QUESTIONS_PER_CONNECTION = 8
#: A client that does not answer is known to be gone so long after its ping's timeout.
MARGIN_S = 1.0

Reply = Callable[[ConnectionChecked], None]


@dataclass(slots=True)
class Question:
    """Somebody asks for a connection, and waits for so many answers to pings."""

    pongs: int
    reply: Reply


class Questions:
    """Those that wait, by connection. Pure: pings are for the caller to send."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Question]] = {}

    def ask(self, connection_id: str, reply: Reply, *, in_doubt: bool) -> bool:
        """Wait for a connection that may have a ping to answer already; ``False`` if too many do.

        The caller pings it if it has none to answer.
        """
        waiting = self._waiting.setdefault(connection_id, [])
        if len(waiting) >= MAX_QUESTIONS_PER_CONNECTION:
            return False
        waiting.append(Question(2 if in_doubt else 1, reply))
        return True

    def ponged(self, connection_id: str) -> bool:
        """The connection answered a ping; whether it is to be pinged once more."""
        waiting = self._waiting.pop(connection_id, [])
        for question in waiting:
            question.pongs -= 1
        left = [question for question in waiting if question.pongs]
        if left:
            self._waiting[connection_id] = left
        for question in waiting:
            if not question.pongs:
                question.reply(ConnectionChecked(liveness=Liveness.ALIVE))
        return bool(left)

    def ended(self, connection_id: str, checked: ConnectionChecked) -> None:
        """The connection is over."""
        for question in self._waiting.pop(connection_id, []):
            question.reply(checked)


class LivenessChecks:
    """Answers other gateways about ``sessions``, those connected here, and asks them."""

    def __init__(self, bus: Bus, sessions: Mapping[str, Session], ping_timeout_s: float) -> None:
        self._bus = bus
        self._sessions = sessions
        self._patience_s = ping_timeout_s + MARGIN_S
        self._questions = Questions()

    def hear(self, message: Message) -> None:
        """Take a question of a gateway."""
        try:
            asked = ConnectionCheck.model_validate_json(message.payload)
        except ValidationError:
            return

        def reply(checked: ConnectionChecked) -> None:
            try:
                self._bus.post(message.reply, checked.to_json())
            except BusUnavailable:
                # Whoever asks waits for a bounded time.
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
        checked = ConnectionChecked(liveness=liveness, acknowledged=acknowledged)
        self._questions.ended(connection_id, checked)

    async def ask(self, gateway_id: str, connection_id: str) -> ConnectionChecked:
        """What a gateway knows of its connection; raise :class:`BusUnavailable` without answer."""
        message = await self._bus.request(
            subjects.ping(gateway_id),
            ConnectionCheck(connection_id=connection_id).to_json(),
            timeout_s=self._patience_s,
        )
        return ConnectionChecked.model_validate_json(message.payload)

"""What happens at the door: who may come in, what they ask for, and what is left when they go."""

import asyncio

from harmonic_gateway.answers import Answers
from harmonic_gateway.commands import Commands
from harmonic_gateway.frames import encode_event
from harmonic_gateway.identity import Verifier, find_token
from harmonic_gateway.inbound import read_command, text_field
from harmonic_gateway.owners import Owners
from harmonic_gateway.rooms import Rooms
from harmonic_gateway.session import Queued, Session
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import Connection, Received
from harmonic_gateway.sockets import Refused as ConnectionRefused
from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.internal import CloseConnection
from harmonic_protocol.log import (
    ConnectionLeft,
    ConnectionModeChanged,
    HiddenEvent,
    MusicFailed,
    UniverseDeleted,
)
from harmonic_protocol.messages.audio import MAX_AUDIO_MESSAGE_BYTES
from harmonic_protocol.messages.connection import ConnectRefusal, ConnectSuccess, Limits
from harmonic_protocol.messages.declaration import (
    LARGE_MESSAGE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_DEPTH,
)
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus import Bus
from harmonic_runtime.clock import Clock, timestamp
from harmonic_runtime.lifecycle import Tasks
from harmonic_runtime.logs import BoundLogger
from harmonic_runtime.metrics import Metrics

#: How often, and how long apart, an owner is told of a connection that is gone.
FAREWELL_ATTEMPTS = 10
FAREWELL_PAUSE_S = 1.0

_EXPIRED = refused(Code.AUTH_ERROR, "The token has expired", reason="EXPIRED")
_NOT_FOUND = refused(Code.NOT_FOUND, "Universe not found")
_MAX_ECHOED_CHARACTERS = 64


class FrontDoor:
    """The sockets' application."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        gateway_id: str,
        bus: Bus,
        verifier: Verifier,
        owners: Owners,
        rooms: Rooms,
        commands: Commands,
        answers: Answers,
        clock: Clock,
        tasks: Tasks,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._settings = settings
        self._gateway_id = gateway_id
        self._bus = bus
        self._verifier = verifier
        self._owners = owners
        self._rooms = rooms
        self._commands = commands
        self._answers = answers
        self._clock = clock
        self._tasks = tasks
        self._log = log
        self._sessions: dict[str, Session] = {}
        self._departed: dict[str, Session] = {}
        self._draining = False
        self._large = metrics.counter("large_messages_total", "messages above 16 KiB")
        self._full = metrics.counter("command_queue_refusals_total", "commands refused: queue full")
        metrics.gauge("connections", "connected clients").set_function(lambda: len(self._sessions))

    def refuse_handshake(self) -> str | None:
        """Why no new connection is taken at the moment, if none is."""
        if self._draining:
            return "This server is about to stop"
        if not self._bus.connected:
            return "The server cannot reach its bus"
        return None

    async def connect(self, connection: Connection, auth: object) -> None:
        """Let a client in whose token is good."""
        handshake = connection.handshake
        token = find_token(auth, handshake.headers, handshake.query)
        identity = self._verifier.verify(token)
        if isinstance(identity, Refused):
            refusal = ConnectRefusal(
                error=identity.message, code=identity.code, details=identity.details
            )
            self._log.info("connection_refused", reason=identity.details.get("reason"))
            raise ConnectionRefused(identity.message, refusal.to_wire())
        connection.session = Session(connection, identity, self._gateway_id)

    def connected(self, connection: Connection) -> None:
        """Greet a client that was let in."""
        session: Session = connection.session
        self._sessions[connection.id] = session
        now = timestamp(self._clock.now())
        greeting = ConnectSuccess(
            user_id=session.identity.user_id,
            timestamp=now,
            session_id=connection.id,
            recovered=False,
            expires_at=session.identity.expires_at,
            server_time=now,
            limits=self._limits(),
        )
        connection.send(encode_event(greeting, ConnectSuccess.spec.name))

    def receive(self, connection: Connection, event: Received) -> None:
        """Check an event and queue the command that it means."""
        session: Session = connection.session
        name, args = event.name, event.args
        if event.size_bytes > LARGE_MESSAGE_BYTES:
            self._large.inc()
        if session.identity.expires_at_s <= self._clock.now().timestamp():
            self._refuse(connection, event, _EXPIRED)
            return
        command = read_command(name, args, event.size_bytes)
        if isinstance(command, Refused):
            self._refuse(connection, event, command)
            return
        queued = Queued(command, event.ack_id, event.size_bytes)
        if not session.mailbox.put(
            queued,
            max_commands=self._settings.queued_commands,
            max_bytes=self._settings.queued_bytes,
        ):
            self._full.inc()
            self._refuse(connection, event, self._too_many())
            return
        if not session.mailbox.working:
            session.mailbox.working = True
            self._tasks.start(self._work(session), name="commands")

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        """A client is gone: at once if it said so, else it may come back within the grace."""
        session: Session = connection.session
        self._sessions.pop(connection.id, None)
        session.mailbox.clear()
        self._departed[connection.id] = session
        grace_s = 0 if clean or self._draining else self._settings.departure_grace_s
        self._tasks.start(self._see_off(session, grace_s), name="see off")

    def notice(self, universe_id: str, event: HiddenEvent) -> None:
        """Act upon what the log says about connections."""
        match event:
            case UniverseDeleted():
                for connection in list(self._rooms.members(universe_id)):
                    self._put_out(universe_id, connection.session, _NOT_FOUND)
            case ConnectionLeft(connection_id=connection_id, refusal=refusal):
                session = self._sessions.get(connection_id)
                if session is not None:
                    self._left(universe_id, session, refusal)
            case ConnectionModeChanged(connection_id=connection_id, mode=mode):
                session = self._sessions.get(connection_id)
                if session is not None and universe_id in session.rooms:
                    session.rooms[universe_id] = mode
            case MusicFailed(connection_id=connection_id, refusal=refusal):
                session = self._sessions.get(connection_id)
                if session is not None:
                    self._answers.refused(
                        session.connection, GenerateMusic, refusal, universe_id=universe_id
                    )
            case _:
                pass

    async def close(self) -> None:
        """Take nobody in any more, and tell the owners of everybody who was here."""
        self._draining = True
        for session in [*self._sessions.values(), *self._departed.values()]:
            self._sessions.pop(session.connection.id, None)
            await self._farewell(session, attempts=1)

    def _limits(self) -> Limits:
        return Limits(
            message_bytes=MAX_MESSAGE_BYTES,
            audio_message_bytes=MAX_AUDIO_MESSAGE_BYTES,
            message_depth=MAX_MESSAGE_DEPTH,
            rooms=self._settings.rooms_per_connection,
            queued_commands=self._settings.queued_commands,
        )

    def _too_many(self) -> Refused:
        return refused(
            Code.RATE_LIMITED,
            "Too many commands wait on this connection",
            reason="QUEUE_FULL",
            limit=self._settings.queued_commands,
            retryAfterMs=1000,
        )

    def _refuse(self, connection: Connection, event: Received, refusal: Refused) -> None:
        self._answers.refused(
            connection,
            COMMANDS.get(event.name),
            refusal,
            event.ack_id,
            universe_id=text_field(event.args, "universeId", _MAX_ECHOED_CHARACTERS),
            op_id=text_field(event.args, "opId", _MAX_ECHOED_CHARACTERS),
        )

    async def _work(self, session: Session) -> None:
        try:
            while (queued := session.mailbox.take()) is not None:
                try:
                    await self._commands.carry_out(session, queued)
                except Exception:  # noqa: BLE001 -- a bug must not end the client's other commands
                    self._log.exception("command_failed", command=queued.command.spec.name)
                    self._answers.refused(
                        session.connection,
                        type(queued.command),
                        refused(Code.INTERNAL_ERROR, "The server failed to carry this out"),
                        queued.ack_id,
                        universe_id=queued.command.universe_id,
                        op_id=queued.command.op_id,
                    )
        finally:
            session.mailbox.working = False

    def _left(self, universe_id: str, session: Session, refusal: Refused | None) -> None:
        if refusal is not None:
            self._put_out(universe_id, session, refusal)
        else:
            self._rooms.drop(universe_id, session.connection)

    def _put_out(self, universe_id: str, session: Session, refusal: Refused) -> None:
        session.rooms.pop(universe_id, None)
        session.seats.discard(universe_id)
        self._rooms.drop(universe_id, session.connection)
        self._answers.put_out(session.connection, refusal, universe_id)

    async def _see_off(self, session: Session, grace_s: float) -> None:
        for universe_id in list(session.rooms):
            self._rooms.drop(universe_id, session.connection)
        await asyncio.sleep(grace_s)
        if session.connection.id in self._departed:
            await self._farewell(session, attempts=FAREWELL_ATTEMPTS)

    async def _farewell(self, session: Session, *, attempts: int) -> None:
        """Tell the owners of the universes where it may have a seat that it is gone."""
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(FAREWELL_PAUSE_S)
            for universe_id in list(session.seats):
                request = CloseConnection(universe_id=universe_id)
                reply = await self._owners.ask(
                    universe_id, request.operation(), request, session.caller
                )
                if reply.error is None:
                    session.seats.discard(universe_id)
            if not session.seats:
                break
        self._departed.pop(session.connection.id, None)

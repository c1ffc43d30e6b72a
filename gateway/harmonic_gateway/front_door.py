"""What happens at the door: who may come in, what they ask for, and what is left when they go."""

import asyncio
from collections.abc import Mapping

from harmonic_gateway.answers import Answers
from harmonic_gateway.commands import Commands
from harmonic_gateway.frames import encode_event
from harmonic_gateway.identity import Verifier, find_token
from harmonic_gateway.inbound import read_command, text_field
from harmonic_gateway.owners import Owners
from harmonic_gateway.pids import Pids
from harmonic_gateway.recovery import Recovery, Return
from harmonic_gateway.rooms import Rooms
from harmonic_gateway.session import Queued, Session
from harmonic_gateway.sessions import Sessions
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import Connection, Handshake, Received, Unavailable
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
from harmonic_protocol.messages.connection import (
    ConnectRefusal,
    ConnectSuccess,
    Limits,
    TimeSync,
    TimeSynced,
)
from harmonic_protocol.messages.declaration import (
    LARGE_MESSAGE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_DEPTH,
)
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.rooms import JoinRoom
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus import Bus, BusUnavailable
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
        saved_sessions: Sessions,
        recovery: Recovery,
        pids: Pids,
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
        self._saved = saved_sessions
        self._recovery = recovery
        self._pids = pids
        self._sessions: dict[str, Session] = {}
        self._returning: dict[Connection, Return] = {}
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
        if self._recovery.is_busy:
            return "Too many clients come at once"
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
        session = connection.session = Session(connection, identity, self._gateway_id)
        if declines_recovery(handshake, auth):
            return
        try:
            returning = await self._recovery.prepare(session, auth)
        except BusUnavailable as error:
            raise Unavailable from error
        if returning is not None:
            self._returning[connection] = returning
        pid = returning.pid if returning is not None else None
        session.pid = pid or self._pids.issue(identity.user_id)
        if takes_offsets(handshake, auth):
            connection.pid, connection.elsewhere = session.pid, ""

    def connected(self, connection: Connection) -> None:
        """Greet a client that was let in."""
        session: Session = connection.session
        self._sessions[connection.id] = session
        returning = self._returning.pop(connection, None)
        now = timestamp(self._clock.now())
        greeting = ConnectSuccess(
            user_id=session.identity.user_id,
            timestamp=now,
            session_id=connection.id,
            recovered=returning is not None and returning.recovered,
            expires_at=session.identity.expires_at,
            server_time=now,
            limits=self._limits(),
            pid=session.pid if connection.pid is None else None,
        )
        connection.send(encode_event(greeting, ConnectSuccess.spec.name))
        if returning is not None:
            self._recovery.complete(session, returning)
            self._tasks.start(self._saved.save(session), name="save session")

    def abandoned(self, connection: Connection) -> None:
        """A client that was let in was gone before it could be told."""
        session: Session = connection.session
        returning = self._returning.pop(connection, None)
        if returning is not None:
            self._tasks.start(self._recovery.give_up(returning), name="give up")
            self._depart(session, clean=False)

    def pinged(self, connection: Connection) -> None:
        """Remember how far a client will have come that does not tell it itself."""
        if connection.elsewhere is None and connection.rooms:
            connection.session.sent = self._rooms.places(connection)

    def ponged(self, connection: Connection) -> None:
        """It has come so far."""
        if connection.elsewhere is None:
            connection.session.acknowledged = connection.session.sent

    def receive(self, connection: Connection, event: Received) -> None:
        """Check an event and queue the command that it means."""
        session: Session = connection.session
        name, args = event.name, event.args
        if event.size_bytes > LARGE_MESSAGE_BYTES:
            self._large.inc()
        received_at = self._clock.now().timestamp()
        if session.identity.expires_at_s <= received_at:
            self._refuse(connection, event, _EXPIRED)
            return
        command = read_command(name, args, event.size_bytes)
        if isinstance(command, Refused):
            self._refuse(connection, event, command)
            return
        if isinstance(command, TimeSync):
            # At once: waiting behind other commands would count as the way here.
            self._tell_time(connection, command, event.ack_id, received_at)
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
        self._depart(session, clean=clean)

    def notice(  # noqa: C901 -- the one table of what is acted upon
        self, universe_id: str, event: HiddenEvent
    ) -> None:
        """Act upon what the log says about connections."""
        match event:
            case UniverseDeleted():
                for connection in list(self._rooms.members(universe_id)):
                    self._put_out(universe_id, connection.session, _NOT_FOUND)
            case ConnectionLeft(connection_id=connection_id, moved=True):
                self._make_way(connection_id)
            case ConnectionLeft(connection_id=connection_id, refusal=refusal, released=released):
                session = self._sessions.get(connection_id)
                if session is not None and released:
                    self._tasks.start(self._sit_down_again(universe_id, session), name="sit down")
                elif session is not None:
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
        """Take nobody in any more, and leave everybody's session for another gateway.

        Their seats are not given up: who comes back in time takes it, and the others leave when
        nothing has been heard of this gateway for a while.
        """
        self._draining = True
        async with asyncio.TaskGroup() as group:
            for session in [*self._sessions.values(), *self._departed.values()]:
                group.create_task(self._saved.save(session, ended=True))

    def _tell_time(
        self, connection: Connection, asked: TimeSync, ack_id: int | None, received_at: float
    ) -> None:
        if ack_id is None:
            return
        answer = TimeSynced(
            t0=asked.t0,
            t1=round(received_at * 1000, 3),
            t2=round(self._clock.now().timestamp() * 1000, 3),
            rtt_ms=connection.socket.round_trip_ms,
        )
        connection.acknowledge(ack_id, answer.to_wire())

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
                        universe_id=queued.universe_id,
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
        session.places.pop(universe_id, None)
        self._tasks.start(self._saved.save(session), name="save session")
        self._rooms.drop(universe_id, session.connection)
        self._answers.put_out(session.connection, refusal, universe_id)

    async def _sit_down_again(self, universe_id: str, session: Session) -> None:
        """This gateway was taken for dead, and its participants were seen off."""
        mode = session.rooms.get(universe_id)
        if mode is None:
            return
        join = JoinRoom.model_validate({"universeId": universe_id, "mode": mode})
        reply = await self._owners.ask(universe_id, join.operation(), join, session.caller)
        if reply.error is not None and session.connection.id in self._sessions:
            self._put_out(universe_id, session, reply.error)

    def _make_way(self, connection_id: str) -> None:
        """The client is back elsewhere: what is left of its connection here is a shell."""
        session = self._sessions.get(connection_id) or self._departed.pop(connection_id, None)
        if session is not None:
            session.replaced = True
            session.seats.clear()
            session.connection.socket.shut()

    def _depart(self, session: Session, *, clean: bool) -> None:
        self._departed[session.connection.id] = session
        self._tasks.start(self._see_off(session, clean=clean), name="see off")

    async def _see_off(self, session: Session, *, clean: bool) -> None:
        for universe_id in list(session.rooms):
            self._rooms.drop(universe_id, session.connection)
        await self._saved.save(session, ended=True, said_goodbye=clean)
        await asyncio.sleep(0 if clean else self._settings.departure_grace_s)
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


def declines_recovery(handshake: Handshake, auth: object) -> bool:
    """Whether a client says ``recovery: 0``: it wants to begin anew whenever it comes."""
    said = auth if isinstance(auth, Mapping) else {}
    return str(said.get("recovery", handshake.query.get("recovery"))) == "0"


def takes_offsets(handshake: Handshake, auth: object) -> bool:
    """Whether a client knows that a last argument is an offset, or at least does not mind.

    The handlers of python-socketio's clients fail on an argument more than they have. They are
    known by their HTTP libraries, or by having neither a name nor compression to offer.
    """
    said = auth if isinstance(auth, Mapping) else {}
    if "pid" in said and "offset" in said:
        return True
    agent = handshake.headers.get("User-Agent", "")
    if not agent:
        return "permessage-deflate" in handshake.headers.get("Sec-WebSocket-Extensions", "")
    return not agent.startswith(("Python", "python"))

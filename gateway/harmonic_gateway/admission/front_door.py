"""What happens at the door: who may come in, what they ask for, and when they have to go."""

from collections.abc import Mapping

from harmonic_gateway.admission.crowding import Crowding
from harmonic_gateway.admission.expiry import look_at_tokens
from harmonic_gateway.commands.execution import Commands
from harmonic_gateway.commands.inbound import read_command, text_field
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.identity.revocations import Revocations
from harmonic_gateway.identity.verification import (
    EXPIRED,
    REVOKED,
    Identity,
    Verifier,
    denied,
    find_token,
)
from harmonic_gateway.limits.allowances import Allowances, FloodGuard, limited
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Queued, Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.recovery.recovery import Recovery, Return
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import Connection, Handshake, Received, Unavailable
from harmonic_gateway.sockets import Refused as ConnectionRefused
from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.messages.audio import MAX_AUDIO_MESSAGE_BYTES
from harmonic_protocol.messages.connection import (
    ConnectRefusal,
    ConnectSuccess,
    Limits,
    RefreshToken,
    TimeSync,
    TimeSynced,
    TokenExpiring,
    TokenRefreshed,
)
from harmonic_protocol.messages.declaration import (
    ALLOWANCES_PER_MINUTE,
    COUNTED_BYTES,
    LARGE_MESSAGE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_DEPTH,
    RateClass,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock, timestamp
from harmonic_runtime.process.lifecycle import Tasks

_MAX_ECHOED_CHARACTERS = 64
_OTHER_USER = denied("The token is of another user", Reason.INVALID)


class FrontDoor:
    """The sockets' application."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        gateway_id: str,
        bus: Bus,
        verifier: Verifier,
        revocations: Revocations,
        allowances: Allowances,
        crowding: Crowding,
        commands: Commands,
        answers: Answers,
        saved_sessions: Sessions,
        memberships: Memberships,
        rooms: Rooms,
        recovery: Recovery,
        departures: Departures,
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
        self._revocations = revocations
        self._allowances = allowances
        self._crowding = crowding
        self._commands = commands
        self._answers = answers
        self._saved = saved_sessions
        self._memberships = memberships
        self._rooms = rooms
        self._recovery = recovery
        self._departures = departures
        self._pids = pids
        self._clock = clock
        self._tasks = tasks
        self._log = log
        self.sessions: dict[str, Session] = {}
        self._returning: dict[Connection, Return] = {}
        self._draining = False
        self._large = metrics.counter("large_messages", "messages above 16 KiB")
        self._full = metrics.counter("command_queue_refusals", "commands refused: queue full")
        self._floods = metrics.counter("flood_refusals", "events refused: connection too busy")
        metrics.gauge("connections", "connected clients").set_function(lambda: len(self.sessions))

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
        identity = await self.identify(token)
        if isinstance(identity, Refused):
            if identity.code is not Code.AUTH_ERROR:
                # Nobody can tell now whether the token is good: the client is to try again.
                raise Unavailable
            raise self._not_let_in(identity)
        flood = FloodGuard(self._settings.events_per_s, self._settings.events_burst)
        session = connection.session = Session(connection, identity, self._gateway_id, flood)
        pid = auth.get("pid") if isinstance(auth, Mapping) else None
        crowded = await self._crowding.admit(session, pid)
        if crowded is not None:
            raise self._not_let_in(crowded)
        if declines_recovery(handshake, auth):
            return
        try:
            await self._bring_back(session, auth)
        except BaseException:
            self._crowding.left(session)
            self._depart(connection, clean=False)
            raise

    async def _bring_back(self, session: Session, auth: object) -> None:
        """Find out where a client was, and by what it is known from now on."""
        connection = session.connection
        try:
            returning = await self._recovery.prepare(session, auth)
        except BusUnavailable as error:
            raise Unavailable from error
        if returning is not None:
            self._returning[connection] = returning
        pid = returning.pid if returning is not None else None
        session.pid = pid or self._pids.issue(session.identity.user_id)
        if takes_offsets(connection.handshake, auth):
            connection.pid, connection.elsewhere = session.pid, ""

    async def identify(self, token: str | None) -> Identity | Refused:
        """Whom a token proves, unless it was revoked."""
        identity = await self._verifier.verify(token)
        if isinstance(identity, Identity) and self._revocations.is_revoked(identity):
            return REVOKED
        return identity

    def connected(self, connection: Connection) -> None:
        """Greet a client that was let in."""
        session: Session = connection.session
        self.sessions[connection.id] = session
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
            memberships = list(self._memberships.of(connection).values())
            self._tasks.start(self._saved.save(session, memberships), name="save session")
        # A token may not live until all are looked at the next time.
        self._look_at_tokens([session])

    def abandoned(self, connection: Connection) -> None:
        """A client that was let in was gone before it could be told."""
        self._crowding.left(connection.session)
        self._returning.pop(connection, None)
        self._depart(connection, clean=False)

    def pinged(self, connection: Connection) -> None:
        """Record what the client will have received once it answers this ping."""
        self._memberships.mark_sent(connection)

    def ponged(self, connection: Connection) -> None:
        """The client has everything that was sent before this ping."""
        self._crowding.ponged(connection.session)
        self._memberships.acknowledge(connection)

    def receive(self, connection: Connection, event: Received) -> None:
        """Check an event and queue the command that it means, or its refusal."""
        session: Session = connection.session
        received_at_s = self._clock.now().timestamp()
        if event.size_bytes > LARGE_MESSAGE_BYTES:
            self._large.inc()
        counts = 1 + event.size_bytes // COUNTED_BYTES
        wait_s = session.flood.take(received_at_s, counts=counts)
        if wait_s:
            self._floods.inc()
            allowance = session.flood.allowance
            self._refuse(connection, event, limited(allowance, int(wait_s * 1000) + 1))
            return
        command = read_command(event.name, event.args, event.size_bytes)
        refusal = self._unfit(session.identity, received_at_s)
        if refusal is not None and not isinstance(command, RefreshToken):
            self._refuse(connection, event, refusal)
            return
        if isinstance(command, TimeSync):
            # At once: waiting behind other commands would count as the way here.
            self._tell_time(connection, command, event.ack_id, received_at_s)
            return
        queued = Queued(
            event.name,
            command,
            event.ack_id,
            event.size_bytes,
            text_field(event.args, "universeId", _MAX_ECHOED_CHARACTERS),
            text_field(event.args, "opId", _MAX_ECHOED_CHARACTERS),
        )
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
        self.sessions.pop(connection.id, None)
        self._crowding.left(session)
        session.mailbox.clear()
        self._depart(connection, clean=clean)

    def _depart(self, connection: Connection, *, clean: bool) -> None:
        ended = self._rooms.depart(connection)
        self._departures.depart(connection.session, ended, clean=clean)

    def look_at_tokens(self) -> None:
        """Warn those whose tokens expire soon, and let go of those whose grace is over."""
        self._look_at_tokens(list(self.sessions.values()))

    def _look_at_tokens(self, sessions: list[Session]) -> None:
        look_at_tokens(
            sessions,
            self._clock.now().timestamp(),
            warning_s=self._settings.token_warning_s,
            grace_s=self._settings.token_grace_s,
            warn=self._warn,
            end=lambda session: session.connection.disconnect(),
        )

    def look_at_revocations(self) -> None:
        """Let go of everybody whose token was revoked."""
        for session in list(self.sessions.values()):
            if self._revocations.is_revoked(session.identity):
                self._answers.refused(session.connection, None, REVOKED)
                session.connection.disconnect()

    async def close(self) -> None:
        """Take nobody in any more, and leave everybody's session for another gateway."""
        self._draining = True
        await self._departures.close(
            (session, list(self._memberships.of(session.connection).values()))
            for session in list(self.sessions.values())
        )

    def _not_let_in(self, why: Refused) -> ConnectionRefused:
        self._log.info("connection_refused", reason=why.details.get("reason"))
        refusal = ConnectRefusal(error=why.message, code=why.code, details=why.details)
        return ConnectionRefused(why.message, refusal.to_wire())

    def _unfit(self, identity: Identity, now_s: float) -> Refused | None:
        if identity.expires_at_s <= now_s:
            return EXPIRED
        return REVOKED if self._revocations.is_revoked(identity) else None

    def _warn(self, session: Session) -> None:
        warning = TokenExpiring(expires_at=session.identity.expires_at)
        session.connection.send(encode_event(warning, TokenExpiring.spec.name))

    def _tell_time(
        self, connection: Connection, asked: TimeSync, ack_id: int | None, received_at_s: float
    ) -> None:
        if ack_id is None:
            return
        answer = TimeSynced(
            t0=asked.t0,
            t1=round(received_at_s * 1000, 3),
            t2=round(self._clock.now().timestamp() * 1000, 3),
            rtt_ms=connection.socket.round_trip_ms,
        )
        connection.acknowledge(ack_id, answer.to_wire())

    def _limits(self) -> Limits:
        def per_minute(rate: RateClass) -> int:
            known = self._allowances.allowances.get(rate)
            return known.limit if known else ALLOWANCES_PER_MINUTE[rate]

        return Limits(
            message_bytes=MAX_MESSAGE_BYTES,
            audio_message_bytes=MAX_AUDIO_MESSAGE_BYTES,
            message_depth=MAX_MESSAGE_DEPTH,
            connections=self._settings.connections_per_user,
            rooms=self._settings.rooms_per_connection,
            queued_commands=self._settings.queued_commands,
            parameters_per_minute=per_minute(RateClass.PARAMETERS),
            generations_per_minute=per_minute(RateClass.GENERATIONS),
            rooms_per_minute=per_minute(RateClass.ROOMS),
            audio_per_minute=ALLOWANCES_PER_MINUTE[RateClass.AUDIO],
            events_per_second=self._settings.events_per_s,
        )

    def _too_many(self) -> Refused:
        return refused(
            Code.RATE_LIMITED,
            "Too many commands wait on this connection",
            reason=Reason.QUEUE_FULL,
            limit=self._settings.queued_commands,
            windowMs=1000,
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
                declared = COMMANDS.get(queued.name)
                try:
                    refusal = await self._carry_out(session, queued)
                    if refusal is not None:
                        self._answers.refused(
                            session.connection,
                            declared,
                            refusal,
                            queued.ack_id,
                            universe_id=queued.universe_id,
                            op_id=queued.op_id,
                        )
                except Exception:  # noqa: BLE001 -- a bug must not end the client's other commands
                    self._log.exception("command_failed", command=queued.name)
                    failed = refused(Code.INTERNAL_ERROR, "The server failed to carry this out")
                    # With nothing in it that the client said, which may be what fails.
                    self._answers.refused(session.connection, declared, failed, queued.ack_id)
        finally:
            session.mailbox.working = False

    async def _carry_out(self, session: Session, queued: Queued) -> Refused | None:
        declared = COMMANDS.get(queued.name)
        rate = declared.spec.rate if declared else None
        # What is invalid counts as well; what is refused here does not.
        over = (
            session.take_audio(self._clock.now().timestamp())
            if rate is RateClass.AUDIO
            else await self._allowances.take(session.identity.user_id, rate)
        )
        if over is not None:
            return over
        command = queued.command
        if isinstance(command, Refused):
            return command
        if isinstance(command, RefreshToken):
            return await self._refresh(session, command, queued)
        return await self._commands.carry_out(session, command, queued)

    async def _refresh(
        self, session: Session, command: RefreshToken, queued: Queued
    ) -> Refused | None:
        identity = await self.identify(command.token)
        if isinstance(identity, Refused):
            return identity
        if identity.user_id != session.identity.user_id:
            return _OTHER_USER
        session.identity = identity
        session.warned = False
        refreshed = TokenRefreshed(expires_at=identity.expires_at)
        session.connection.send(encode_event(refreshed, TokenRefreshed.spec.name))
        self._answers.accepted(session.connection, queued.name, queued.ack_id)
        self._look_at_tokens([session])
        return None


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

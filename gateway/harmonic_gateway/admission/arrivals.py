"""Whether a client that connects is let in: its token, its user's other connections, its past."""

from collections.abc import Mapping

from harmonic_gateway.admission.crowding import Crowding
from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.identity.verification import find_token
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.session import Session
from harmonic_gateway.recovery.recovery import Recovery, Return
from harmonic_gateway.sockets import Connection, ConnectRefused, Ended, Handshake, Unavailable
from harmonic_protocol.messages.connection import ConnectRefusal
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.logs import BoundLogger


class Arrivals:
    """Clients from their CONNECT to its answer."""

    def __init__(
        self,
        *,
        standing: Standing,
        crowding: Crowding,
        recovery: Recovery,
        pids: Pids,
        departures: Departures,
        gateway_id: str,
        log: BoundLogger,
    ) -> None:
        self._standing = standing
        self._crowding = crowding
        self._recovery = recovery
        self._pids = pids
        self._departures = departures
        self._gateway_id = gateway_id
        self._log = log
        self._returning: dict[Connection, Return] = {}

    async def arrive(self, connection: Connection, auth: object) -> None:
        """Prepare all that a client is due; raise ``ConnectRefused`` or ``Unavailable``.

        Returns in the turn of the loop in which the token was last found good.
        """
        handshake = connection.handshake
        token = find_token(auth, handshake.headers, handshake.query)
        identity = await self._standing.identify(token)
        if isinstance(identity, Refused):
            if identity.code is not Code.AUTH_ERROR:
                # Nobody can tell now whether the token is good: the client is to try again.
                raise Unavailable
            raise self._refused(identity)
        session = connection.session = Session(connection, identity, self._gateway_id)
        pid = auth.get("pid") if isinstance(auth, Mapping) else None
        crowded = await self._crowding.admit(session, pid)
        if crowded is not None:
            raise self._refused(crowded)
        try:
            if not declines_recovery(handshake, auth):
                await self._bring_back(session, auth)
        except BaseException:
            self.abandon(session, Ended.BROKEN)
            raise
        refusal = self._standing.refusal_to_admit(identity)
        if refusal is not None:
            self.abandon(session, Ended.GOODBYE)
            raise self._refused(refusal)

    def take_return(self, connection: Connection) -> Return | None:
        """What an accepted client is due that came back, if it did."""
        return self._returning.pop(connection, None)

    def abandon(self, session: Session, ended: Ended) -> None:
        """Undo what was done for a client that is not connected in the end."""
        self._crowding.left(session)
        returning = self.take_return(session.connection)
        if returning is not None:
            self._recovery.abandon(returning)
        # Owners may have seats for it, however far its recovery came.
        self._departures.depart(session, ended)

    def left(self, session: Session) -> None:
        """A client that was let in is gone."""
        self._crowding.left(session)

    def ponged(self, session: Session) -> None:
        """A client has shown that it is alive."""
        self._crowding.ponged(session)

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

    def _refused(self, why: Refused) -> ConnectRefused:
        self._log.info("connection_refused", reason=why.details.get("reason"))
        refusal = ConnectRefusal(error=why.message, code=why.code, details=why.details)
        return ConnectRefused(why.message, refusal.to_wire())


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

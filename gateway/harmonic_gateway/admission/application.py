"""The application behind the sockets: from a client's CONNECT to the end of its connection."""

from collections.abc import Callable

from harmonic_gateway.admission.arrivals import Arrivals
from harmonic_gateway.admission.greeting import Greeting
from harmonic_gateway.admission.tokens import TokenWatch
from harmonic_gateway.commands.intake import Intake
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.session import Session
from harmonic_gateway.recovery.recovery import Recovery
from harmonic_gateway.sockets import Connection, ConnectRefused, Ended, Handshake, Received


class GatewayApplication:
    """Passes what the sockets report to the part that is responsible.

    Only this class adds and removes ``sessions``, those of clients that are connected here.
    ``refuses`` returns why no new client is accepted at the moment, if so.
    """

    def __init__(
        self,
        *,
        sessions: dict[str, Session],
        arrivals: Arrivals,
        greeting: Greeting,
        tokens: TokenWatch,
        intake: Intake,
        recovery: Recovery,
        departures: Departures,
        refuses: Callable[[], str | None],
    ) -> None:
        self._sessions = sessions
        self._arrivals = arrivals
        self._greeting = greeting
        self._tokens = tokens
        self._intake = intake
        self._recovery = recovery
        self._departures = departures
        self._refuses = refuses
        self._draining = False

    def refuse_handshake(self) -> str | None:
        """Why no new connection is accepted at the moment, if none is."""
        if self._draining:
            return "This server is about to stop"
        if self._recovery.is_busy:
            return "Too many clients come at once"
        return self._refuses()

    def refused_at_once(
        self, handshake: Handshake, transport: str, auth: object
    ) -> ConnectRefused | None:
        """Why a client is refused before any work is done for it, if it is."""
        return self._arrivals.refused_at_once(handshake, transport, auth)

    async def connect(self, connection: Connection, auth: object) -> None:
        """Accept a client whose token is good."""
        await self._arrivals.arrive(connection, auth)

    def connected(self, connection: Connection) -> None:
        """Greet an accepted client, and bring it up to date if it came back."""
        session: Session = connection.session
        self._sessions[connection.id] = session
        prepared = self._arrivals.connected(connection)
        self._intake.begin(session)
        self._greeting.send(session, prepared.report)
        self._recovery.complete(session, prepared)
        self._tokens.begin(session)

    def abandoned(self, connection: Connection) -> None:
        """The client disconnected after it was accepted and before CONNECT was sent."""
        self._arrivals.abandoned(connection)

    def exhausted(self, connection: Connection) -> None:
        """Close a client of which too many messages were refused."""
        self._intake.exhausted(connection.session)

    def pinged(self, connection: Connection) -> None:
        """Record what the client will have received once it answers this ping."""
        self._recovery.pinged(connection)

    def ponged(self, connection: Connection) -> None:
        """The client has everything that was sent before this ping."""
        self._arrivals.ponged(connection.session)
        self._recovery.ponged(connection)

    def receive(self, connection: Connection, event: Received) -> None:
        """Take an event of a client."""
        self._intake.take(connection.session, event)

    def disconnected(self, connection: Connection, ended: Ended) -> None:
        """A client is gone."""
        session: Session = connection.session
        self._sessions.pop(connection.id, None)
        self._arrivals.left(session, ended)
        self._intake.forget(session)
        self._recovery.ended(session, ended)
        self._departures.depart(session, ended)

    async def close(self) -> None:
        """Accept no new client, and leave every session to another gateway."""
        self._draining = True
        await self._departures.close(list(self._sessions.values()))

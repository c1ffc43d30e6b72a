"""Moves the sessions of connected clients from one gateway to another."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from harmonic_gateway.admission.crowding import Crowding
from harmonic_gateway.admission.tokens import TokenWatch
from harmonic_gateway.commands.intake import Intake
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.saved import Found
from harmonic_gateway.membership.session import Session
from harmonic_gateway.recovery.moving import Move, RoomMoves
from harmonic_gateway.sockets import Connection, ConnectUnavailable
from harmonic_protocol.handed import HandedClient
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.process.clock import Clock


class ClientMover:
    """Hands clients over to other gateways, and takes theirs; ``sessions`` are those here."""

    def __init__(
        self,
        *,
        sessions: dict[str, Session],
        crowding: Crowding,
        tokens: TokenWatch,
        intake: Intake,
        moves: RoomMoves,
        departures: Departures,
        gateway_id: str,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._crowding = crowding
        self._tokens = tokens
        self._intake = intake
        self._moves = moves
        self._departures = departures
        self._gateway_id = gateway_id
        self._clock = clock
        self._moving: dict[Connection, Move] = {}

    def is_settled(self, connection: Connection) -> bool:
        """Whether no work of the client is under way that only this gateway can finish."""
        session: Session = connection.session
        return self._intake.is_idle(connection) and self._moves.is_settled(session)

    def hand_over(self, connection: Connection) -> Mapping[str, Any]:
        """What another gateway needs to continue. This gateway sends the client nothing more."""
        session: Session = connection.session
        self._sessions.pop(connection.id, None)
        self._crowding.left(session)
        rooms, asked = self._moves.hand_over(session)
        identity = session.identity
        return HandedClient(
            user_id=identity.user_id,
            username=identity.username,
            expires_at_s=identity.expires_at_s,
            issued_at_s=identity.issued_at_s,
            jti=identity.jti,
            fingerprint=session.fingerprint,
            pid=session.pid,
            warned=session.warned,
            connected_ago_s=self._clock.monotonic() - session.connected_at_s,
            saved_at=session.saved_at,
            is_saved=session.is_saved,
            rates=self._intake.hand_over(session),
            rooms=rooms,
            asked=asked,
        ).to_wire()

    def moved(self, connection: Connection) -> None:
        """The other gateway has the client; otherwise ``disconnected`` is called."""
        self._departures.moved(connection.session)

    async def take_over(self, connection: Connection, kept: Mapping[str, Any]) -> None:
        """Take the seats of a client; raise ``ConnectUnavailable`` if that cannot be done now."""
        try:
            handed = HandedClient.model_validate(kept)
            session = self._session(connection, handed)
            move = self._moving[connection] = Move(
                asked=tuple(Found(each.saved, each.subject, each.sequence) for each in handed.asked)
            )
            await self._moves.take_over(session, move, handed.rooms)
        except (BusUnavailable, ValidationError) as error:
            self.not_taken(connection)
            raise ConnectUnavailable from error
        except BaseException:
            self.not_taken(connection)
            raise

    def taken_over(self, connection: Connection) -> None:
        """Continue with the client, which is connected here now."""
        session: Session = connection.session
        self._sessions[connection.id] = session
        self._intake.begin(session)
        self._moves.complete(session, self._moving.pop(connection))
        self._tokens.go_on(session)
        if not self._crowding.take_in(session):
            connection.close()

    def _session(self, connection: Connection, handed: HandedClient) -> Session:
        identity = Identity(
            handed.user_id,
            handed.username,
            handed.expires_at_s,
            handed.issued_at_s,
            handed.jti,
        )
        session = Session(connection, identity, self._gateway_id, handed.fingerprint)
        session.pid, session.warned = handed.pid, handed.warned
        session.saved_at, session.is_saved = handed.saved_at, handed.is_saved
        session.connected_at_s = self._clock.monotonic() - handed.connected_ago_s
        self._intake.go_on(session, handed.rates)
        connection.session = session
        return session

    def not_taken(self, connection: Connection) -> None:
        """Release the seats that were taken for a client that did not move here."""
        move = self._moving.pop(connection, None)
        if move is not None:
            self._moves.abandon(move)
            self._departures.give_back(connection.session)

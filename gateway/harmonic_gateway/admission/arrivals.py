"""Whether a connecting client is accepted: by its token, its user's connections, its session.

The driver of the table in ``progress``.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import assert_never

from harmonic_gateway.admission.crowding import Crowding
from harmonic_gateway.admission.progress import Duty, News, Progress, proceed
from harmonic_gateway.admission.records import ConnectionRecords
from harmonic_gateway.identity.fingerprints import Fingerprints
from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.identity.verification import NO_SOCKETS, Identity, find_token
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.session import Session
from harmonic_gateway.recovery.planning import read_claim
from harmonic_gateway.recovery.recovery import NOTHING, Prepared, Recovery, ReturnsTooOften
from harmonic_gateway.sockets import (
    Connection,
    ConnectRefused,
    ConnectUnavailable,
    Ended,
    Handshake,
)
from harmonic_protocol.messages.connection import ConnectRefusal
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.bus.client import BusUnavailable


@dataclass(slots=True, eq=False)
class _Arrival:
    """A client between CONNECT and its answer; ``waits`` while something is awaited for it.

    ``too_often``: its user returns too often, so it is refused for now.
    """

    connection: Connection
    auth: object
    token: str | None
    began_s: float
    progress: Progress = Progress.VERIFYING
    refusal: Refused | None = None
    too_often: bool = False
    prepared: Prepared = NOTHING
    waits: asyncio.Timeout | None = None

    @property
    def session(self) -> Session:
        session: Session = self.connection.session
        return session


class Arrivals:
    """Clients from their CONNECT to its answer."""

    def __init__(
        self,
        *,
        standing: Standing,
        crowding: Crowding,
        recovery: Recovery,
        pids: Pids,
        fingerprints: Fingerprints,
        departures: Departures,
        gateway_id: str,
        records: ConnectionRecords,
    ) -> None:
        self._standing = standing
        self._crowding = crowding
        self._recovery = recovery
        self._pids = pids
        self._fingerprints = fingerprints
        self._departures = departures
        self._gateway_id = gateway_id
        self._records = records
        self._arriving: dict[Connection, _Arrival] = {}
        self._told: dict[str, ConnectRefused] = {}

    def refused_at_once(
        self, handshake: Handshake, transport: str, auth: object
    ) -> ConnectRefused | None:
        """Why a client is refused for a token that was refused again and again, if it is."""
        token = find_token(auth, handshake.headers, handshake.query)
        refused = self._records.refused_before(token)
        if refused is None:
            return None
        self._records.refused(transport, refused)
        told = self._told.get(refused.message)
        if told is None:
            # As many as there are things that may be wrong with a token.
            told = self._told[refused.message] = _told(refused)
        return told

    async def arrive(self, connection: Connection, auth: object) -> None:
        """Prepare a client's recovery; raise ``ConnectRefused`` or ``ConnectUnavailable``.

        Returns in the turn of the loop in which the token was last found good.
        """
        handshake = connection.handshake
        token = find_token(auth, handshake.headers, handshake.query)
        arrival = self._arriving[connection] = _Arrival(
            connection, auth, token, asyncio.get_running_loop().time()
        )
        try:
            await self._go_on(arrival)
        finally:
            if arrival.progress is not Progress.ADMITTED:
                del self._arriving[connection]
            if arrival.progress is Progress.ABANDONED:
                self._records.abandoned(connection)
        if arrival.progress is Progress.TURNED_AWAY:
            self._records.turned_away(connection, arrival.refusal)
            raise ConnectUnavailable(too_often=arrival.too_often)
        if arrival.progress is Progress.REFUSED and arrival.refusal is not None:
            self._records.verified(token, arrival.refusal)
            self._records.refused(connection.transport, arrival.refusal, connection.id)
            raise _told(arrival.refusal)

    def connected(self, connection: Connection) -> Prepared:
        """CONNECT was answered: return what the client is to be sent now."""
        arrival = self._arriving.pop(connection)
        self._take(arrival, News.CONNECTED)
        took_s = asyncio.get_running_loop().time() - arrival.began_s
        self._records.accepted(arrival.session, took_s)
        return arrival.prepared

    def abandoned(self, connection: Connection) -> None:
        """The client disconnected before CONNECT was answered."""
        arrival = self._arriving.pop(connection, None)
        if arrival is not None:
            self._records.abandoned(connection)
            self._take(arrival, News.GONE)

    def look_at_tokens(self) -> None:
        """Refuse every connecting client whose token has ended, without further waiting."""
        for arrival in list(self._arriving.values()):
            if arrival.progress in {Progress.COUNTING, Progress.RECOVERING}:
                refusal = self._standing.refusal_to_admit(arrival.session.identity)
                if refusal is not None:
                    arrival.refusal = refusal
                    self._take(arrival, News.TOKEN_ENDED)
                    if arrival.waits is not None:
                        arrival.waits.reschedule(asyncio.get_running_loop().time())

    def left(self, session: Session, ended: Ended) -> None:
        """An accepted client is gone."""
        self._crowding.left(session)
        self._records.ended(session, ended)

    def ponged(self, session: Session) -> None:
        """A client has shown that it is alive."""
        self._crowding.ponged(session)

    def _take(self, arrival: _Arrival, news: News) -> Awaitable[News] | None:
        """Process news, do what needs no waiting, and return the step that must be awaited."""
        if arrival.connection.is_closed():
            arrival.progress, duties = proceed(arrival.progress, News.GONE)
            self._do(arrival, duties)
        arrival.progress, duties = proceed(arrival.progress, news)
        if Duty.ASK_AGAIN in duties:
            arrival.refusal = self._standing.refusal_to_admit(arrival.session.identity)
            answer = News.GOOD if arrival.refusal is None else News.TOKEN_ENDED
            arrival.progress, duties = proceed(arrival.progress, answer)
        return self._do(arrival, duties)

    def _do(self, arrival: _Arrival, duties: tuple[Duty, ...]) -> Awaitable[News] | None:
        step: Awaitable[News] | None = None
        for duty in duties:
            match duty:
                case Duty.COUNT:
                    step = self._count(arrival)
                case Duty.RECOVER:
                    step = self._recover(arrival)
                case Duty.UNCOUNT:
                    self._crowding.left(arrival.session)
                case Duty.GIVE_BACK:
                    self._give_back(arrival)
                case Duty.ASK_AGAIN:
                    raise AssertionError("it was asked again")
                case _:
                    assert_never(duty)
        return step

    def _give_back(self, arrival: _Arrival) -> None:
        """Release the seats that owners may hold for a client, however far its recovery came."""
        session: Session | None = arrival.connection.session
        # A client that just came has none, and one whose token was not verified can have none.
        if session is not None and (session.pid is None or arrival.prepared.returning is not None):
            ended = Ended.GOODBYE if arrival.refusal is not None else Ended.BROKEN
            # In this order: the departure saves the rooms that the client was about to be in.
            self._departures.depart(session, ended)
            self._recovery.abandon(arrival.prepared)

    async def _go_on(self, arrival: _Arrival) -> None:
        """Take step after step, unless the client's token ends meanwhile."""
        try:
            async with asyncio.timeout(None) as arrival.waits:
                step: Awaitable[News] | None = self._identify(arrival)
                while step is not None:
                    step = self._take(arrival, await step)
        except BaseException as error:
            self._take(arrival, News.FAILED)
            if not isinstance(error, TimeoutError) or arrival.refusal is None:
                raise
        finally:
            arrival.waits = None

    async def _identify(self, arrival: _Arrival) -> News:
        connection = arrival.connection
        identity = await self._standing.identify(arrival.token)
        if isinstance(identity, Identity) and identity.service is not None:
            identity = NO_SOCKETS
        if isinstance(identity, Identity):
            fingerprint = self._fingerprints.of(connection.handshake.headers)
            connection.session = Session(connection, identity, self._gateway_id, fingerprint)
            return News.GOOD
        arrival.refusal = identity
        # Where nobody can tell now whether the token is good, the client is to try again.
        return News.BAD if identity.code is Code.AUTH_ERROR else News.LATER

    async def _count(self, arrival: _Arrival) -> News:
        auth = arrival.auth
        pid = auth.get("pid") if isinstance(auth, Mapping) else None
        refusal = await self._crowding.admit(arrival.session, pid)
        if refusal is None:
            return News.COUNTED
        arrival.refusal = refusal
        return News.BAD

    async def _recover(self, arrival: _Arrival) -> News:
        """Find a client's earlier session, and its ``pid`` from now on."""
        connection, session, auth = arrival.connection, arrival.session, arrival.auth
        claim = read_claim(auth, connection.handshake.query)
        try:
            arrival.prepared = await self._recovery.prepare(session, claim)
        except ReturnsTooOften:
            arrival.too_often = True
            return News.LATER
        except BusUnavailable:
            return News.LATER
        if claim.declines:
            return News.RECOVERED
        session.pid = arrival.prepared.pid or self._pids.issue(session.identity.user_id)
        if takes_offsets(connection.handshake, auth):
            connection.pid, connection.elsewhere = session.pid, ""
        return News.RECOVERED


def _told(refused: Refused) -> ConnectRefused:
    """The refusal of a client that is not accepted."""
    told = ConnectRefusal(error=refused.message, code=refused.code, details=refused.details)
    return ConnectRefused(refused.message, told.to_wire())


def takes_offsets(handshake: Handshake, auth: object) -> bool:
    """Whether a client accepts an offset as a further argument.

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

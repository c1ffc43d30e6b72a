"""The entry of Engine.IO requests: answered here, or passed on to their session's gateway."""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Protocol

from aiohttp import web
from engineio.exceptions import EngineIOError

from harmonic_gateway import metrics as table
from harmonic_gateway.identity.session_ids import SessionIds
from harmonic_gateway.peers.exchange import Exchange, Said
from harmonic_gateway.peers.questions import GZIPPED, Asked
from harmonic_gateway.peers.taking import Takeovers
from harmonic_gateway.sockets import SocketServer
from harmonic_gateway.sockets.polling import BAD_REQUEST, LAST_ANSWER, PollAnswer, read_body
from harmonic_gateway.sockets.requests import is_fit, is_websocket
from harmonic_gateway.sockets.websocket import turn_down
from harmonic_runtime.bus.client import BusUnavailable, NoResponders
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.observability.metrics import Metrics


class Doorkeeper(Protocol):
    """Counts an address's requests for sessions that do not exist."""

    def look(self, request: web.Request) -> web.Response | None:
        """The refusal of an address with too many such requests, if it has."""

    def blame(self, request: web.Request) -> None:
        """Count a request for a session that does not exist."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The gateways, as far as is known here; ``own_id`` is this one's."""

    directory: Directory
    own_id: str
    session_ids: SessionIds

    def owner(self, sid: str) -> str | None:
        """The other gateway that issued a session id, if it is alive."""
        gateway_id = self.session_ids.giver(sid)
        if gateway_id == self.own_id or gateway_id not in self.directory.live():
            return None
        return gateway_id


class Front:
    """Takes every request of Engine.IO first."""

    def __init__(
        self,
        *,
        sockets: SocketServer,
        exchange: Exchange,
        neighbours: Neighbours,
        takeovers: Takeovers,
        doorkeeper: Doorkeeper,
        metrics: Metrics,
    ) -> None:
        self._sockets = sockets
        self._exchange = exchange
        self._neighbours = neighbours
        self._takeovers = takeovers
        self._doorkeeper = doorkeeper
        limits = sockets.limits
        #: A poll ends with the next ping at the latest; some more for all that is on its way.
        self._patience_s = limits.ping_interval_s + limits.ping_timeout_s + 5.0
        self._outcomes = metrics.counters(table.REQUESTS_PASSED_ON)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        sid = request.query.get("sid")
        if not sid or self._sockets.find(sid) is not None or not is_fit(request):
            return await self._sockets.handle(request)
        refusal = self._doorkeeper.look(request)
        if refusal is not None:
            return refusal
        owner = self._neighbours.owner(sid)
        if owner is None:
            return await self._late(request, sid)
        if is_websocket(request):
            in_vain = partial(self._doorkeeper.blame, request)
            return await self._takeovers.take_over(request, owner, sid, in_vain=in_vain)
        return await self._passed_on(request, owner, sid)

    async def _passed_on(self, request: web.Request, owner: str, sid: str) -> web.StreamResponse:
        try:
            answer = await self._pass_on(request, owner, sid)
        except NoResponders:
            return self._unknown(request)
        except BusUnavailable:
            # What the answer held is lost, and the session with it: its client comes back.
            self._outcomes.of("lost").inc()
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        self._outcomes.of("answered").inc()
        if answer.status != HTTPStatus.OK:
            self._doorkeeper.blame(request)
        return answer.to_response()

    async def _pass_on(self, request: web.Request, owner: str, sid: str) -> PollAnswer:
        kind, body = Asked(request.method), b""
        if request.method == "POST":
            try:
                body = (await read_body(request)).encode()
            except EngineIOError:
                kind = Asked.MISTAKE
        asked = Said(kind, sid, body)
        answer = await self._exchange.ask(owner, asked, timeout_s=self._patience_s)
        status, _, encoding = answer.kind.partition(" ")
        if not status.isdecimal():
            raise BusUnavailable("an answer of another version")
        return PollAnswer(int(status), answer.body, encoding == GZIPPED)

    async def _late(self, request: web.Request, sid: str) -> web.StreamResponse:
        """The answer to a request for a session that does not exist, or is not here any more."""
        recent = self._sockets.recent
        if is_websocket(request) and recent.is_moved(sid):
            return await turn_down(request)
        if request.method == "GET" and recent.is_overtaken(sid):
            return LAST_ANSWER.to_response()
        return self._unknown(request)

    def _unknown(self, request: web.Request) -> web.StreamResponse:
        self._outcomes.of("unknown").inc()
        self._doorkeeper.blame(request)
        return BAD_REQUEST.to_response()

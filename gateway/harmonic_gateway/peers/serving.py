"""Answers other gateways about sessions here, and hands sessions over to them."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from harmonic_gateway.peers.exchange import Said
from harmonic_gateway.peers.questions import ALLOWED, GZIPPED, REFUSED, Asked, Told
from harmonic_gateway.peers.taking import HANDED
from harmonic_gateway.sockets import Connection, Mover, SocketServer
from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.handing import hand_over
from harmonic_gateway.sockets.limits import HANDSHAKE_TIMEOUT_S
from harmonic_gateway.sockets.polling import BAD_REQUEST, LAST_ANSWER, PollAnswer
from harmonic_gateway.sockets.requests import answer_request
from harmonic_gateway.sockets.steps import Do, Input
from harmonic_gateway.sockets.upgrading import overtake

#: How long a client may take to go over, and that gateway to say what came of it.
TRY_TIMEOUT_S = HANDSHAKE_TIMEOUT_S + 2.0
#: How long a session that is to be handed over may be busy with its client's commands, and how
#: often it is looked whether it still is.
SETTLE_TIMEOUT_S, SETTLE_PAUSE_S = 6.0, 0.01
#: How long the other gateway may take to take the seats.
CONFIRM_TIMEOUT_S = 12.0
#: What another gateway's word of a try's end means for the session.
_ENDS: Mapping[str, Input] = {
    Told.TRY_FAILED: Input.TRY_FAILED,
    Told.NOT_TAKEN: Input.NOT_TAKEN,
    Told.TAKEN_OVER: Input.TAKEN_OVER,
}


@dataclass(slots=True, eq=False)
class _Try:
    """A client tries a WebSocket at another gateway; the try's ``id`` is that one's."""

    id: bytes
    socket: EngineSocket
    timer: asyncio.TimerHandle
    connections: tuple[Connection, ...] = ()


class Serving:
    """Serves clients whose requests came through another gateway."""

    def __init__(self, sockets: SocketServer, mover: Mover) -> None:
        self._sockets = sockets
        self._mover = mover
        self._loop = asyncio.get_running_loop()
        self._tries: dict[str, _Try] = {}

    def answer(self, asked: Said) -> Said | Coroutine[Any, Any, Said]:
        """The answer to a request about a session, now or later."""
        socket = self._sockets.find(asked.sid)
        if socket is None:
            return self._late(asked)
        if asked.kind == Asked.TRY:
            return Said(ALLOWED if self._let_try(socket, asked.body) else REFUSED)
        if asked.kind == Asked.HAND_OVER:
            return self._hand_over(socket, asked)
        if asked.kind == Asked.MISTAKE:
            socket.take(Input.MISTAKE)
            return _said(BAD_REQUEST)
        return _answered(socket, asked)

    def _late(self, asked: Said) -> Said:
        """The answer to a request for a session that is not here, or not any more."""
        recent = self._sockets.recent
        if asked.kind == Asked.TRY and recent.is_moved(asked.sid):
            return Said(REFUSED)
        is_overtaken = asked.kind == Asked.GET and recent.is_overtaken(asked.sid)
        return _said(LAST_ANSWER if is_overtaken else BAD_REQUEST)

    def hear(self, said: Said) -> None:
        """Take another gateway's notice of one try, or of several."""
        for sid, try_id in zip(said.sid.split(), said.body.split(), strict=False):
            if said.kind == Told.PROBED:
                self._probed(sid, try_id)
            elif (event := _ENDS.get(said.kind)) is not None:
                known = self._tries.get(sid)
                if known is not None and known.id == try_id:
                    self._end(known, event)

    def _probed(self, sid: str, try_id: bytes) -> None:
        """A client's probe was answered: let it upgrade, if it may."""
        socket = self._sockets.find(sid)
        if socket is None:
            return
        known = self._tries.get(sid)
        is_known = known is not None and known.id == try_id
        if not is_known and not self._overtake(socket, known, try_id):
            return
        if socket.take(Input.PROBE) is Do.ANSWER_PROBE:
            # The client waits for its poll to end before it goes over.
            socket.outbox.release()

    def _overtake(self, socket: EngineSocket, known: _Try | None, try_id: bytes) -> bool:
        """Begin a try that has come so far, instead of one of which the client said nothing yet."""
        if known is None and not overtake(socket):
            return self._let_try(socket, try_id)
        if known is not None:
            if socket.would(Input.PROBE) is not Do.ANSWER_PROBE:
                return False
            known.timer.cancel()
        self._begin(socket, try_id)
        return True

    def lost(self, asked: Said) -> None:
        """An answer did not arrive: what it held is lost, and the session with it."""
        socket = self._sockets.find(asked.sid)
        if socket is not None and asked.kind == Asked.GET:
            socket.give_up()
        known = self._tries.get(asked.sid)
        if known is not None and asked.kind == Asked.HAND_OVER and known.id == asked.body:
            self._end(known, Input.NOT_TAKEN)

    def _let_try(self, socket: EngineSocket, try_id: bytes) -> bool:
        """Whether a client may try a WebSocket elsewhere; if so, its try begins."""
        if socket.take(Input.WEBSOCKET) is not Do.TRY:
            return False
        self._begin(socket, try_id)
        return True

    def _begin(self, socket: EngineSocket, try_id: bytes) -> None:
        timer = self._loop.call_later(TRY_TIMEOUT_S, self._give_up, socket.sid, try_id)
        self._tries[socket.sid] = _Try(try_id, socket, timer)

    def _hand_over(self, socket: EngineSocket, asked: Said) -> Said | Coroutine[Any, Any, Said]:
        known = self._tries.get(asked.sid)
        if known is None or known.id != asked.body:
            return _said(BAD_REQUEST)
        if self._is_busy(socket):
            return self._hand_over_settled(known)
        return self._handed(known)

    async def _hand_over_settled(self, known: _Try) -> Said:
        until_s = self._loop.time() + SETTLE_TIMEOUT_S
        while self._is_busy(known.socket):
            if self._loop.time() > until_s:
                known.socket.give_up()
                return _said(BAD_REQUEST)
            await asyncio.sleep(SETTLE_PAUSE_S)
        return self._handed(known)

    def _handed(self, known: _Try) -> Said:
        """The session, as it is handed over now."""
        socket = known.socket
        handed = hand_over(socket)
        if handed is None:
            return _said(BAD_REQUEST)
        if not handed.shut:
            known.connections = tuple(socket.upper.connections.values())
            socket.upper.hand_over(handed, self._mover)
            known.timer.cancel()
            known.timer = self._loop.call_later(
                CONFIRM_TIMEOUT_S, self._give_up, socket.sid, known.id
            )
        return Said(ALLOWED, body=HANDED.dump_json(handed))

    def _is_busy(self, socket: EngineSocket) -> bool:
        """Whether it may not be handed over yet.

        A session that was shut has its last words only, which need not wait.
        """
        if socket.would(Input.HAND_OVER) is not Do.FREEZE:
            return False
        settled: bool = socket.upper.is_settled(self._mover)
        return not settled

    def _give_up(self, sid: str, try_id: bytes) -> None:
        """The other gateway has not said in time what came of the try."""
        known = self._tries.get(sid)
        if known is not None and known.id == try_id:
            has_handed = known.socket.would(Input.TAKEN_OVER) is Do.FORGET
            self._end(known, Input.NOT_TAKEN if has_handed else Input.TRY_FAILED)

    def _end(self, known: _Try, event: Input) -> None:
        """The try is over, with what came of it."""
        known.timer.cancel()
        del self._tries[known.socket.sid]
        if known.socket.take(event) is Do.FORGET:
            for connection in known.connections:
                self._mover.moved(connection)


async def _answered(socket: EngineSocket, asked: Said) -> Said:
    """The answer to a request of HTTP polling."""

    async def read() -> str:
        return asked.body.decode()

    return _said(await answer_request(socket, asked.kind, read))


def _said(answer: PollAnswer) -> Said:
    kind = f"{answer.status} {GZIPPED}" if answer.gzips else f"{answer.status}"
    return Said(kind, body=answer.body)

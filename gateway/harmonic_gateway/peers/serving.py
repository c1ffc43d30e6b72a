"""Answering other gateways about the sessions that are here."""

from harmonic_gateway.peers.exchange import Said
from harmonic_gateway.peers.questions import GZIPPED, MISTAKE
from harmonic_gateway.sockets import SocketServer
from harmonic_gateway.sockets.polling import BAD_REQUEST, PollAnswer
from harmonic_gateway.sockets.requests import answer_request
from harmonic_gateway.sockets.steps import Input


class Serving:
    """What is done here for clients that came by another gateway."""

    def __init__(self, sockets: SocketServer) -> None:
        self._sockets = sockets

    async def answer(self, asked: Said) -> Said:
        """The answer to a request of a client."""
        socket = self._sockets.find(asked.sid)
        if socket is None:
            return _said(BAD_REQUEST)
        if asked.kind == MISTAKE:
            socket.take(Input.MISTAKE)
            return _said(BAD_REQUEST)

        async def read() -> str:
            return asked.body.decode()

        return _said(await answer_request(socket, asked.kind, read))

    def hear(self, said: Said) -> None:
        """Take another gateway's word."""

    def lost(self, asked: Said) -> None:
        """An answer did not reach its client: what it held is lost, and the session with it."""
        socket = self._sockets.find(asked.sid)
        if socket is not None and asked.kind == "GET":
            socket.give_up()


def _said(answer: PollAnswer) -> Said:
    kind = f"{answer.status} {GZIPPED}" if answer.gzips else f"{answer.status}"
    return Said(kind, body=answer.body)

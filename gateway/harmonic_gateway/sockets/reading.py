"""Reading a session's WebSocket: each packet where it is read, if nothing has to be waited for.

Events and answers to pings are taken in the call of the transport, without a task's turn. All
else waits in the WebSocket's queue for :meth:`Reading.until_closed`, and so does what comes after
it: packets are taken in the order of their coming.
"""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Protocol

from aiohttp import WSMessage, WSMsgType
from engineio.packet import MESSAGE, PONG
from socketio.packet import EVENT

from harmonic_gateway.sockets.limits import PACKET_COST_S, ReadingPace
from harmonic_gateway.sockets.turns import Stretch, Turns
from harmonic_gateway.sockets.websocket import WebSocket, close_code

_PONG, _EVENT = f"{PONG}", f"{MESSAGE}{EVENT}"
_TAKEN = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


class ReadSession(Protocol):
    """The session whose WebSocket is read."""

    pace: ReadingPace
    turns: Turns

    @property
    def at_websocket(self) -> bool:
        """Whether it is at its WebSocket, and not shut."""

    @property
    def closed(self) -> bool:
        """Whether it is over."""

    def packet(self, kind: int, data: str | bytes, cost_s: float) -> Awaitable[None] | None:
        """Take a packet; what is returned is to be awaited before the next one is.

        Raise ``ValueError`` or ``RecursionError`` for one that ends the session.
        """

    def charge(self, cost_s: float) -> None:
        """Charge the client for what no message of its comes of."""

    async def slow_down(self) -> None:
        """Wait until the client's next message may be read, or close the client."""


class Reading:
    """The reading of one WebSocket."""

    __slots__ = ("_fault", "_owes_pause", "_session", "_waits", "_websocket")

    def __init__(self, session: ReadSession, websocket: WebSocket) -> None:
        self._session = session
        self._websocket = websocket
        #: Whether all that came before was taken.
        self._waits = False
        self._fault: Exception | None = None
        #: Whether what was taken where it was read is to be paid for before the next message is.
        self._owes_pause = False

    async def until_closed(self) -> int | None:
        """Take what comes until the WebSocket is closed, or the session over; the close code.

        Raise ``ValueError`` or ``RecursionError`` where the client does not speak the protocol.
        """
        session, websocket = self._session, self._websocket
        websocket.take_texts(self._take_text)
        stretch = Stretch(session.turns)
        while not session.closed:
            is_new = self._waits = websocket.is_all_received
            message = await websocket.receive()
            self._waits = False
            if is_new:
                stretch.begin()
            if self._fault is not None:
                raise self._fault
            cost_s = websocket.take_cost_s()
            if self._owes_pause:
                self._owes_pause = False
                await session.slow_down()
            if message.type not in _TAKEN or message.data == "":
                return close_code(message)
            asking = self._take(message, cost_s)
            if asking is not None:
                await asking
            if session.pace.is_behind:
                await session.slow_down()
            if not websocket.is_all_received:
                await stretch.go_on()
        return None

    def _take(self, message: WSMessage, cost_s: float) -> Awaitable[None] | None:
        """Take what was received; what is returned is to be awaited before the next is."""
        if message.type is WSMsgType.TEXT:
            return self._session.packet(int(message.data[0]), message.data[1:], cost_s)
        if message.type is WSMsgType.BINARY:
            return self._session.packet(MESSAGE, message.data, cost_s)
        return self._control(message, cost_s)

    def _take_text(self, text: str | None) -> bool:
        """Take a packet where it is read; ``False`` leaves it to be received in its turn.

        The client that is to be read slowly, and the session that is to end, wait for that. What is
        read while a message is received may come before that one is here: no event is taken then.
        """
        is_taken = text is not None and self._is_taken(text)
        if not is_taken:
            self._waits = False
        return is_taken

    def _is_taken(self, text: str) -> bool:
        session = self._session
        if session.pace.is_behind or not session.at_websocket:
            return False
        if text == _PONG:
            session.packet(PONG, "", self._websocket.take_cost_s())
            return True
        if not self._waits or not text.startswith(_EVENT):
            return False
        try:
            session.packet(MESSAGE, text[1:], self._websocket.take_cost_s())
        except (ValueError, RecursionError) as error:
            # The text is received now, and the fault raised where it ends the session.
            self._fault = error
            return False
        self._owes_pause = session.pace.is_behind
        return True

    async def _control(self, message: WSMessage, cost_s: float) -> None:
        if message.type is WSMsgType.PING and self._session.at_websocket:
            # If the client is gone by now, that is what is received next.
            with suppress(ConnectionResetError):
                await self._websocket.pong(message.data)
        self._session.charge(cost_s + PACKET_COST_S)

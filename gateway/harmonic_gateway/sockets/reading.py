"""Reading a session's WebSocket: each packet where it is read, if nothing has to be waited for.

Events and answers to pings are taken in the call of the transport, without a task's turn. All
else waits in the WebSocket's queue, and so does what comes after it, for a task that ends when
nothing waits: packets are taken in the order of their coming.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from aiohttp import WSMessage, WSMsgType
from engineio.packet import MESSAGE, PONG
from socketio.packet import EVENT

from harmonic_gateway.sockets.limits import PACKET_COST_S, ReadingPace
from harmonic_gateway.sockets.turns import Stretch, Turns
from harmonic_gateway.sockets.websocket import close_code

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

    def read_to_end(self, code: int | None, fault: Exception | None) -> None:
        """The WebSocket ended, by a close frame with a ``code`` or for a ``fault`` of its client.

        Called once.
        """


class ReadWebSocket(Protocol):
    """The WebSocket that is read."""

    @property
    def is_all_received(self) -> bool:
        """Whether no message that was read is still to be received."""

    async def receive(self) -> WSMessage:
        """The next message."""

    def pong(self, data: bytes) -> None:
        """Answer a ping."""

    def take_cost_s(self) -> float:
        """CPU seconds that it took to read what came since this was asked the last time."""

    def finish(self, last: WSMessage | None) -> None:
        """Close the connection after the ``last`` message that counts, if there was one."""


class Reading:
    """The reading of one WebSocket."""

    __slots__ = (
        *("_fault", "_is_lost", "_is_over", "_owes_pause"),
        *("_session", "_task", "_waits", "_websocket"),
    )

    def __init__(self, session: ReadSession, websocket: ReadWebSocket) -> None:
        self._session = session
        self._websocket = websocket
        #: Whether all that came before was taken.
        self._waits = False
        self._task: asyncio.Task[WSMessage | None] | None = None
        self._fault: Exception | None = None
        #: Whether what was taken where it was read is to be paid for before the next message is.
        self._owes_pause = False
        self._is_lost = self._is_over = False

    def begin(self) -> None:
        """Take what has come already, and what comes from now on."""
        self._waits = self._websocket.is_all_received
        if not self._waits:
            self.wake()

    def wake(self) -> None:
        """A message waits to be received, or there will be none any more."""
        self._waits = False
        if self._task is None and not self._is_over:
            self._task = asyncio.create_task(self._take_waiting())
            self._task.add_done_callback(self._taken)

    def lost(self) -> None:
        """The connection is lost: what waits for an answer of the application is given up."""
        self._is_lost = True
        if self._task is None:
            self._end(None)
        else:
            # It may have ended already, and be about to say so.
            self._task.cancel()

    async def _take_waiting(self) -> WSMessage | None:
        """Take all that waits; the message that ends the WebSocket, if one does.

        Raise ``ValueError`` or ``RecursionError`` where the client does not speak the protocol.
        """
        session, websocket = self._session, self._websocket
        stretch = Stretch(session.turns)
        while not session.closed:
            message = await websocket.receive()
            if self._fault is not None:
                raise self._fault
            cost_s = websocket.take_cost_s()
            if self._owes_pause:
                self._owes_pause = False
                await session.slow_down()
            if message.type not in _TAKEN or message.data == "":
                return message
            asking = self._take(message, cost_s)
            if asking is not None:
                await asking
            if session.pace.is_behind:
                await session.slow_down()
            if websocket.is_all_received:
                return None
            await stretch.go_on()
        return None

    def _taken(self, task: "asyncio.Task[WSMessage | None]") -> None:
        """All that waited was taken, or the WebSocket ends."""
        self._task = None
        if task.cancelled():
            self._end(None)
        elif isinstance(error := task.exception(), ValueError | RecursionError):
            self._end(None, error)
        elif error is not None:
            self._end(None)
            raise error
        elif (last := task.result()) is not None or self._session.closed or self._is_lost:
            self._end(last)
        else:
            # More may have come since.
            self.begin()

    def _end(self, last: WSMessage | None, fault: Exception | None = None) -> None:
        if not self._is_over:
            self._is_over, self._waits = True, False
            try:
                self._session.read_to_end(None if last is None else close_code(last), fault)
            finally:
                self._websocket.finish(last)

    def _take(self, message: WSMessage, cost_s: float) -> Awaitable[None] | None:
        """Take what was received; what is returned is to be awaited before the next is."""
        if message.type is WSMsgType.TEXT:
            return self._session.packet(int(message.data[0]), message.data[1:], cost_s)
        if message.type is WSMsgType.BINARY:
            return self._session.packet(MESSAGE, message.data, cost_s)
        if message.type is WSMsgType.PING and self._session.at_websocket:
            self._websocket.pong(message.data)
        self._session.charge(cost_s + PACKET_COST_S)
        return None

    def take_text(self, text: str | None) -> bool:
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

"""One connection to a gateway, over one of python-socketio's clients."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import socketio
from socketio.exceptions import SocketIOError

from harmonic_client.errors import NotConnectedError, RefusedError
from harmonic_protocol.refusals import Refused

NAMESPACE = "/ws"
#: An answer that takes longer will not come.
ANSWER_TIMEOUT_S = 5.0
#: A connection that is not accepted by then will not be: gateways may wait for their keys.
CONNECT_TIMEOUT_S = 10.0
#: The close code of RFC 6455's registry by which a gateway says that a client comes too often.
TRY_LATER_CODE = 1013

#: Told of each event, with its arguments; in order, and as soon as it comes.
Heard = Callable[[str, tuple[Any, ...]], None]


class SocketLink:
    """A connection, from the attempt to make it until it ends; never used for a second one."""

    def __init__(
        self, agent: str, tls: ssl.SSLContext | None, heard: Heard, lost: Callable[[], None]
    ) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls or True), headers={"User-Agent": agent}
        )
        self.socket = socketio.AsyncClient(
            reconnection=False, http_session=self._http, handle_sigint=False
        )
        self._heard, self._lost = heard, lost
        loop = asyncio.get_running_loop()
        # Done when it is accepted or refused.
        self._answer: asyncio.Future[None] = loop.create_future()
        self._refusal: Refused | None = None
        self._end: asyncio.Future[None] = loop.create_future()
        self.socket.on("*", self._event, namespace=NAMESPACE)
        self.socket.on("connect_error", self._refused, namespace=NAMESPACE)

    @property
    def is_accepted(self) -> bool:
        """Whether the gateway accepted the connection, and it has not ended."""
        return self._answer.done() and self._refusal is None and not self._end.done()

    async def open(self, url: str, auth: Mapping[str, str]) -> None:
        """Return once the gateway has greeted the client.

        Raise :class:`RefusedError` if it is refused, and :class:`NotConnectedError` if it fails for
        now.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self.socket.connect(
                    url,
                    auth=dict(auth),
                    namespaces=[NAMESPACE],
                    transports=["websocket"],
                    # It would wait for the answer even after the connection has ended.
                    wait=False,
                )
                self.socket.eio.read_loop_task.add_done_callback(self._over)
                await asyncio.wait({self._answer, self._end}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise NotConnectedError("the gateway does not answer in time") from None
        except (SocketIOError, aiohttp.ClientError, OSError, ValueError) as error:
            raise NotConnectedError(str(error) or type(error).__name__) from error
        if not self._answer.done():
            raise self._put_off()
        if self._refusal is not None:
            raise RefusedError(self._refusal)

    async def ended(self) -> None:
        """Return when the connection has ended."""
        await asyncio.wait({self._end})

    async def emit(self, event: str, data: Mapping[str, Any]) -> None:
        """Send an event, if the connection lasts."""
        # Not "volatile", as other clients know it: that loses what is sent in the same turn, too.
        with suppress(SocketIOError):
            await self.socket.emit(event, dict(data), namespace=NAMESPACE)

    async def ask(self, event: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """The ack of a command; ``None`` if none came, and it may have been carried out."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def acknowledge(*told: Any) -> None:
            if not answer.done():
                answer.set_result(told[0] if told else None)

        with suppress(SocketIOError):
            await self.socket.emit(event, dict(data), namespace=NAMESPACE, callback=acknowledge)
            await asyncio.wait(
                {answer, self._end}, timeout=ANSWER_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
        told = answer.result() if answer.done() else None
        return told if isinstance(told, dict) else None

    async def cut(self) -> None:
        """End the connection without a goodbye, as a broken network does."""
        await self._http.close()

    async def close(self) -> None:
        """Say goodbye if possible, and release all resources."""
        try:
            with suppress(SocketIOError, aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await self.socket.disconnect()
        finally:
            await self._http.close()

    def _over(self, reading: asyncio.Task[None]) -> None:
        # How the library's task ended is of no interest; asyncio complains if nobody asks.
        if not reading.cancelled():
            reading.exception()
        self._end.set_result(None)
        # In the same turn: whoever is answered by the end finds no connection any more.
        self._lost()

    def _event(self, name: str, *told: Any) -> None:
        if name == "connect_success" and not self._answer.done():
            self._answer.set_result(None)
        self._heard(name, told)

    def _refused(self, told: Any = None, *_: Any) -> None:
        # What the library says of its own failures has no code.
        data = told.get("data") if isinstance(told, dict) else None
        if isinstance(data, dict) and not self._answer.done():
            self._refusal = Refused.model_validate({**data, "message": told["message"]})
            self._answer.set_result(None)

    def _put_off(self) -> NotConnectedError:
        code = self.socket.eio.ws.close_code
        if code == TRY_LATER_CODE:
            return NotConnectedError("put off: its user comes back too often", too_often=True)
        return NotConnectedError(f"no answer, and close code {code}")

"""Listening for clients: the server around the application, its TLS and its headers."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from harmonic_gateway.http.origins import Origins
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.observability.ops import SHUTDOWN_TIMEOUT_S
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.sites import start_site

#: Only the playground's answers are pages. All others are for the caller alone, and none names
#: aiohttp or its version.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "harmonic",
    "X-Content-Type-Options": "nosniff",
}
#: Headers that a single answer may override.
_OWN_HEADERS = frozenset({"Cache-Control", "Content-Security-Policy"})
#: How long the head of a request may take, from its first byte or from the connection on.
HEAD_TIMEOUT_S = 10.0
#: Connections that may wait to be accepted. A client above the bound takes itself for connected but
#: is served half a minute later. Thousands connect at once after a gateway was restarted.
LISTEN_BACKLOG = 4096
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
#: Sent over TLS only: how long browsers use nothing but TLS.
STRICT_TRANSPORT = {"Strict-Transport-Security": f"max-age={365 * 24 * 3600}"}


def add_headers(app: web.Application, allowed: Origins, *, secure: bool) -> None:
    """Add the common headers to every answer."""
    always = {**SECURITY_HEADERS, **(STRICT_TRANSPORT if secure else {})}

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        own = {name for name in _OWN_HEADERS if name in response.headers}
        response.headers.update((name, always[name]) for name in always.keys() - own)
        allowed.announce(request, response.headers)

    app.on_response_prepare.append(add)


@asynccontextmanager
async def listening(
    app: web.Application, settings: GatewaySettings, tls: ssl.SSLContext | None
) -> AsyncIterator[int]:
    """Serve an application while the block runs, over TLS if there is a context; yield the port.

    Raise :class:`CannotStart` if the address is taken.
    """
    # No access log: it would contain tokens from queries.
    runner = _Runner(
        app,
        access_log=None,
        handle_signals=False,
        # If the client of a poll disconnects, its session ends at once, not with its heartbeat.
        handler_cancellation=True,
        # No request may have a compressed body. aiohttp would inflate a refused one as well, when
        # it reads the rest: a short body could cost seconds.
        auto_decompress=False,
        keepalive_timeout=settings.keepalive_timeout_s,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )
    await runner.setup()
    try:
        try:
            port = await start_site(
                runner, settings.host, settings.port, tls=tls, backlog=LISTEN_BACKLOG
            )
        except OSError as error:
            raise CannotStart(
                f"Cannot listen on {settings.host}:{settings.port} for clients"
                f" ({error.strerror}): set HARMONIC_HOST or HARMONIC_PORT."
            ) from error
        yield port
    finally:
        await runner.cleanup()


def tls_context(settings: GatewaySettings) -> ssl.SSLContext | None:
    """The gateway's own TLS context for clients; ``None`` if it does not serve TLS.

    Raise :class:`CannotStart` if the certificate cannot be used.
    """
    if settings.tls_cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    except OSError as error:
        raise CannotStart(
            f"The certificate for clients cannot be used ({error}): see HARMONIC_TLS_CERT_FILE"
            " and HARMONIC_TLS_KEY_FILE."
        ) from error
    return context


class _Runner(web.AppRunner):
    """Runs an application with our own protocol for connections."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        return server


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _RequestHandler(self, loop=self._loop, **self._kwargs)


class _Head:
    """The head of a request whose headers can be released; aiohttp's own class keeps them."""

    __slots__ = (
        *("method", "path", "version", "headers", "raw_headers", "should_close"),
        *("compression", "upgrade", "chunked", "url"),
    )

    headers: CIMultiDictProxy[str]

    def __init__(self, message: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(message, name))
        self.raw_headers = ()


def _forget_headers(request: Any) -> None:
    """Release the headers of a request, wherever aiohttp keeps them."""
    if isinstance(request._message, _Head):  # noqa: SLF001 -- there is no other way to them
        request._message.headers = _NO_HEADERS  # noqa: SLF001
    request._headers = _NO_HEADERS  # noqa: SLF001
    request._cache.pop("headers", None)  # noqa: SLF001


class _RequestHandler(web.RequestHandler):
    """Waits long between requests of a connection, but at most ``HEAD_TIMEOUT_S`` for each head.

    Reports nothing about data that is not HTTP: aiohttp would quote it, in the log as well.
    """

    __slots__ = ("_head_due", "_heads_before")

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._head_due: asyncio.TimerHandle | None = None
        self._heads_before = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._await_no_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_upgraded = self._upgraded
        super().data_received(data)
        if self._upgraded and not was_upgraded and self._messages:
            message, payload = self._messages.pop()
            self._messages.append((cast("Any", _Head(message)), payload))
        waiter = self._waiter
        # None while a request is handled, and while a WebSocket is open.
        if waiter is None:
            return
        if waiter.done():
            self._await_no_head()
        elif self._head_due is None:
            self._await_head()

    def set_parser(self, *args: Any, **kw: Any) -> None:
        """Release the request of a WebSocket that begins: the WebSocket may last for days."""
        super().set_parser(*args, **kw)
        request: Any = self._current_request
        if request is not None:
            _forget_headers(request)
        # The parser of requests holds the last headers, and no other request follows.
        self._parser = None

    def _await_head(self) -> None:
        self._heads_before = self._request_count
        self._head_due = self._loop.call_later(HEAD_TIMEOUT_S, self._give_up_head)

    def _await_no_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _give_up_head(self) -> None:
        self._head_due = None
        waits = self._waiter is not None and not self._waiter.done()
        if waits and self._request_count == self._heads_before:
            self.force_close()

    def log_exception(self, *args: Any, **kw: Any) -> None:
        # The rest of a body is read after the answer, and may be malformed as well.
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        response = web.Response(status=status, headers=SECURITY_HEADERS)
        response.force_close()
        return response

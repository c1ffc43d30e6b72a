"""The heads of answers to HTTP polling, composed once for each kind of answer.

aiohttp composes the head of every answer anew, header by header, which costs more than the rest of
a poll. Answers of one kind differ only in length and date. So the head of the first answer is kept
and used for the others.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from aiohttp import HttpVersion, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time

from harmonic_gateway.sockets.polling import PollAnswer

#: Kinds that are kept: the latest. Each listed origin and each version of HTTP has its own.
MAX_KINDS = 64
_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_POST})
#: Headers that differ between answers of one kind.
_OWN = frozenset({hdrs.CONTENT_LENGTH, hdrs.DATE})
#: Status, compression, origin, whether the connection is kept alive, and the version of HTTP.
_Kind: TypeAlias = tuple[int, bool, str | None, bool, HttpVersion]


class AnswerComposer:
    """Makes the answers to polls of one application, and keeps the head of each kind."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Kind, bytes] = OrderedDict()

    @property
    def kinds(self) -> int:
        """How many kinds are kept."""
        return len(self._known)

    def response(self, request: web.Request, answer: PollAnswer) -> web.StreamResponse:
        """An answer as a response of aiohttp."""
        if request.method not in _METHODS:
            return answer.to_response()
        stays = request.keep_alive
        origin = request.headers.get(hdrs.ORIGIN)
        kind = (answer.status, answer.gzips, origin, stays, request.version)
        head = self._known.get(kind)
        if head is None:
            return _Composed(answer, lambda composed: self._keep(kind, composed))
        return _Known(answer, head, stays=stays)

    def _keep(self, kind: _Kind, head: bytes) -> None:
        self._known[kind] = head
        if len(self._known) > MAX_KINDS:
            self._known.popitem(last=False)


class _Composed(web.Response):
    """The first answer of its kind."""

    def __init__(self, answer: PollAnswer, keep: Callable[[bytes], None]) -> None:
        super().__init__(body=answer.body, status=answer.status, headers=answer.headers())
        self._keep = keep

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Compose the head and keep it."""
        writer = await super().prepare(request)
        major, minor = request.version
        lines = [
            f"HTTP/{major}.{minor} {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in self.headers.items() if name not in _OWN),
        ]
        self._keep("\r\n".join(lines).encode())
        return writer


class _Known(web.StreamResponse):
    """An answer of a kind that was composed before."""

    def __init__(self, answer: PollAnswer, head: bytes, *, stays: bool) -> None:
        super().__init__(status=answer.status)
        self._bytes = b"%b\r\nContent-Length: %d\r\nDate: %b\r\n\r\n%b" % (
            *(head, len(answer.body)),
            *(rfc822_formatted_time().encode(), answer.body),
        )
        self._stays = stays

    @property
    def keep_alive(self) -> bool:
        """Whether the connection is kept alive, as the head says."""
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write head and body at once."""
        await request.writer.write(self._bytes)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: :meth:`prepare` has written everything."""

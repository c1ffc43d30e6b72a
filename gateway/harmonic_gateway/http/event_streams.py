"""The streams of server-sent events at this gateway: opening, serving and ending them."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.delivery.places import Place, read_offset
from harmonic_gateway.delivery.server_sent import retry_after, server_sent
from harmonic_gateway.http.followed_stream import FollowedStream, StreamMeans
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.membership.follower import EndStream, StreamEnd
from harmonic_gateway.sockets.kernel import bound, reset
from harmonic_protocol.messages.following import (
    EVENT_STREAM_TYPE,
    LAST_EVENT_ID,
    FollowUniverse,
    StreamEnded,
)
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.transient import RETRY_AFTER_MS
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.ticker import spread

#: How long a client may take to read the reason that its stream ended.
FAREWELL_S = 0.5
#: How long a client waits before it reconnects after its gateway began to stop.
COME_AGAIN_MS = 500
#: Tells proxies to forward events at once: nginx would buffer them.
_HEADERS = {"X-Accel-Buffering": "no"}
_NO_EVENT = "is no `id` of an event of this universe"
_NOT_AN_ID = refused(
    Code.INVALID_PARAMETERS,
    f"Invalid parameters: lastEventId {_NO_EVENT}",
    fields=[{"field": "lastEventId", "reason": _NO_EVENT}],
)
_DRAINING = refused(Code.INTERNAL_ERROR, "This server is about to stop", retryAfterMs=COME_AGAIN_MS)


class ConnectionCounter(Protocol):
    """Counts the connections of users, including streams."""

    async def admit_stream(self, user_id: str) -> Refused | None:
        """Count a stream of a user, or refuse it. Report its end to :meth:`stream_ended`."""

    def stream_ended(self, user_id: str) -> None:
        """Note the end of a stream that was counted."""


class EventStreams:
    """Opens streams, and ends them when their token is no longer good or the gateway stops.

    ``refuses`` returns why no new client is accepted at the moment, if so.
    """

    def __init__(
        self,
        means: StreamMeans,
        counter: ConnectionCounter,
        refuses: Callable[[], str | None],
        *,
        metrics: Metrics,
        log: SampledLog,
    ) -> None:
        self._means = means
        self._counter = counter
        self._refuses = refuses
        self._log = log
        self._streams: dict[FollowedStream, None] = {}
        self._is_closing = False
        ended = metrics.counters(table.STREAMS_ENDED)
        self._ended = {end: ended.of(end.value) for end in StreamEnd}
        metrics.gauge_from(table.STREAMS, self.__len__)

    def __len__(self) -> int:
        return len(self._streams)

    async def open(
        self, request: web.Request, asked: FollowUniverse, identity: Identity
    ) -> web.StreamResponse | Refused:
        """Serve a stream while its user may follow and its client reads, or return why not."""
        at = _place(request, asked)
        if isinstance(at, Refused):
            return at
        refusal = self._closed() or await self._counter.admit_stream(identity.user_id)
        if refusal is not None:
            return refusal
        stream = FollowedStream(self._means, identity, asked, at)
        self._streams[stream] = None
        try:
            # The gateway may have begun to stop during the await.
            refusal = self._closed()
            if refusal is not None:
                return refusal
            end = await stream.begin()
            if end is not None:
                return end.refusal or _DRAINING
            return await self._serve(request, stream)
        finally:
            del self._streams[stream]
            stream.close()
            self._counter.stream_ended(identity.user_id)

    def look_at_tokens(self) -> None:
        """End the streams whose tokens have expired or were revoked."""
        for stream in list(self._streams):
            refusal = self._means.standing.refusal(stream.identity)
            if refusal is not None:
                stream.follower.end(StreamEnd.REFUSED, refusal)

    def drain(self) -> None:
        """End all streams: their clients reconnect to another gateway."""
        for stream in list(self._streams):
            stream.follower.end(StreamEnd.DRAINING)

    async def close(self, over_s: float) -> None:
        """Open no more streams, and end all, spread evenly over ``over_s`` seconds."""
        self._is_closing = True
        async for stream in spread(list(self._streams), over_s):
            stream.follower.end(StreamEnd.DRAINING)

    def _closed(self) -> Refused | None:
        why = self._refuses()
        if self._is_closing:
            return _DRAINING
        return (
            None if why is None else refused(Code.INTERNAL_ERROR, why, retryAfterMs=RETRY_AFTER_MS)
        )

    async def _serve(self, request: web.Request, stream: FollowedStream) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = EVENT_STREAM_TYPE
        response.force_close()
        transport = request.transport
        end = EndStream(StreamEnd.CLIENT)
        try:
            if transport is not None:
                bound(transport)
                await response.prepare(request)
                end = await stream.serve(response)
                await _part(transport, response, stream.follower.universe_id, end)
        except OSError:
            # The client has disconnected.
            pass
        finally:
            self._ended[end.end].inc()
            self._log.info("stream_ended", kind=end.end.value, universe=stream.follower.universe_id)
        return response


def _place(request: web.Request, asked: FollowUniverse) -> Place | Refused | None:
    """The place after which a client wants to follow. The header overrides the query."""
    said = request.headers.get(LAST_EVENT_ID) or asked.last_event_id
    if not said:
        return None
    places = read_offset(said)
    if places is None or places.keys() != {asked.universe_id}:
        return _NOT_AN_ID
    return places[asked.universe_id]


async def _part(
    transport: asyncio.Transport, response: web.StreamResponse, universe_id: str, end: EndStream
) -> None:
    """Send a client the reason of its stream's end, and close; wait at most ``FAREWELL_S``."""
    if end.end in {StreamEnd.OVERFLOW, StreamEnd.STALLED}:
        reset(transport)
        return
    try:
        async with asyncio.timeout(FAREWELL_S):
            await response.write(_farewell(universe_id, end))
            await response.write_eof()
    except (TimeoutError, OSError):
        reset(transport)


def _farewell(universe_id: str, end: EndStream) -> bytes:
    if end.refusal is None:
        return retry_after(COME_AGAIN_MS)
    ended = StreamEnded(
        universe_id=universe_id,
        code=end.refusal.code,
        message=end.refusal.message,
        details=end.refusal.details,
    )
    return server_sent([encode_event(ended, StreamEnded.spec.name)])

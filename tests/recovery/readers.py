"""Programs that follow universes by server-sent events, and come back when they are cut off."""

import asyncio
import time
from typing import Any

import aiohttp

from harness.event_source import EventSource, ServerSent, following
from recovery.checker import Return, Sent, Stay

#: As quick as the members that are cut off thousands of times.
PAUSE_S = 0.05
_SETS = {f"{name}_updated": name for name in ("physics", "music", "visualization")}


class StreamReader:
    """A reader of one universe: what it was sent over any number of streams is one ``stay``."""

    def __init__(self, name: str, token: str, universe: str, url: str) -> None:
        self.name = name
        self.universe = universe
        self.stay = Stay(name, universe, 0)
        self.values: dict[str, Any] = {}
        self.returns: list[Return] = []
        self.errors: list[str] = []
        self.has_begun = asyncio.Event()
        self._token = token
        self._url = url
        self._last_id = ""
        self._away_since_s: float | None = None
        self._news = asyncio.Event()

    async def read(self) -> None:
        """Follow, and follow again, until cancelled."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as http:
            while True:
                try:
                    await self._follow(http)
                except (aiohttp.ClientError, TimeoutError):
                    # It was cut off.
                    pass
                except AssertionError as refusal:
                    self.errors.append(f"{self.name} was answered {refusal}")
                if self._away_since_s is None:
                    self._away_since_s = time.monotonic()
                await asyncio.sleep(PAUSE_S)

    async def comes_to(self, seq: int) -> None:
        """Return when it has been sent the event of that number."""
        while not self.stay.frames or self.stay.frames[-1].seq < seq:
            self._news.clear()
            await self._news.wait()

    async def _follow(self, http: aiohttp.ClientSession) -> None:
        knows = bool(self._last_id)
        async with following(http, self._url, self._token, self.universe, self._last_id) as stream:
            while (event := await self._next(stream)) is not None:
                if knows and self._away_since_s is not None:
                    away_s = time.monotonic() - self._away_since_s
                    goes_on = event.name != "universe_reset"
                    self.returns.append(Return(self.name, away_s, goes_on))
                self._away_since_s = None
                self._take(event)

    async def _next(self, stream: EventSource) -> ServerSent | None:
        try:
            return await stream.next()
        finally:
            self._last_id = stream.last_id

    def _take(self, event: ServerSent) -> None:
        data = event.data
        if event.name == "universe_state" and not self.has_begun.is_set():
            self.stay.after_seq = data["seq"]
            self.values = dict(data["parameters"])
            self.has_begun.set()
        elif event.name in {"universe_state", "universe_reset", "stream_ended"}:
            self.errors.append(f"{self.name} was sent {event.name}: {data}")
        else:
            if event.name in _SETS:
                self.values[_SETS[event.name]] = data["parameters"]
            self.stay.frames.append(Sent(data["seq"], event.name, data["timestamp"]))
            self._news.set()

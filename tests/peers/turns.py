"""A client of HTTP polling whose requests go to gateways in turn, as behind plain round robin."""

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

POLLING = "/socket.io/?EIO=4&transport=polling"
PATIENCE_S = 10.0


class TurnTaker:
    """A session, whose requests go where it is their turn. ``heard`` are its packets."""

    def __init__(self, http: aiohttp.ClientSession, turns: Iterator[str]) -> None:
        self.heard: list[str] = []
        #: How answers to polls were compressed.
        self.encodings: set[str] = set()
        self.sid = ""
        self._http = http
        self._turns = turns

    def url_at(self, url: str) -> str:
        """Where the session's requests to one gateway go."""
        return f"{url}{POLLING}&sid={self.sid}"

    def next_url(self) -> str:
        """Where the next request of the session goes."""
        return self.url_at(next(self._turns))

    async def open(self) -> None:
        """Begin a session."""
        async with self._http.get(next(self._turns) + POLLING) as opened:
            self.sid = json.loads((await opened.text())[1:])["sid"]

    async def says(self, *packets: str) -> tuple[int, str]:
        """Post packets; how that is answered."""
        body = io.BytesIO("\x1e".join(packets).encode())
        async with self._http.post(self.next_url(), data=body) as answer:
            return answer.status, await answer.text()

    async def polls(self) -> tuple[int, list[str]]:
        """Poll once; the packets of the answer."""
        async with self._http.get(self.next_url()) as answer:
            self.encodings.add(answer.headers.get("Content-Encoding", ""))
            packets = (await answer.text()).split("\x1e") if answer.status == 200 else []
        self.heard += packets
        if "2" in packets:
            await self.says("3")
        return answer.status, packets

    async def until(self, text: str) -> str:
        """Poll until a packet holds a text; that packet."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = next((packet for packet in self.heard if text in packet), None)
                if found is not None:
                    return found
                status, _ = await self.polls()
                assert status == 200

    async def connects(self, token: str, **auth: Any) -> None:
        """Connect to ``/ws``."""
        await self.says("40/ws," + json.dumps({"token": token, **auth}))
        await self.until("connect_success")

    async def emits(self, name: str, payload: dict[str, Any], ack: str = "") -> None:
        """Send an event, acknowledged if it has a number."""
        assert await self.says(f"42/ws,{ack}{json.dumps([name, payload])}") == (200, "ok")


@asynccontextmanager
async def turn_taker(urls: Sequence[str]) -> AsyncIterator[TurnTaker]:
    """A session that begins at the first of ``urls``."""
    async with aiohttp.ClientSession() as http:
        taker = TurnTaker(http, itertools.cycle(urls))
        await taker.open()
        yield taker

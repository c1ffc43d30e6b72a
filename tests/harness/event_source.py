"""A client of streams of server-sent events, as the standard has it, without a browser."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from harness.client import PATIENCE_S

#: A piece of music takes a line of its own.
MAX_LINE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class ServerSent:
    """An event as it came."""

    id: str
    name: str
    data: Any


@dataclass
class EventSource:
    """One answer that goes on: ``last_id`` is what a client brings to the next one."""

    response: aiohttp.ClientResponse
    last_id: str = ""
    retry_ms: int | None = None
    heard: list[ServerSent] = field(default_factory=list)

    async def hears(self, name: str, **fields: Any) -> Any:
        """The data of the next event of a name with these fields; others before it are kept."""
        while True:
            event = await self.next()
            assert event is not None, f"the stream ended without {name}: {self.heard}"
            if event.name == name and fields.items() <= event.data.items():
                return event.data

    async def next(self) -> ServerSent | None:
        """The next event; ``None`` at the end."""
        name, data, identity = "", "", self.last_id
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.response.content.readline():
                field_name, _, value = line.decode().rstrip("\n").partition(":")
                value = value.removeprefix(" ")
                match field_name:
                    case "id":
                        identity = value
                    case "event":
                        name = value
                    case "data":
                        data = value
                    case "retry":
                        self.retry_ms = int(value)
                    case _:
                        # Other fields are passed over, comments among them.
                        pass
                if line != b"\n":
                    continue
                # What was cut off within an event does not count.
                self.last_id = identity
                if data:
                    event = ServerSent(self.last_id, name, json.loads(data))
                    self.heard.append(event)
                    return event
        return None

    async def ends(self) -> Any:
        """Read to the end: what the stream says of it, if it says anything."""
        while await self.next() is not None:
            pass
        last = self.heard[-1] if self.heard else None
        return last.data if last is not None and last.name == "stream_ended" else None

    def numbers(self) -> list[int]:
        """The numbers of all that was heard, the state's included."""
        return [event.data["seq"] for event in self.heard if "seq" in event.data]


@asynccontextmanager
async def following(
    http: aiohttp.ClientSession, url: str, token: str, universe: str, last_id: str = ""
) -> AsyncIterator[EventSource]:
    """Follow a universe, after the event of an id if there is one."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    address = f"{url}/api/v1/universes/{universe}/stream"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE_S)
    async with http.get(
        address, headers=headers, timeout=timeout, read_bufsize=MAX_LINE_BYTES
    ) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield EventSource(response, last_id)

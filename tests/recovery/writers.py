"""Users who write into rooms all the time, whatever happens to gateways."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from socketio.exceptions import SocketIOError

from harness.client import Client, Silence
from harness.world import World

RETRY_PAUSE_S = 0.2
#: One change in so many is a batch, and one a request for a piece.
BATCH_SHARE, MUSIC_SHARE = 0.1, 0.01
MAX_PIECE_S = 60
#: A drag: so many values on the way, as fast as live signals may be sent.
PREVIEWS_PER_DRAG, PREVIEWS_PER_S = 15, 30


class Writer:
    """A user in one room; ``refusals`` are the errors that it was answered with, by code."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        world: World,
        universe: str,
        gateways: Sequence[int],
        *,
        updates_per_s: float,
        music: bool,
    ) -> None:
        self._world = world
        self._universe = universe
        self._gateways = itertools.cycle(gateways)
        self._pause_s = 1 / updates_per_s
        self._chance = random.Random(next(self._numbers))
        self._music_share = MUSIC_SHARE if music else 0
        self._values = itertools.count(1)
        self._client: Client | None = None
        self.answers: Counter[str] = Counter()
        self.ready = asyncio.Event()

    async def write(self, over: asyncio.Event) -> None:
        """Write, each change when the one before was answered."""
        while not over.is_set():
            try:
                await self._come()
                while not over.is_set():
                    await asyncio.sleep(self._chance.uniform(0, 2 * self._pause_s))
                    await self._change()
            except (SocketIOError, Silence):
                self.answers["lost"] += 1
                await asyncio.sleep(RETRY_PAUSE_S)
            finally:
                await self._go()

    async def _come(self) -> None:
        user = f"writer-{self._universe}"
        client = self._client = Client(user)
        await client.connect(self._world.stack.urls[next(self._gateways)], self._world.token(user))
        await client.joins(self._universe)
        self.ready.set()

    async def _go(self) -> None:
        if self._client is not None:
            with suppress(SocketIOError):
                await self._client.close()
        self._client = None

    async def _change(self) -> None:
        assert self._client is not None
        command, said = await self._prepare(self._client, next(self._values))
        answer = await self._ask(self._client, command, said)
        # What is heard is not looked at here.
        self._client.heard.clear()
        self.answers["ok" if answer["ok"] else answer["error"]["code"]] += 1

    async def _prepare(self, _client: Client, number: int) -> tuple[str, dict[str, Any]]:
        """The next change, when it is to be made."""
        return self._command(number)

    def _command(self, number: int) -> tuple[str, dict[str, Any]]:
        changes: dict[str, dict[str, float]] = {
            "physics": {"gravity": number % 2000 / 100},
            "music": {"tempo": 40 + number % 160},
            "visualization": {"particleCount": 100 + number % 9900},
        }
        dice = self._chance.random()
        if dice < self._music_share:
            return "generate_music", {"duration": self._chance.randint(1, MAX_PIECE_S)}
        if dice < self._music_share + BATCH_SHARE:
            return "update_parameters", dict(changes)
        name = self._chance.choice(sorted(changes))
        return f"update_{name}", {"parameters": changes[name]}

    async def _ask(self, client: Client, command: str, said: dict[str, Any]) -> dict[str, Any]:
        """The ack; none comes where the connection is lost before."""
        asking = asyncio.ensure_future(client.asks(command, universeId=self._universe, **said))
        gone = asyncio.ensure_future(client.gone.wait())
        try:
            await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise SocketIOError("lost")
            return asking.result()
        finally:
            for task in (asking, gone):
                task.cancel()
            await asyncio.gather(asking, gone, return_exceptions=True)


class Dragger(Writer):
    """A writer that drags: it shows the values on the way, and then stores the last one.

    A drag's values have one whole part.
    """

    async def _prepare(self, client: Client, number: int) -> tuple[str, dict[str, Any]]:
        whole = number % 20
        for step in range(PREVIEWS_PER_DRAG):
            tried = {"gravity": whole + step / 100}
            await client.says("preview_parameters", universeId=self._universe, physics=tried)
            await asyncio.sleep(1 / PREVIEWS_PER_S)
        return "update_physics", {"parameters": {"gravity": whole + 0.99}}

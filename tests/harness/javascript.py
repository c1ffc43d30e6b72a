"""The official JavaScript clients, run by Node and talked to like the Python one."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from harmonic_local.node import install, node
from harness.client import PATIENCE_S, Listener

#: The folder with the packages of both.
CLIENTS = Path(__file__).parent
BRIDGE = CLIENTS / "bridge.mjs"
#: The versions of socket.io-client that the bridge has.
VERSIONS = ("4.8.4", "3.1.3")
MAX_LINE_BYTES = 4 * 1024 * 1024


class JavascriptError(AssertionError):
    """Code for a client failed in Node."""


class Bridge:
    """A Node process with any number of clients in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._clients: dict[int, JavascriptClient] = {}

    def client(self, user: str, version: str) -> "JavascriptClient":
        """A client that has not connected yet."""
        number = next(self._numbers)
        self._clients[number] = JavascriptClient(self, number, user, version)
        return self._clients[number]

    async def run(self, client: int, version: str, code: str) -> Any:
        """What ``code`` returns, as JSON."""
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "client": client, "version": version, "code": code})
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return await answer

    async def read(self) -> None:
        """Hand over what Node says, until it ends."""
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = json.loads(raw)
            if "id" not in line:
                await self._clients[line["client"]]._hear(line["event"], line.get("data"))
                continue
            answer = self._answers.pop(line["id"])
            if answer.done():
                continue
            if "error" in line:
                answer.set_exception(JavascriptError(line["error"]))
            else:
                answer.set_result(line["result"])
        for answer in self._answers.values():
            answer.cancel()


class JavascriptClient(Listener):
    """One client; ``connect``, ``connect_error``, ``disconnect`` and ``console`` are heard, too."""

    def __init__(self, bridge: Bridge, number: int, user: str, version: str) -> None:
        super().__init__(user)
        self._bridge = bridge
        self._number = number
        self._version = version

    async def opens(self, code: str) -> None:
        """Run code that declares a ``socket`` of its own, which is the client's from now on."""
        await self.runs(f"{{\n{code}\nreturn socket;\n}}")

    async def runs(self, code: str) -> Any:
        """Run code that knows ``io`` and the client's ``socket``."""
        return await self._bridge.run(self._number, self._version, code)


@asynccontextmanager
async def javascript(**environment: str) -> AsyncIterator[Bridge]:
    """A bridge to Node that ends with the block."""
    await install(CLIENTS)
    process = await asyncio.create_subprocess_exec(
        *(str(node()), str(BRIDGE), str(CLIENTS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        limit=MAX_LINE_BYTES,
    )
    assert process.stdin is not None
    bridge = Bridge(process)
    reading = asyncio.create_task(bridge.read())
    try:
        yield bridge
    finally:
        process.stdin.close()
        await reading
        await process.wait()

"""Processes that are started, watched for a sign of readiness, and ended in order."""

import asyncio
import itertools
import json
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

#: A process that is not ready by then will not be.
READY_TIMEOUT_S = 20.0
#: A process that does not end by itself is killed after so long.
STOP_TIMEOUT_S = 15.0
#: A line of a log may be long, but not without bound.
MAX_LINE_BYTES = 1024 * 1024
#: Stands for a line that is longer.
_CUT = b"(a line of more than 1 MiB is left out)"

#: Servers listen below the ports that operating systems give to clients.
_PORTS = range(10_000, 32_768)
#: In turn from anywhere: no port is given twice, nor soon by two processes that start servers.
_ports = itertools.count(secrets.randbelow(len(_PORTS)))

Output = Callable[[str, str], None]
"""Called with a process's name and each line that it writes."""


class Spawned(Protocol):
    """A process that was started, as asyncio has them."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def returncode(self) -> int | None:
        """Its exit status, or minus the signal that ended it; ``None`` while it runs."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it writes, errors included."""

    async def wait(self) -> int:
        """Wait for its end; its ``returncode``."""

    def send_signal(self, signal: int, /) -> None:
        """Send it a signal."""


Spawn = Callable[[Sequence[str], Mapping[str, str]], Awaitable[Spawned]]
"""Starts a command with an environment, in a session of its own."""


async def execute(command: Sequence[str], environment: Mapping[str, str]) -> Spawned:
    """Start a command as a new process of the system."""
    # A session of its own: Ctrl-C is for the one who started all, to stop them in order.
    return await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=MAX_LINE_BYTES,
    )


class NotReadyError(Exception):
    """A process ended, or did not become ready in time."""


def free_port() -> int:
    """A loopback port that is free at the moment, and that no outgoing connection will take."""
    while True:
        port = _PORTS[next(_ports) % len(_PORTS)]
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass
class Managed:
    """One process and how it is started; its output goes to ``output`` line by line.

    ``sign`` tells from a line whether the process is ready.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    output: Output
    sign: Callable[[str], bool]
    spawn: Spawn = execute
    _process: Spawned | None = field(default=None, init=False)
    _reading: asyncio.Task[None] | None = field(default=None, init=False)
    _ready: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def pid(self) -> int:
        """The process's id; raises ``ProcessLookupError`` before it was started."""
        if self._process is None:
            raise ProcessLookupError(self.name)
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and wait until it is ready; raise :class:`NotReadyError` if it is not."""
        self._ready.clear()
        self._process = await self.spawn(self.command, {**os.environ, **self.environment})
        self._reading = asyncio.create_task(self._read(self._process))
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait(
            {ready, self._reading}, timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not self._ready.is_set():
            ready.cancel()
            await self.stop()
            raise NotReadyError(f"{self.name} did not become ready")

    async def ended(self) -> int:
        """Wait for its end; the exit status."""
        if self._process is None:
            return 0
        return await self._process.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.send_signal(signal.SIGKILL)

    async def crash(self) -> None:
        """End it at once, and return when it is gone; it may be started again."""
        self.kill()
        await self.ended()
        if self._reading is not None:
            await self._reading

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None and self.runs:
            self._process.send_signal(number)

    async def stop(self) -> int:
        """Ask it to end, and wait; kill it if it does not. The exit status."""
        if self._process is None:
            return 0
        self.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                status = await self._process.wait()
        except TimeoutError:
            self.kill()
            status = await self._process.wait()
        if self._reading is not None:
            await self._reading
        return status

    async def _read(self, process: Spawned) -> None:
        if process.stdout is None:
            return
        async for raw in _lines(process.stdout):
            line = raw.decode(errors="replace").rstrip()
            if not self._ready.is_set() and self.sign(line):
                self._ready.set()
            self.output(self.name, line)
        await process.wait()


async def _lines(output: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of an output, without lines that are too long."""
    is_cut = False
    while True:
        try:
            line = await output.readuntil()
        except asyncio.LimitOverrunError as overrun:
            await output.readexactly(overrun.consumed)
            is_cut = True
        except asyncio.IncompleteReadError as end:
            if end.partial and not is_cut:
                yield end.partial
            return
        else:
            yield _CUT if is_cut else line
            is_cut = False


def says_ready(line: str) -> bool:
    """Whether a service's line of log says that it is ready."""
    return parse(line).get("event") == "ready"


def parse(line: str) -> dict[str, Any]:
    """A parsed line of a service's log; ``None`` for any other line."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}

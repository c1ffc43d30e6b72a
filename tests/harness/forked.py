"""Programs of the product in processes that have imported them already (``harness.forking``)."""

import asyncio
import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeAlias

from harmonic_local.processes import MAX_LINE_BYTES, Spawned, execute

#: What a process reads before it imports anything: it has to be started anew.
BEFORE_IMPORTS = ("HARMONIC_EXTENSIONS", "LD_PRELOAD", "PYTHONPATH", "PYTHONOPTIMIZE")
_MODULE = 2
Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_PROGRAMS = ("harmonic_gateway", "harmonic_state", "harmonic_music")


class _Forked:
    """A forked process; its keeper says on a socket how it ends."""

    def __init__(self, pid: int, keeper: Streams, output: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = output
        self.returncode: int | None = None
        self._ending = asyncio.ensure_future(self._end(*keeper))

    async def wait(self) -> int:
        """Wait for its end."""
        return await asyncio.shield(self._ending)

    def send_signal(self, signal: int, /) -> None:
        """Send it a signal, unless it has ended, of which its keeper may not have told yet."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal)

    async def _end(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        self.returncode = int(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return self.returncode


async def fork(command: Sequence[str], environment: Mapping[str, str]) -> Spawned:
    """Start a service in a process that has imported it; anything else as it is always started."""
    is_known = list(command[:_MODULE]) == [sys.executable, "-m"] and command[_MODULE] in _PROGRAMS
    if not is_known or any(environment.get(name) for name in BEFORE_IMPORTS):
        return await execute(command, environment)
    loop = asyncio.get_running_loop()
    output = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    read_end, write_end = os.pipe()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read_end, "rb")
    )
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(forking())
    with open(os.devnull, "rb") as nothing:  # noqa: ASYNC230, PTH123 -- no file, and at once
        ask(
            connection,
            command[_MODULE],
            list(command[_MODULE + 1 :]),
            environment,
            [nothing.fileno(), write_end, write_end],
        )
    os.close(write_end)
    connection.setblocking(False)
    keeper = await asyncio.open_unix_connection(sock=connection)
    return _Forked(int(await keeper[0].readline()), keeper, output)


def ask(
    connection: socket.socket,
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> None:
    """Ask for a program, with these as its standard input, output and errors."""
    asked = {"program": program, "arguments": list(arguments), "environment": dict(environment)}
    socket.send_fds(connection, [json.dumps(asked).encode()], list(streams))


@cache
def forking() -> str:
    """Where a process listens that has imported the programs; it ends with this one."""
    path = str(Path(tempfile.mkdtemp(prefix="harmonic-")) / "programs")
    own = {name: value for name, value in os.environ.items() if "HARMONIC" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.forking", path],
        env={**own, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(process.communicate)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return path

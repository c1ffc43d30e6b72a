"""The operator's command, run as an operator runs it."""

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

from harmonic_local.stack import Stack
from harness.forked import ask, forking


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


def environment(stack: Stack | None) -> dict[str, str]:
    """The settings of an operator of a product; those of nobody without one."""
    own = {name: value for name, value in os.environ.items() if "HARMONIC" not in name}
    wide = {**own, "COLUMNS": "200", "TERM": "dumb"}
    return wide if stack is None else {**wide, **stack.bus_user("operator")}


async def harmonic(stack: Stack | None, *arguments: str, typed: str = "", **settings: str) -> Ran:
    """Run a command to its end, in a process that has imported it already."""
    known = {**environment(stack), **settings}
    return await asyncio.to_thread(_run, arguments, known, typed)


async def harmonic_anew(*arguments: str, **variables: str) -> Ran:
    """Run a command that needs no product to its end, in a process of its own from the start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "harmonic_operator", *arguments),
        env={**environment(None), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return Ran(process.returncode or 0, output.decode(), errors.decode())


@asynccontextmanager
async def running(
    stack: Stack | None, *arguments: str, **settings: str
) -> AsyncIterator[asyncio.StreamReader]:
    """A command that goes on while the block runs; its standard output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "harmonic_operator", *arguments),
        env={**environment(stack), **settings},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.communicate()


def _run(arguments: tuple[str, ...], known: Mapping[str, str], typed: str) -> Ran:
    with (
        socket.socket(socket.AF_UNIX) as connection,
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        stdin.write(typed.encode())
        stdin.seek(0)
        connection.connect(forking())
        streams = [stdin.fileno(), output.fileno(), errors.fileno()]
        ask(connection, "harmonic_operator", arguments, known, streams)
        with connection.makefile("rb") as keeper:
            assert keeper.readline(), "the command did not begin"
            status = keeper.readline()
        assert status, "the command ended without an exit status"
        return Ran(int(status), _read(output), _read(errors))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()

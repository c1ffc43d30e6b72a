"""The operator's command, run as an operator runs it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harmonic_local.stack import Stack


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
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "harmonic_operator", *arguments),
        env={**environment(stack), **settings},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(typed.encode())
    return Ran(process.returncode or 0, output.decode(), errors.decode())


@asynccontextmanager
async def running(stack: Stack, *arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """A command that goes on while the block runs; its standard output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "harmonic_operator", *arguments),
        env=environment(stack),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.communicate()

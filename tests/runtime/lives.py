"""Small services that say what happens to them, for the tests of a process's life."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.lifecycle import Process, Tasks, run_service
from harmonic_runtime.process.settings import ServiceSettings


def say(*words: str) -> None:
    print(*words, flush=True)  # noqa: T201 -- its output is what the tests look at


@contextmanager
def part(name: str) -> Iterator[None]:
    say("enter", name)
    try:
        yield
    finally:
        say("leave", name)


def signal_soon(number: signal.Signals = signal.SIGTERM) -> None:
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), number)


@asynccontextmanager
async def ordered(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    with part("bus"), part("server"):
        signal_soon()
        yield
        say("state", process.readiness.state)


@asynccontextmanager
async def interrupted(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    """Asked to stop before it is ready."""
    with part("bus"):
        signal_soon(signal.SIGINT)
        await asyncio.Event().wait()
        yield


@asynccontextmanager
async def refusing(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    async def look() -> None:
        raise CannotStart("The moon is missing: see HARMONIC_MOON.")

    with part("bus"):
        async with asyncio.TaskGroup() as group:
            group.create_task(look())
        yield


@asynccontextmanager
async def failing(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    async def work() -> None:
        raise RuntimeError("a bug")

    with part("bus"):
        async with Tasks(process) as tasks:
            tasks.start(work(), name="work")
            yield


@asynccontextmanager
async def working(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    """Its background work is ended before what it needs."""

    async def work() -> None:
        with part("work"):
            await asyncio.Event().wait()

    with part("bus"):
        async with Tasks(process) as tasks:
            tasks.start(work(), name="work")
            signal_soon()
            yield


@asynccontextmanager
async def stuck(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    signal_soon()
    yield
    await asyncio.Event().wait()


@asynccontextmanager
async def deaf(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    """Neither stops nor notices that it is cut short."""
    signal_soon()
    yield
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


@asynccontextmanager
async def impatient(process: Process[ServiceSettings]) -> AsyncIterator[None]:
    signal_soon()
    yield
    signal_soon()
    await asyncio.Event().wait()


LIVES = (ordered, interrupted, refusing, failing, working, stuck, deaf, impatient)

if __name__ == "__main__":
    life = {each.__name__: each for each in LIVES}[sys.argv[1]]
    sys.exit(run_service(ServiceSettings(), life, service="test"))

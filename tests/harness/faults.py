"""What may happen to the processes of a running product."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from harmonic_local.processes import Managed


@asynccontextmanager
async def down(*processes: Managed) -> AsyncIterator[None]:
    """Kill processes, and start them again after the block."""
    for process in processes:
        process.kill()
        await process.ended()
    try:
        yield
    finally:
        await asyncio.gather(*(process.start() for process in processes))


@asynccontextmanager
async def drained(*processes: Managed) -> AsyncIterator[None]:
    """Ask processes to stop, and start them again after the block."""
    await asyncio.gather(*(process.stop() for process in processes))
    try:
        yield
    finally:
        await asyncio.gather(*(process.start() for process in processes))


@contextmanager
def frozen(*processes: Managed) -> Iterator[None]:
    """Let processes do nothing, without their end being noticed."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)

"""Programs of Node, run to their end."""

import asyncio
from pathlib import Path

from harmonic_local.node import node


async def run(folder: Path, *arguments: str | Path, timeout_s: float) -> tuple[int | None, str]:
    """Run a program in a folder: its exit status and what it wrote. Raise ``TimeoutError``."""
    process = await asyncio.create_subprocess_exec(
        *(node(), *arguments),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()

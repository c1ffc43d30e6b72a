"""Programs, run to their end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a program: its exit status, what it printed and what it complained of."""

    status: int | None
    printed: str
    complaints: str

    @property
    def output(self) -> str:
        """All that it wrote, what it complained of last."""
        return self.printed + self.complaints


async def run(
    *command: str | Path,
    timeout_s: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program in a folder, without input. Raise ``TimeoutError`` and end it if it is slow."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode, printed.decode(), complaints.decode())

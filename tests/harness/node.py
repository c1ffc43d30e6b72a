"""Programs of Node, run to their end."""

from pathlib import Path

from harmonic_local.node import node
from harness import programs


async def run(folder: Path, *arguments: str | Path, timeout_s: float) -> tuple[int | None, str]:
    """Run a program in a folder: its exit status and what it wrote. Raise ``TimeoutError``."""
    ended = await programs.run(node(), *arguments, folder=folder, timeout_s=timeout_s)
    return ended.status, ended.output

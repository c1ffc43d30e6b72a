"""What the long forms promise, and the table of what was seen."""

import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True)
class Row:
    """A promise, and what was seen of it."""

    promise: str
    seen: str
    bound: str
    held: bool


@dataclass(frozen=True)
class Options:
    """What a part is told: ``duration_s`` is for the killing in turn."""

    seed: int
    duration_s: float
    logs: Path


Part: TypeAlias = Callable[[Options], AsyncIterator[Row]]


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def check(parts: Iterable[Part], options: Options) -> bool:
    """Print a row for each promise of the parts; whether all held."""
    held = True
    for part in parts:
        async for row in part(options):
            say(f"{'ok' if row.held else 'NO':2} | {row.promise} | {row.seen} | {row.bound}")
            held = held and row.held
    return held

"""What a person or a program is told: tables and sentences, or one JSON document."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

#: Tables and sentences go here; what is wrong, and progress, go to standard error.
console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False)

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Write JSON for programs instead of text for people.")
]


def write_json(value: object) -> None:
    """One JSON document on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table; columns whose name ends in a blank hold numbers, and are set flush right."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        made.add_column(name.rstrip(), justify="right" if name.endswith(" ") else "left")
    for row in rows:
        made.add_row(*("" if value is None else str(value) for value in row))
    return made


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004 -- the units' ratio
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"

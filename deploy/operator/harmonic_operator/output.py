"""Output for people or programs: tables and sentences, or one JSON document."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harmonic_runtime.observability.logs import visible


class _PlainConsole(Console):
    """A console that prints text of any origin literally.

    Names of people and their ids come from identity providers. Some look like the markup of this
    console's library, or contain control sequences of terminals.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})


#: For tables and sentences; errors and progress go to standard error.
console = _PlainConsole(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False)

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Write JSON for programs instead of text for people.")
]
#: The argument of commands about one universe.
Universe: TypeAlias = Annotated[str, typer.Argument(help="The universe's id.", show_default=False)]


def write_json(value: object) -> None:
    """Write one JSON document on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table; columns whose name ends in a blank contain numbers, and are aligned right."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        made.add_column(name.rstrip(), justify="right" if name.endswith(" ") else "left")
    for row in rows:
        # A line break in a name must not look like a new row.
        made.add_row(*("" if value is None else visible(str(value), "") for value in row))
    return made


def size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004 -- the units' ratio
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"

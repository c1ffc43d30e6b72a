"""What was seen, as a table for people, and which targets were met."""

from dataclasses import dataclass
from statistics import median

from load.measures import Samples

OURS, PLAIN = "ours", "plain"


@dataclass(frozen=True)
class Target:
    """A bound: of ours beside the other server's with ``ratio``, else of ours alone."""

    bound: float
    unit: str
    ratio: bool = False
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g} {self.unit}".strip()


@dataclass(frozen=True)
class Row:
    """A quantity of the table."""

    name: str
    samples: Samples
    target: Target | None = None
    #: What ours stands beside.
    other: str = PLAIN

    @property
    def ours(self) -> list[float]:
        """Ours, a value a round."""
        return self.samples.seen[OURS]

    @property
    def others(self) -> list[float]:
        """The other server's, a value a round; none for what it does not have."""
        return self.samples.seen.get(self.other, [])

    @property
    def ratios(self) -> list[float]:
        """Ours beside the other server's of the same round."""
        return [one / other for one, other in zip(self.ours, self.others, strict=False)]

    @property
    def judged(self) -> float:
        """What the target is about."""
        ratio = self.target is not None and self.target.ratio
        return median(self.ratios if ratio else self.ours)

    @property
    def missed(self) -> bool:
        """Whether there is a target that was not reached."""
        return self.target is not None and not self.target.met(self.judged)


def as_table(rows: list[Row]) -> str:
    """A table in Markdown: medians, with the least and the most of all rounds."""
    other = rows[0].other
    headings = ("", "ours", other, f"ours : {other}", "target", "")
    cells = [headings, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def verdicts(rows: list[Row]) -> str:
    """A line for each target."""
    return "\n".join(
        f"{'MISSED' if row.missed else 'met   '} {row.name}: {row.target}, seen {row.judged:.3g}"
        for row in rows
        if row.target is not None
    )


def _cells(row: Row) -> tuple[str, ...]:
    digits = 0 if median(row.ours) >= 100 else 1
    target = "" if row.target is None else str(row.target)
    verdict = "" if row.target is None else "missed" if row.missed else "met"
    return (
        row.name,
        _spread(row.ours, digits),
        _spread(row.others, digits),
        _spread(row.ratios, 2),
        target,
        verdict,
    )


def _spread(values: list[float], digits: int) -> str:
    if not values:
        return ""
    middle, least, most = (f"{v:,.{digits}f}" for v in (median(values), min(values), max(values)))
    return f"{middle} ({least}–{most})"  # noqa: RUF001 -- a range, for people

"""How alike two melodies are, however they are transposed."""

from collections.abc import Sequence
from itertools import pairwise


def alike(one: Sequence[int], other: Sequence[int]) -> float:
    """The share of their intervals that two melodies have in common and in the same order."""
    first, second = ([b - a for a, b in pairwise(pitches)] for pitches in (one, other))
    row = [0] * (len(second) + 1)
    for interval in first:
        before = row
        row = [0]
        for place, compared in enumerate(second):
            longer = before[place] + 1 if interval == compared else 0
            row.append(max(longer, before[place + 1], row[place]))
    return 2 * row[-1] / max(1, len(first) + len(second))

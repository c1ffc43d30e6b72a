"""Phrase ends as a listener finds them who knows nothing of how the melody was made.

Emilios Cambouropoulos's local boundary detection model ("The local boundary detection model and
its application in the study of expressive timing", ICMC 2001): notes are apart where time, rests
or pitch change most from one pair of notes to the next.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from harmonic_music.score import ScoreNote

_WEIGHTS = (0.5, 0.25, 0.25)


def boundaries(notes: Sequence[ScoreNote]) -> set[int]:
    """The onsets of the notes before which something ends."""
    pairs = list(pairwise(notes))
    time = [float(b.onset - a.onset) for a, b in pairs]
    rest = [float(max(0, b.onset - a.end)) for a, b in pairs]
    pitch = [float(abs(b.pitch - a.pitch)) for a, b in pairs]
    rows = [_strengths(row) for row in (time, rest, pitch)]
    felt = [
        sum(w * row[n] for w, row in zip(_WEIGHTS, rows, strict=True)) for n in range(len(pairs))
    ]
    threshold = fmean(felt) + 2 * pstdev(felt)
    return {
        pairs[n][1].onset
        for n, value in enumerate(felt)
        if value > threshold and value >= max(felt[max(0, n - 1) : n + 2])
    }


def _strengths(row: Sequence[float]) -> list[float]:
    """How much each interval stands out from its neighbours, from 0 to 1."""
    changes = [0.0] + [abs(a - b) / (a + b) if a + b else 0.0 for a, b in pairwise(row)] + [0.0]
    felt = [value * (changes[n] + changes[n + 1]) for n, value in enumerate(row)]
    most = max(felt, default=0.0) or 1.0
    return [value / most for value in felt]

"""``python -m music_service.diversity [seen|held-out|all]``: how different our pieces are.

The feature space has a dimension for each row of ``texture.ROWS``, divided by its standard
deviation over the real pieces. The distance of two pieces is the root of the mean square over all
dimensions: about 1.4 between real ones.

Compared are pairs of pieces made by the default parameters from different seeds, and pairs of real
ones. Then, for each real piece, it is asked whether one of ours is among its ``NEIGHBOURS``
nearest, among as many of ours as there are other real ones: if ours could not be told from real
ones, half of all neighbours would be ours.
"""

import sys
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from music_service import repertoire
from music_service.measures import piece
from music_service.repertoire import BEATS, HALVES
from music_service.texture import ROWS
from music_service.works import Work, work_of

SEEDS = 1000
PAIRS = 1000
NEIGHBOURS = 5
_DRAWS = 20
_QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 1)

#: A piece a row.
Features = NDArray[np.float64]


def features_of(works: Sequence[Work]) -> Features:
    """What a piece does not show counts as what the others show on average."""
    found = np.array([[_number(row(work)) for row in ROWS.values()] for work in works])
    return np.where(np.isnan(found), np.nanmean(found, axis=0), found)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def distances(features: Features, pairs: Sequence[tuple[int, int]]) -> Features:
    """One for each pair of rows, in order of size."""
    one, other = (features[list(side)] for side in zip(*pairs, strict=True))
    return np.sort(np.sqrt(np.mean((one - other) ** 2, axis=1)))


def neighbours(real: Features, ours: Features, count: int) -> NDArray[np.bool_]:
    """For each real piece, whether each of its nearest is one of ours."""
    everything = np.concatenate([real, ours])
    found = []
    for number, features in enumerate(real):
        apart = np.mean((everything - features) ** 2, axis=1)
        apart[number] = np.inf
        found.append(np.argsort(apart, kind="stable")[:count] >= len(real))
    return np.array(found)


def main() -> int:
    """Print both distributions, and who is whose neighbour."""
    half = sys.argv[1] if len(sys.argv) > 1 else "seen"
    halves = HALVES if half == "all" else [it for it in HALVES if it == half]
    if not halves:
        print("Say seen, held-out or all")
        return 2
    chance = np.random.default_rng(1)
    real = features_of([work for it in halves for work in repertoire.works(it)])
    scale = real.std(axis=0)
    real = real / scale
    ours = features_of([work_of(piece(BEATS / 2, seed)) for seed in range(SEEDS)]) / scale
    print(f"{len(real)} real pieces ({half}), {len(ours)} of ours; distances at quantiles")
    print("  " + " ".join(f"{quantile:6.0%}" for quantile in _QUANTILES))
    for name, features in (("real", real), ("ours", ours)):
        every = list(combinations(range(len(features)), 2))
        drawn = chance.permutation(len(every))[:PAIRS]
        found = distances(features, [every[number] for number in drawn])
        values = (found[round(quantile * (len(found) - 1))] for quantile in _QUANTILES)
        print(
            "  " + " ".join(f"{value:6.2f}" for value in values) + f"  {name}, {len(found)} pairs"
        )
    near = [
        neighbours(real, ours[chance.permutation(len(ours))[: len(real) - 1]], NEIGHBOURS)
        for _ in range(_DRAWS)
    ]
    print(
        f"Of the real pieces {fmean(float(it.any(axis=1).mean()) for it in near):.0%} have one of "
        f"ours among their {NEIGHBOURS} nearest; {fmean(float(it.mean()) for it in near):.0%} of "
        f"all these neighbours are ours (mean of {_DRAWS} draws)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

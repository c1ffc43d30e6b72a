"""Our pieces, real ones and easy ones, and how far they overlap."""

import random
from collections.abc import Mapping, Sequence

from music_service import features
from music_service.measures import in_four
from music_service.tunes import Tune, arpeggio_loop, random_walk, tune_of

BARS = 16
_PAIRS = ("ours-real", "walk-real", "loop-real", "ours-walk", "ours-loop")

#: Overlaps by feature and by pair of kinds.
Table = dict[str, dict[str, float]]


def table(melodies: Sequence[Tune], chorales: Sequence[Tune]) -> Table:
    """Melodies are compared with all, what is under them with chorales."""
    return _compared([*melodies, *chorales], vertical=False) | _compared(chorales, vertical=True)


def _compared(tunes: Sequence[Tune], *, vertical: bool) -> Table:
    """With a piece of ours and of either baseline for each tune, in its mode and of its length."""
    chance = random.Random(1)
    real = [tune.beginning(BARS) for tune in tunes]
    ours = [
        tune_of(in_four(2.0 * tune.bars, seed, scale="minor" if tune.minor else "major"))
        for seed, tune in enumerate(real)
    ]
    walks = [random_walk(tune.bars, chance, minor=tune.minor) for tune in real]
    loops = [arpeggio_loop(tune.bars, chance, minor=tune.minor) for tune in real]
    kinds = {
        name: [features.profile(tune, vertical=vertical) for tune in kind]
        for name, kind in (("real", real), ("ours", ours), ("walk", walks), ("loop", loops))
    }
    pairs = {
        "real-real": (kinds["real"][::2], kinds["real"][1::2]),
        **{pair: (kinds[pair[:4]], kinds[pair[5:]]) for pair in _PAIRS},
    }
    columns = {name: features.overlaps(one, other) for name, (one, other) in pairs.items()}
    rows = columns["ours-real"]
    return {row: {name: overlaps[row] for name, overlaps in columns.items()} for row in rows}


def margin(row: Mapping[str, float]) -> float:
    """How much nearer ours is to real music than to a baseline, and than a baseline is to it."""
    return row["ours-real"] - max(row[pair] for pair in _PAIRS[1:])

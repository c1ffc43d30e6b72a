"""Beside real music: nearer to it than to anything that is easily made."""

from functools import lru_cache

import pytest

from music_service import corpus, features
from music_service.comparison import Table, table

CHORALES = 24
FEATURES = (*features.HISTOGRAMS, *features.NUMBERS, *features.VERTICAL)


@lru_cache(maxsize=1)
def overlaps() -> Table:
    melodies = (*corpus.melodies(corpus.FEW_SONGS), *corpus.melodies(corpus.FEW_DANCES))
    return table(melodies, corpus.chorales(CHORALES))


@pytest.mark.parametrize("feature", FEATURES)
def test_ours_is_nearer_to_real_music_than_to_what_is_easily_made(feature: str) -> None:
    row = overlaps()[feature]
    assert row["ours-real"] > row["ours-walk"]
    assert row["ours-real"] > row["ours-loop"]

"""Beside real music: nearer to it than to anything that is easily made."""

from functools import lru_cache

import pytest

from music_service import corpus, features
from music_service.comparison import Table, margin, table

#: Whichever test comes first makes the table: most of a minute's work on a core of its own.
pytestmark = pytest.mark.timeout(600)

CHORALES = 24
#: How clearly, in overlap. Shares of all tunes together differ less than tunes do one by one.
CLEARLY = dict.fromkeys(features.HISTOGRAMS, 0.05) | dict.fromkeys(
    (*features.NUMBERS, *features.VERTICAL), 0.12
)


@lru_cache(maxsize=1)
def overlaps() -> Table:
    melodies = (*corpus.melodies(corpus.FEW_SONGS), *corpus.melodies(corpus.FEW_DANCES))
    return table(melodies, corpus.chorales(CHORALES))


def test_the_table_has_every_feature() -> None:
    assert overlaps().keys() == CLEARLY.keys()


@pytest.mark.parametrize("feature", CLEARLY)
def test_ours_and_real_music_are_clearly_nearer_to_one_another_than_to_a_baseline(
    feature: str,
) -> None:
    assert margin(overlaps()[feature]) >= CLEARLY[feature], overlaps()[feature]

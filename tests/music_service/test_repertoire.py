"""Real pieces are read as they are written, and split once."""

import pytest

from music_service import repertoire
from music_service.works import MAJOR_TONES, Work


def read(path: str) -> Work:
    work = repertoire.read(path)
    assert work is not None
    return work


def test_a_quartet_is_read_part_by_part() -> None:
    work = read("mozart/k80/movement3.mxl")
    assert (work.beats_a_bar, work.tonic, work.tones) == (3, 7, MAJOR_TONES)
    assert len(work.parts) == 4
    means = [sum(s.pitch for s in part) / len(part) for part in work.parts]
    assert means == sorted(means, reverse=True)


def test_a_chorale_with_an_upbeat_begins_before_its_first_whole_bar() -> None:
    work = read("bach/bwv253.mxl")
    assert work.sounds[0].onset == 3
    assert len(work.parts) == 4


def test_a_tune_is_read_with_its_repeats() -> None:
    work = read("ryansMammoth/BlueVelvetClog.abc")
    assert work.lower == ()
    assert work.end == repertoire.BEATS


def test_what_is_too_short_or_has_no_bass_is_left_out() -> None:
    assert repertoire.read("verdi/laDonnaEMobile.mxl") is None


@pytest.mark.parametrize("kind", ["pieces", "chorales", "tunes"])
def test_every_piece_is_in_one_half(kind: repertoire.Kind) -> None:
    seen, held_out = (set(repertoire.paths(kind, half)) for half in repertoire.HALVES)
    assert not seen & held_out
    assert 0.35 < len(seen) / len(seen | held_out) < 0.65

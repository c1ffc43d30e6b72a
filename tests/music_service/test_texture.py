"""The measures of texture, each on music made by hand that has what it counts."""

from collections.abc import Sequence

import pytest

from music_service import gestures, texture
from music_service.compare import verdict
from music_service.measures import piece
from music_service.tunes import Sound
from music_service.works import MAJOR_TONES, Work, notated, skyline, work_of


def work(*parts: Sequence[tuple[float, float, int]], bar: int = 4) -> Work:
    """In C major, from notes as onset, length and pitch."""
    return Work("made", bar, 0, MAJOR_TONES, tuple(tuple(Sound(*n) for n in p) for p in parts))


def line(*pitches: int, length: float = 1) -> list[tuple[float, float, int]]:
    return [(number * length, length, pitch) for number, pitch in enumerate(pitches)]


def test_gaps_are_weighted_by_time() -> None:
    made = work(line(72, 74, 76, 77), [(0, 2, 64)], [(0, 4, 48)])
    assert texture.gap_to_next_voice(made) == (8 + 10 + 28 + 29) / 4
    assert texture.gap_to_bass(made) == (24 + 26 + 28 + 29) / 4
    assert texture.melody_far_above(made) == 0.5


def test_a_voice_that_crosses_above_the_melody_is_not_the_next_below() -> None:
    made = work(line(60, 60), line(67, 67), line(48, 48))
    assert texture.gap_to_next_voice(made) == 12


def test_close_tones_count_below_g3_alone() -> None:
    low = work(line(72, 72), [(0, 1, 48), (0, 1, 52), (1, 1, 60), (1, 1, 64)])
    assert texture.low_close_intervals(low) == 0.5


def test_the_bass_is_the_lowest_note_of_each_chord_of_the_lowest_part() -> None:
    made = work(line(72, 72, 72, 72), [(0, 1, 40), (0, 1, 47), (1, 3, 50)])
    assert texture.bass_onsets(made) == 0.5
    assert texture.bass_pitch(made) == 50


def test_runs_of_steps_in_the_bass_are_sought_in_every_four_bars() -> None:
    steps, leaps = line(48, 50, 52, 53, 60, 48, 50, 60), line(48, 60)
    bass = steps + [(16.0 + onset, length, pitch) for onset, length, pitch in leaps]
    made = work([(0, 32, 72)], bass)
    assert texture.bass_steps(made) == (3 + 0) / 2


@pytest.mark.parametrize(
    ("onsets", "bits"), [([0, 4, 8, 12], 0), ([0, 4, 9, 13], 1), ([0, 5, 10, 15], 2)]
)
def test_accompaniments_differ_by_their_onsets_in_the_bar(onsets: list[int], bits: float) -> None:
    made = work([(0, 16, 72)], [(onset, 1, 48) for onset in onsets])
    assert texture.accompaniment_patterns(made) == bits


def test_stopping_every_fourth_bar_is_heard_in_the_density() -> None:
    def density(full: list[int]) -> float | None:
        notes = [(4 * bar + beat, 1.0, 60) for bar in full for beat in range(4)]
        return texture.density_autocorrelation(work(notes, [(0, 64, 48)]))

    stopping = density([bar for bar in range(16) if bar % 4 != 3])
    uneven = density([0, 1, 2, 3, 8, 9, 10, 11, 15])
    assert stopping is not None
    assert uneven is not None
    assert stopping > 0.6
    assert uneven < 0


def test_others_move_while_the_melody_holds() -> None:
    made = work([(0, 2, 72), (3, 1, 72)], [(0, 1, 60), (1, 2, 62), (3, 1, 64)])
    # Of seven quarters of a beat held in the first note and three in the last, one has a move.
    assert texture.moving_under_held_melody(made) == 1 / 10


def test_a_voice_alone_and_octaves_are_one_pitch_class() -> None:
    made = work([(0, 1, 72), (2, 2, 72)], [(0, 1, 48), (1, 1, 55), (2, 2, 52)])
    assert texture.alone_or_in_unison(made) == 0.5


def test_steps_in_chords_are_counted_tone_by_tone() -> None:
    chords = [(0, 1, 60), (0, 1, 64), (1, 1, 60), (1, 1, 65)]
    assert texture.lower_steps(work(line(72, 72), chords, line(48, 55))) == 1 / 3


def test_parallels_go_in_the_same_direction_over_the_same_interval() -> None:
    parallel = work(line(67, 69, 71), line(60, 62, 64))
    contrary = work(line(67, 69), line(60, 50))
    assert texture.outer_parallels(parallel) == 1
    assert texture.outer_parallels(contrary) == 0


def test_tones_outside_the_key_are_foreign() -> None:
    assert texture.foreign_tones(work(line(60, 61, 62, 66), line(48))) == 2 / 5


def test_onsets_are_moments_and_notes_lie_on_the_beat_one_by_one() -> None:
    made = work([(0, 0.5, 72), (0.5, 0.5, 74), (1, 1, 76)], [(0, 2, 48)])
    assert texture.onsets_a_beat(made) == 1.5
    assert texture.onsets_on_the_beat(made) == 3 / 4


def test_a_melody_is_measured_for_its_range_its_pitches_and_its_bars() -> None:
    bar = [67, 69, 71, 72]
    made = work(line(*bar, *bar[:3], 74, *bar), line(48))
    assert texture.melodic_range(made) == 7
    assert texture.distinct_pitches(made) == 5
    assert texture.varied_bars(made) == 1 / 3


def test_every_row_measures_a_piece_of_ours() -> None:
    made = work_of(piece(64))
    measures = (*texture.ROWS.values(), *gestures.GESTURES.values())
    assert all(row(made) is not None for row in measures)


def test_note_values_of_a_melody_are_counted_and_told_apart() -> None:
    made = work([(0, 1, 60), (1, 0.25, 62), (1.25, 0.25, 64), (1.5, 2, 65), (3.5, 1, 67)])
    assert gestures.sixteenths(made) == 2 / 4
    assert gestures.note_values(made) == 1.5


def test_a_move_ends_where_the_melody_turns_or_stays() -> None:
    assert gestures.largest_move(work(line(60, 64, 72, 60, 58))) == 14
    assert gestures.largest_move(work(line(60, 64, 64, 67))) == 4


def test_ranges_are_measured_in_four_bars() -> None:
    made = work(line(60, 72, 60, 62, *[60] * 12, 60, 64, 66, 68))
    assert gestures.range_in_four_bars(made) == (12 + 8) / 2


def test_thirds_sixths_and_octaves_below_go_along() -> None:
    melody = line(72, 74, 76, 74)
    assert gestures.accompanied_moves(work(melody, line(69, 71, 72, 71))) == 1
    assert gestures.accompanied_moves(work(melody, line(60, 60, 60, 60))) == 0
    assert gestures.accompanied_moves(work(melody, line(48, 47, 45, 47))) == 0


def test_a_melody_is_silent_where_it_has_no_note() -> None:
    assert gestures.melody_silent(work([(0, 1, 72), (3, 1, 72)], [(0, 4, 48)])) == 0.5


def test_the_bass_is_measured_for_its_range_and_its_leaps() -> None:
    made = work(line(72, 72, 72, 72, 72), line(48, 50, 43, 36, 38))
    assert gestures.bass_range(made) == 14
    assert gestures.bass_leaps(made) == 2 / 4


def test_strokes_of_one_pitch_and_length_are_a_row_until_the_voice_moves() -> None:
    melody = [(0, 8, 72)]
    assert gestures.repeated_strokes(work(melody, line(60, 60, 60, 60, 60, 60))) == 3 / 6
    assert gestures.repeated_strokes(work(melody, line(60, 60, 60, 62, 60, 60))) == 0
    assert gestures.repeated_strokes(work(melody, [*line(60, 60, 60), (3, 2, 60)])) == 0
    assert gestures.repeated_strokes(work(melody, [*line(60, 60, 60), (7, 1, 60)])) == 0


def test_strokes_of_chords_are_counted_tone_by_tone() -> None:
    chords = [(beat, 1.0, pitch) for beat in range(4) for pitch in (60, 64 if beat % 2 else 67)]
    assert gestures.repeated_strokes(work(line(72), chords)) == 1 / 8


def test_runs_are_the_same_at_the_same_place_of_the_bar() -> None:
    run = [(0.25 * number, 0.25, 60 + 2 * number) for number in range(6)]

    def at(*beats: float) -> Work:
        notes = [(beat + onset, length, pitch) for beat in beats for onset, length, pitch in run]
        return work([*notes, (60, 1, 60)], [(0, 64, 48)])

    assert gestures.commonest_run(at(0, 8, 16)) == 3
    assert gestures.commonest_run(at(0, 9, 18)) == 1
    assert gestures.commonest_run(work(line(60, 62, 64, 65, 67, 69), line(48))) == 0


def test_the_upper_line_of_a_part_is_cut_where_the_next_note_begins() -> None:
    upper, rest = skyline([Sound(0, 2, 72), Sound(0, 2, 60), Sound(1, 2, 74), Sound(2, 1, 65)])
    assert upper == [Sound(0, 1, 72), Sound(1, 2, 74)]
    assert rest == [Sound(0, 2, 60), Sound(2, 1, 65)]


def test_small_gaps_are_no_rests() -> None:
    played = [Sound(0, 0.875, 60), Sound(1, 0.5, 62), Sound(2, 1.25, 64), Sound(3, 0.75, 65)]
    assert [sound.length for sound in notated(played)] == [1, 0.5, 1.25, 0.75]


def test_half_of_the_distance_has_to_be_gone() -> None:
    assert verdict(10, 0, 5) == "half"
    assert verdict(10, 0, 15) == "half"
    assert verdict(10, 0, 4.9) == "nearer"
    assert verdict(10, 0, 0) == "the same"
    assert verdict(10, 0, 21) == "FURTHER"

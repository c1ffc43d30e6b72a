"""Each layer by itself: form, chords, rhythm, voices, walks and chance."""

from functools import lru_cache
from itertools import pairwise

import pytest

from harmonic_music.composing.bassline import HIGHEST_BASS, LOWEST_BASS, Bassist
from harmonic_music.composing.character import Character, character_of
from harmonic_music.composing.colour import Colour
from harmonic_music.composing.dice import WHOLE, Dice, Layer, dice_of
from harmonic_music.composing.form import FREE, Cadence, Field, Form, Role, Treatment
from harmonic_music.composing.harmony import Harmonist, Span
from harmonic_music.composing.ladder import CENTRE, Ladder
from harmonic_music.composing.lattice import walk
from harmonic_music.composing.moments import moments_of
from harmonic_music.composing.planning import lay_out, phrase_lengths
from harmonic_music.composing.rhythm import Rhythmist
from harmonic_music.composing.runs import Runs
from harmonic_music.composing.shape import Shape
from harmonic_music.composing.variation import Begun, derived
from harmonic_music.composing.voicing import FIRST_VOICING, nearest_voicing
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import STYLES, Style
from harmonic_music.theory.scales import SCALES, Function

SEEDS = range(30)
SIXTEENTH = TICKS_PER_BEAT // 4
BAR = 4 * TICKS_PER_BEAT
CLASSICAL = STYLES["classical"]


def character(seed: int) -> Character:
    return character_of(Dice(seed, Layer.CHARACTER))


@lru_cache(maxsize=256)
def form(bars: float, seed: int = 1, *, scale: str = "major", reach: int = 300) -> Form:
    home = Field(SCALES[scale], 0)
    dice = Dice(seed, Layer.FORM)
    return lay_out(int(bars * BAR), CLASSICAL, character(seed), (home, reach), dice=dice)


def chords(planned: Form, seed: int, *, chromatic: int = 0) -> list[list[list[Span]]]:
    """The chords of all phrases, bar by bar."""
    colour = Colour(900, chromatic, Dice(seed, Layer.COLOUR))
    harmonist = Harmonist(CLASSICAL, character(seed), colour)
    found = []
    chorus = 0
    for phrase in planned.phrases:
        dice = dice_of(seed, phrase.number + 1)
        if phrase.key.scale.is_blues:
            found.append(harmonist.blues(phrase, chorus, dice[Layer.COLOUR]))
            chorus += phrase.section != "intro"
            continue
        slots = harmonist.slots(phrase, (), None, dice[Layer.HARMONY])
        found.append(harmonist.spans(phrase, slots, dice[Layer.COLOUR]))
    return found


def rhythms(
    planned: Form, seed: int, liveliness: int, style: Style = CLASSICAL, breadth: int = WHOLE
) -> list[list[int]]:
    """The onsets of all bars of phrases whose theme is new."""
    dice, measure = Dice(seed, Layer.RHYTHM), (9999, breadth)
    rhythmist = Rhythmist(style, liveliness, measure, character(seed), dice)
    return [
        [begun.onset for begun in row]
        for phrase in planned.phrases
        for row in rhythmist.bars(
            phrase, (), Runs({}), dice_of(seed, phrase.number + 1)[Layer.RHYTHM]
        )
    ]


@pytest.mark.parametrize("bars", range(1, 40))
def test_phrases_have_four_bars_and_the_last_takes_what_is_over(bars: int) -> None:
    lengths = phrase_lengths(bars)
    assert sum(lengths) == bars
    assert set(lengths[:-1]) <= {4}
    assert lengths[-1] <= 6


@pytest.mark.parametrize("bars", [2, 2.9, 3, 7.3, 16, 33.5, 47, 150])
@pytest.mark.parametrize("scale", ["major", "blues"])
def test_bars_follow_one_another_up_to_the_last_chord(bars: float, scale: str) -> None:
    planned = form(bars, scale=scale)
    onsets = [bar.onset for phrase in planned.phrases for bar in phrase.bars]
    assert onsets == [number * BAR for number in range(len(onsets))]
    assert planned.goal == len(onsets) * BAR
    assert BAR / 2 <= planned.end - planned.goal < 1.5 * BAR
    assert sum(phrase.whole for phrase in planned.phrases) == len(onsets) + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bar_comes_from_an_earlier_one_and_the_end_is_closed(seed: int) -> None:
    planned = form(64, seed)
    known: dict[str, int] = {}
    for phrase in planned.phrases:
        for bar in phrase.bars:
            assert (bar.source is None) == (bar.treatment is Treatment.NEW)
            if bar.source is not None:
                assert bar.source < (bar.place if bar.own else known[phrase.theme])
        known.setdefault(phrase.theme, len(phrase.bars))
    assert planned.phrases[-1].closing
    assert planned.phrases[-1].cadence is Cadence.CLOSED


def test_a_long_piece_has_an_introduction_contrast_in_other_keys_and_a_climax() -> None:
    roles: list[set[Role]] = []
    keys = 0
    for seed in SEEDS:
        planned = form(150, seed)
        roles.append({phrase.role for phrase in planned.phrases})
        keys += len({phrase.key for phrase in planned.phrases}) > 1
        loudest = max(planned.phrases, key=lambda phrase: phrase.energy)
        assert loudest.number > len(planned.phrases) // 10
        assert planned.phrases[0].key == planned.phrases[-1].key
    assert all({Role.THEME, Role.CONTRAST, Role.CLIMAX} <= found for found in roles)
    assert sum(Role.INTRO in found for found in roles) > len(roles) // 3
    assert keys > len(roles) * 2 // 3


@pytest.mark.parametrize("seed", SEEDS)
def test_another_key_is_prepared_by_its_dominant(seed: int) -> None:
    planned = form(150, seed, reach=1000)
    for phrase, rows in zip(planned.phrases, chords(planned, seed, chromatic=500), strict=True):
        if phrase.leads_to is not None:
            scale, tonic = phrase.leads_to.scale, phrase.leads_to.tonic
            leading = {(tonic + scale.steps[d]) % 12 for d in scale.carrying(Function.DOMINANT)}
            assert rows[-1][-1].chord.root in leading


def test_with_full_harmony_keys_have_the_tones_of_home() -> None:
    for seed in SEEDS:
        for phrase in form(150, seed, reach=0).phrases:
            tones = {(phrase.key.tonic + step) % 12 for step in phrase.key.scale.steps}
            assert tones == set(SCALES["major"].steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_cadences_end_where_they_say(seed: int) -> None:
    planned = form(20, seed)
    roots = {Cadence.CLOSED: 0, Cadence.HALF: 7}
    for phrase, rows in zip(planned.phrases, chords(planned, seed), strict=True):
        if phrase.closing or phrase.leads_to is not None:
            continue
        last = rows[-1][-1]
        if phrase.cadence in roots and not phrase.bars[-1].keeps_chords:
            assert last.chord.root == (phrase.key.tonic + roots[phrase.cadence]) % 12


@pytest.mark.parametrize("scale", ["major", "minor", "dorian", "lydian", "whole_tone", "blues"])
def test_a_dominant_in_root_position_leads_to_the_last_chord(scale: str) -> None:
    shape = SCALES[scale]
    leading = {shape.steps[degree] for degree in shape.carrying(Function.DOMINANT)}
    for seed in SEEDS:
        last = chords(form(8, seed, scale=scale), seed)[-1][-1][-1]
        assert last.chord.root in leading
        assert last.bass == (last.chord.root,)


@pytest.mark.parametrize("scale", ["major", "minor", "phrygian", "locrian", "harmonic_minor"])
def test_phrases_rest_on_stable_chords(scale: str) -> None:
    for seed in SEEDS:
        planned = form(20, seed, scale=scale)
        for phrase, rows in zip(planned.phrases, chords(planned, seed), strict=True):
            chord = rows[-1][-1].chord
            assert chord.is_stable or chord.root == phrase.key.tonic


def test_the_blues_has_twelve_bars_of_dominant_sevenths() -> None:
    planned = form(25.5, scale="blues")
    choruses = [phrase for phrase in planned.phrases if phrase.section != "intro"]
    assert [phrase.whole for phrase in choruses] == [4] * 6
    rows = chords(planned, 1)[-3:]
    roots = [bar[0].chord.root for phrase in rows for bar in phrase]
    assert roots in ([0, 0, 0, 0, 5, 5, 0, 0, 7, 5, 7], [0, 5, 0, 0, 5, 5, 0, 0, 7, 5, 7])
    for phrase in rows:
        for (span,) in phrase:
            sounding = {(tone - span.chord.root) % 12 for tone in (span.chord.third, *span.voices)}
            assert {4, 10} <= sounding


def test_most_roots_move_by_fourths_and_fifths() -> None:
    moves = []
    for seed in range(100):
        spans = [s for phrase in chords(form(16, seed), seed) for bar in phrase for s in bar]
        roots = [span.chord.root for span in spans]
        moves += [(b - a) % 12 for a, b in pairwise(roots) if a != b]
    assert 0.45 < sum(move in {5, 7} for move in moves) / len(moves) < 0.65


@pytest.mark.parametrize("style", ["classical", "waltz", "jig"])
@pytest.mark.parametrize("seed", range(10))
def test_onsets_are_in_order_and_in_their_bar(style: str, seed: int) -> None:
    kind = STYLES[style]
    bar = kind.meter.bar * TICKS_PER_BEAT // 12
    home = Field(SCALES["major"], 0)
    dice = Dice(seed, Layer.FORM)
    planned = lay_out(32 * bar, kind, character(seed), (home, 300), dice=dice)
    for onsets in rhythms(planned, seed, 700, kind):
        assert onsets == sorted(set(onsets))
        assert not onsets or 0 <= onsets[0] <= onsets[-1] < bar


@pytest.mark.parametrize("seed", SEEDS)
def test_phrases_that_stop_end_on_a_long_note(seed: int) -> None:
    planned = form(32, seed)
    rows = iter(rhythms(planned, seed, 900))
    for phrase in planned.phrases:
        for bar in phrase.bars:
            onsets = next(rows)
            stops = phrase.is_last(bar) and not phrase.elided
            if stops and bar.treatment is Treatment.NEW:
                lengths = [b - a for a, b in zip(onsets, [*onsets[1:], BAR], strict=True)]
                assert max(lengths) >= TICKS_PER_BEAT


@pytest.mark.parametrize("seed", SEEDS)
def test_phrases_that_stop_breathe(seed: int) -> None:
    planned = form(40, seed)
    rhythmist = Rhythmist(CLASSICAL, 500, (9999, WHOLE), character(seed), Dice(seed, Layer.RHYTHM))
    for phrase, spans in zip(planned.phrases, chords(planned, seed), strict=True):
        rows = rhythmist.bars(phrase, (), Runs({}), dice_of(seed, phrase.number + 1)[Layer.RHYTHM])
        moments = moments_of(phrase, spans, rows, (), meter=CLASSICAL.meter, goal=None)
        nexts = [moment.onset for moment in moments[1:]] + [phrase.end]
        rests = [
            following - moment.onset - moment.length
            for moment, following in zip(moments, nexts, strict=True)
        ]
        if phrase.elided or phrase.closing:
            assert not any(rests)
        else:
            assert [rest > 0 for rest in rests].count(True) == 1
            rest = max(rests)
            assert rest >= TICKS_PER_BEAT // 4
            assert moments[rests.index(rest)].onset >= phrase.bars[-1].onset


@pytest.mark.parametrize("seed", SEEDS)
def test_what_returns_within_a_phrase_has_its_rhythm_again(seed: int) -> None:
    planned = form(40, seed)
    same = set(Treatment) - {
        Treatment.NEW,
        Treatment.FRAGMENT,
        Treatment.AUGMENTED,
        Treatment.ORNAMENTED,
    }
    rows = iter(rhythms(planned, seed, 600))
    for phrase in planned.phrases:
        found = [next(rows) for _ in phrase.bars]
        for bar, onsets in zip(phrase.bars, found, strict=True):
            if bar.own and bar.source is not None and bar.treatment in same:
                # But for the fast notes of a run that was heard twice.
                gone = set(found[bar.source]) - set(onsets)
                assert set(onsets) <= set(found[bar.source])
                assert all({at - SIXTEENTH, at + SIXTEENTH} & {*found[bar.source]} for at in gone)


def test_a_livelier_rhythm_leaves_more_beats_empty() -> None:
    empty = [0, 0]
    for seed in SEEDS:
        for number, liveliness in enumerate((200, 900)):
            for onsets in rhythms(form(16, seed), seed, liveliness):
                empty[number] += sum(
                    beat not in onsets and beat - TICKS_PER_BEAT // 2 in onsets
                    for beat in range(TICKS_PER_BEAT, BAR, TICKS_PER_BEAT)
                )
    assert empty[1] > 4 * empty[0]


def test_treatments_derive_a_bars_rhythm() -> None:
    onsets = [0, 480, 960, 1440]
    known = [Begun(onset) for onset in onsets]
    dice = Dice(1, Layer.RHYTHM)

    def after(treatment: Treatment) -> list[tuple[int, int | None]]:
        return [(begun.onset, begun.origin) for begun in derived(known, treatment, BAR, dice)]

    assert after(Treatment.LITERAL) == [(n, p) for p, n in enumerate(onsets)]
    assert after(Treatment.FRAGMENT) == [(0, 0), (480, 1), (960, 0), (1440, 1)]
    assert after(Treatment.AUGMENTED) == [(0, 0), (960, 1)]
    ornamented = after(Treatment.ORNAMENTED)
    assert [place for _, place in ornamented if place is not None] == [0, 1, 2, 3]
    assert len(ornamented) > len(onsets)
    assert Treatment.FRAGMENT not in FREE


@pytest.mark.parametrize("width", [100, 500, 900])
def test_the_melodys_register_is_the_same_in_every_key(width: int) -> None:
    for seed in SEEDS:
        centres = []
        for tonic in range(12):
            ladder = Ladder(Field(SCALES["major"], tonic), (width, WHOLE), character(seed))
            centres.append((ladder.pitches[0] + ladder.pitches[-1]) / 2)
        assert all(abs(centre - CENTRE) <= 7 for centre in centres)


def test_a_degree_is_found_again_in_another_key() -> None:
    home = Ladder(Field(SCALES["major"], 0), (500, WHOLE), character(1))
    other = home.in_key(Field(SCALES["minor"], 9), character(1))
    assert home.pitches[0] <= other.pitches[0] < other.pitches[-1] <= home.pitches[-1]
    for pitch in home.rungs:
        assert home.pitch(home.degree(pitch)) == pitch
        assert other.pitch(home.degree(pitch)) in other.pitches


def test_a_walk_arrives_where_it_has_to() -> None:
    line = [[1 if abs(one - other) == 1 else 0 for other in range(9)] for one in range(9)]
    anywhere = dict.fromkeys(range(9), 1)
    moments = [{0: 1}, *[anywhere] * 7, {8: 1}]
    for seed in SEEDS:
        assert walk(moments, [line] * len(moments), None, Dice(seed, Layer.MELODY).place) == list(
            range(9)
        )


def test_voices_take_the_shortest_way() -> None:
    c_major = nearest_voicing(FIRST_VOICING, (0, 4, 7), 48, 71)
    assert sorted(pitch % 12 for pitch in c_major) == [0, 4, 7]
    a_minor = nearest_voicing(c_major, (9, 0, 4), 45, 71)
    assert sum(abs(a - b) for a, b in zip(c_major, a_minor, strict=True)) <= 4


def test_voices_that_keep_their_room_move_little() -> None:
    moves = []
    for seed in SEEDS:
        voicing, bass = FIRST_VOICING, 47
        for span in (s for phrase in chords(form(16, seed), seed) for bar in phrase for s in bar):
            after = nearest_voicing(voicing, span.voices, bass, 71)
            if after != voicing:
                moves.append(sum(abs(a - b) for a, b in zip(voicing, after, strict=True)))
            voicing = after
    assert 2 < sum(moves) / len(moves) < 6


@pytest.mark.parametrize("ceiling", range(64, 77))
def test_voices_lie_between_bass_and_melody_and_apart_below(ceiling: int) -> None:
    for root in range(12):
        voices = (root, (root + 4) % 12, (root + 7) % 12)
        for bass in range(LOWEST_BASS, HIGHEST_BASS + 1):
            voicing = nearest_voicing(FIRST_VOICING, voices, bass, ceiling)
            assert bass < voicing[0] <= voicing[-1] <= max(ceiling, bass + 14)
            low = [pitch for pitch in (bass, *voicing) if pitch < 53]
            assert all(b - a > 2 for a, b in pairwise(low))


def test_the_bass_moves_little_or_by_fourths_and_fifths() -> None:
    shape = Shape(120, 900, 0, 500, 500, 100)
    bassist = Bassist(CLASSICAL.meter, 99, shape)
    moves = []
    for seed in SEEDS:
        spans = [s for phrase in chords(form(16, seed), seed) for bar in phrase for s in bar]
        tones = bassist.tones(spans, None, None, Dice(seed, Layer.BASS))
        assert all(LOWEST_BASS <= tone <= HIGHEST_BASS for tone in tones)
        assert all(t % 12 in s.bass for t, s in zip(tones, spans, strict=True))
        moves += [abs(b - a) for a, b in pairwise(tones)]
    assert sum(move <= 7 for move in moves) > 0.95 * len(moves)


def test_dice_of_different_layers_and_phrases_are_independent() -> None:
    rows = [[Dice(5, layer).below(1000) for _ in range(3)] for layer in Layer]
    rows += [[dice.below(1000) for _ in range(3)] for n in range(3) for dice in dice_of(5, n)]
    assert len({tuple(row) for row in rows}) == len(rows)


def test_dice_go_on_when_their_first_numbers_are_used_up() -> None:
    thrown = [dice_of(5, 2)[Layer.MELODY] for _ in range(2)]
    rows = [[dice.below(1000) for _ in range(500)] for dice in thrown]
    assert rows[0] == rows[1]
    assert len(set(rows[0])) > 300


def test_a_quota_takes_its_share_evenly() -> None:
    quota = Dice(1, Layer.COLOUR).quota()
    taken = [quota.takes(250) for _ in range(100)]
    assert all(sum(taken[start : start + 4]) == 1 for start in range(97))


def test_weights_decide_how_often() -> None:
    dice = Dice(1, Layer.FORM)
    drawn = [dice.weighted("abc", (1, 0, 3)) for _ in range(4000)]
    assert drawn.count("b") == 0
    assert 900 < drawn.count("a") < 1100

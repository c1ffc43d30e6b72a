"""A piece goes on from what a phrase leaves, and that is small."""

from functools import lru_cache

import pytest

from harmonic_music.composing.carried import Carried, read_carried
from harmonic_music.composing.character import character_of
from harmonic_music.composing.dice import WHOLE, Layer, dice_of
from harmonic_music.composing.ensemble import Ensemble
from harmonic_music.composing.form import Field, Form
from harmonic_music.composing.memory import MOST_TEXT, MOST_THEMES, Theme, read_theme
from harmonic_music.composing.planning import lay_out
from harmonic_music.composing.shape import Shape
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.scales import SCALES

MAX_STATE_BYTES = 4096
BAR = 4 * TICKS_PER_BEAT
LIVELY = Shape(120, 600, 300, 900, 900, 100)


@lru_cache(maxsize=32)
def planned(seed: int, scale: str) -> tuple[Form, Field]:
    home = Field(SCALES[scale], 2)
    dice = dice_of(seed, 0)
    character = character_of(dice[Layer.CHARACTER])
    style = STYLES["strings"]
    return lay_out(150 * BAR, style, character, (home, 300), dice=dice[Layer.FORM]), home


def ensemble(seed: int, home: Field) -> Ensemble:
    dice = dice_of(seed, 0)
    character = character_of(dice[Layer.CHARACTER])
    return Ensemble(
        STYLES["strings"], LIVELY, character, home, room=(999, 99), breadth=WHOLE, dice=dice
    )


@pytest.mark.parametrize("scale", ["major", "minor", "dorian", "blues", "chromatic"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_carried_is_small_and_all_that_is_needed(seed: int, scale: str) -> None:
    form, home = planned(seed, scale)
    through = Carried()
    for phrase in form.phrases:
        goal = (form.goal, form.end) if phrase.closing else None
        dice = dice_of(seed, phrase.number + 1)
        text = through.written()
        assert len(text.encode()) <= MAX_STATE_BYTES
        # Another ensemble, as another process has it, goes on from the text alone.
        again = ensemble(seed, home).phrase(
            phrase,
            read_carried(text),
            goal=goal,
            end=form.end,
            dice=dice_of(seed, phrase.number + 1),
        )
        played = ensemble(seed, home).phrase(phrase, through, goal=goal, end=form.end, dice=dice)
        through = played.left(through)
        assert (again.notes, again.strokes) == (played.notes, played.strokes)


def test_a_theme_is_read_as_it_was_written() -> None:
    form, home = planned(1, "major")
    written = ensemble(1, home).phrase(
        form.phrases[1], Carried(), goal=None, end=form.end, dice=dice_of(1, 2)
    )
    (theme,) = written.left(Carried()).themes.values()
    assert read_theme(theme.written()) == theme


def test_no_more_themes_are_kept_than_there_is_room_for() -> None:
    carried = Carried()
    for number in range(3 * MOST_THEMES):
        carried = carried.remembering(str(number), Theme((), ()))
    assert len(carried.themes) == MOST_THEMES
    assert next(iter(carried.themes)) == "0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"bar":0,"tones":7,"chords":[],"melody":[]}',
        '{"bar":48,"tones":13,"chords":[],"melody":[]}',
        '{"bar":48,"tones":7,"chords":[[[0,24,0]]],"melody":[]}',
        '{"bar":48,"tones":7,"chords":[[[0,48,7]]],"melody":[]}',
        '{"bar":48,"tones":7,"chords":[],"melody":[[[0,1.5,0]]]}',
        '{"bar":48,"tones":7,"chords":[],"melody":[[[48,0,0]]]}',
        '{"bar":48,"tones":7,"chords":[],"melody":[[],[],[],[],[],[],[],[],[]]}',
        "[" * 9999,
        " " * (MOST_TEXT + 1),
    ],
)
def test_what_is_no_theme_is_not_read(text: str) -> None:
    assert read_theme(text) is None


def test_a_theme_fits_into_another_meter_and_scale() -> None:
    theme = Theme((), (((0, (0, 0)), (960, (4, 0)), (1440, (-1, 1))),), 1920, 7)
    fitted = theme.fitted(1440, 5)
    assert (fitted.bar, fitted.tones) == (1440, 5)
    assert [at for at, _ in fitted.melody[0]] == [0, 720, 1080]
    assert all(alteration == 0 for _, (_, alteration) in fitted.melody[0])

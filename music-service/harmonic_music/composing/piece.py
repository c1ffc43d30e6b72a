"""A piece from a request: a plan, then phrase by phrase with the state carried between them."""

from dataclasses import dataclass

from harmonic_music.composing.carried import FIRST_THEME, Carried
from harmonic_music.composing.character import character_of
from harmonic_music.composing.dice import Dice, Layer, dice_of
from harmonic_music.composing.drumming import DrumStroke
from harmonic_music.composing.ensemble import Ensemble
from harmonic_music.composing.form import Field, Form
from harmonic_music.composing.memory import Theme
from harmonic_music.composing.planning import lay_out
from harmonic_music.composing.playing import Timing, disentangled, slowing_ticks
from harmonic_music.composing.shape import shape_of
from harmonic_music.score import TICKS_PER_BEAT, Score, ScoreNote, Section, Voice, whole_ticks
from harmonic_music.styles.catalogue import STYLES, Style
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.meters import UNITS_PER_BEAT
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters

#: The version of the algorithm: raised whenever the same request gives other notes.
COMPOSER_VERSION = 5
#: The most notes and drum strokes of a piece. Long and fast pieces are written with fewer; notes
#: that still exceed the bound are left out.
MOST_NOTES, MOST_STROKES = 4400, 1200
#: The voices whose notes are left out, first to last.
_GIVING_WAY = {Voice.PADS: 0, Voice.COUNTER: 1, Voice.BASS: 2, Voice.MELODY: 3}


@dataclass(frozen=True, slots=True)
class CompositionRequest:
    """All inputs of a piece: the same request makes the same piece.

    Without a ``style``, one is drawn. With a ``theme``, the piece answers another with that theme.
    """

    music: MusicParameters
    physics: PhysicsParameters
    duration: float
    seed: int
    style: str | None = None
    theme: Theme | None = None


def compose(request: CompositionRequest) -> Score:
    """Compose the requested piece."""
    music = request.music
    shape = shape_of(music, request.physics)
    home = Field(SCALES[music.scale], pitch_class(music.key))
    dice = dice_of(request.seed, 0)
    character = character_of(dice[Layer.CHARACTER])
    style = style_of(request, home, dice[Layer.STYLE])
    ticks = whole_ticks(request.duration, shape.tempo)
    written = ticks - slowing_ticks(style, ticks)
    theme = request.theme
    if theme is not None:
        theme = theme.fitted(
            style.meter.bar * TICKS_PER_BEAT // UNITS_PER_BEAT, len(home.scale.steps)
        )
    answered = len(theme.melody) if theme else 0
    plan = dice[Layer.FORM]
    form = lay_out(written, style, character, (home, shape.chromatic), dice=plan, answered=answered)
    beats = max(1, ticks // TICKS_PER_BEAT)
    room = MOST_NOTES * 100 // beats, MOST_STROKES * style.meter.bar // (UNITS_PER_BEAT * beats)
    ensemble = Ensemble(style, shape, character, home, room=room, breadth=form.breadth, dice=dice)
    carried = Carried().remembering(FIRST_THEME, theme) if theme else Carried()
    notes, strokes, own = _performed(request.seed, form, ensemble, home, carried)
    events = bounded(disentangled(notes), form.goal)
    strokes = strokes_bounded(strokes)
    timing = Timing(style, form, ticks)
    uneven = dice[Layer.DYNAMICS]
    return Score(
        key=music.key,
        scale=music.scale,
        tempo=shape.tempo,
        duration=request.duration,
        events=tuple(events),
        sections=tuple(Section(onset, name) for onset, name in form.sections),
        phrases=tuple(phrase.onset for phrase in form.phrases),
        style=style.name,
        meter=style.meter,
        programs=dict(zip(Voice, style.programs, strict=True)),
        played=timing.played(events, uneven),
        strokes=timing.strokes(strokes, uneven),
        theme=own.written() if own else None,
    )


def bounded(notes: list[ScoreNote], goal: int) -> list[ScoreNote]:
    """At most ``MOST_NOTES`` of a piece's notes in order; the last chord, at ``goal``, stays.

    The shortest notes of the upper voices are left out first.
    """
    surplus = len(notes) - MOST_NOTES
    if surplus <= 0:
        return notes
    dispensable = sorted(
        notes, key=lambda note: (note.onset >= goal, _GIVING_WAY[note.voice], note.length, note)
    )
    left_out = set(dispensable[:surplus])
    return [note for note in notes if note not in left_out]


def strokes_bounded(strokes: list[DrumStroke]) -> list[DrumStroke]:
    """At most ``MOST_STROKES`` strokes of the drums in order: the quietest are left out."""
    loudest = sorted(strokes, key=lambda stroke: (-stroke.velocity, stroke))[:MOST_STROKES]
    return sorted(loudest) if len(strokes) > MOST_STROKES else strokes


def _performed(
    seed: int, form: Form, ensemble: Ensemble, home: Field, carried: Carried
) -> tuple[list[ScoreNote], list[DrumStroke], Theme | None]:
    """All phrases and the last chord; and the theme by which the piece may be answered."""
    notes: list[ScoreNote] = []
    strokes: list[DrumStroke] = []
    for phrase in form.phrases:
        dice = dice_of(seed, phrase.number + 1)
        goal = (form.goal, form.end) if phrase.closing else None
        written = ensemble.phrase(phrase, carried, goal=goal, end=form.end, dice=dice)
        notes += written.notes
        strokes += written.strokes
        carried = written.left(carried)
    notes += ensemble.last_chord(home, (form.goal, form.end), carried)
    return notes, strokes, carried.themes.get(FIRST_THEME)


def style_of(request: CompositionRequest, home: Field, dice: Dice) -> Style:
    """The requested style, or one drawn; an answer has its theme's meter."""
    style = drawn_style(home, dice, bar=request.theme.bar if request.theme else 0)
    return style if request.style is None else STYLES[request.style]


def drawn_style(home: Field, dice: Dice, *, bar: int = 0) -> Style:
    """A random style with bars of ``bar`` ticks, 0 for any; the blues scale has its own style."""
    drawn = dice.weighted(
        tuple(STYLES.values()),
        [
            style.usual if bar in {0, style.meter.bar * TICKS_PER_BEAT // UNITS_PER_BEAT} else 0
            for style in STYLES.values()
        ],
    )
    return STYLES["blues"] if home.scale.is_blues else drawn

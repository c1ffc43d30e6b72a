"""A piece from a request: a plan, then phrase by phrase what is carried from one to the next."""

from dataclasses import dataclass

from harmonic_music.composing.character import character_of
from harmonic_music.composing.dice import Dice, Layer, dice_of
from harmonic_music.composing.drumming import Stroke
from harmonic_music.composing.ensemble import Carried, Ensemble
from harmonic_music.composing.form import Field, Form
from harmonic_music.composing.memory import Theme
from harmonic_music.composing.planning import lay_out
from harmonic_music.composing.playing import Timing, disentangled, slowing_ticks
from harmonic_music.composing.shape import shape_of
from harmonic_music.score import TICKS_PER_BEAT, Score, ScoreNote, Section, Voice, whole_ticks
from harmonic_music.styles.catalogue import STYLES, Style
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters

#: Another number stands for other notes from the same request: raised whenever they change.
COMPOSER_VERSION = 3
#: A piece has about so many notes at most, and so many strokes of the drums: a long and fast one
#: is thinned to them.
MOST_NOTES, MOST_STROKES = 3600, 1600


@dataclass(frozen=True, slots=True)
class CompositionRequest:
    """All that a piece follows from: the same request makes the same piece.

    Without a ``style`` one is drawn. With a ``theme``, the piece answers another that had it.
    """

    music: MusicParameters
    physics: PhysicsParameters
    duration: float
    seed: int
    style: str | None = None
    theme: Theme | None = None


def compose(request: CompositionRequest) -> Score:
    """The piece that was asked for."""
    music = request.music
    shape = shape_of(music, request.physics)
    home = Field(SCALES[music.scale], pitch_class(music.key))
    dice = dice_of(request.seed, 0)
    character = character_of(dice[Layer.CHARACTER])
    style = style_of(request, home, dice[Layer.STYLE])
    ticks = whole_ticks(request.duration, shape.tempo)
    written = ticks - slowing_ticks(style, ticks)
    form = lay_out(written, style, character, (home, shape.chromatic), dice[Layer.FORM])
    beats = max(1, ticks // TICKS_PER_BEAT)
    room = MOST_NOTES * 100 // beats, MOST_STROKES * style.meter.bar // (12 * beats)
    ensemble = Ensemble(style, shape, character, room, home, dice)
    notes, strokes = _performed(request, form, ensemble, home)
    events = disentangled(notes)
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
    )


def _performed(
    request: CompositionRequest, form: Form, ensemble: Ensemble, home: Field
) -> tuple[list[ScoreNote], list[Stroke]]:
    """All phrases, and the last chord."""
    notes: list[ScoreNote] = []
    strokes: list[Stroke] = []
    carried = Carried()
    if request.theme is not None:
        carried = carried.remembering(request.theme)
    for phrase in form.phrases:
        dice = dice_of(request.seed, phrase.number + 1)
        goal = (form.goal, form.end) if phrase.closing else None
        played, carried = ensemble.phrase(phrase, carried, goal, form.end, dice)
        notes += played.notes
        strokes += played.strokes
    notes += ensemble.last_chord(home, (form.goal, form.end), carried)
    return notes, strokes


def style_of(request: CompositionRequest, home: Field, dice: Dice) -> Style:
    """The style that was asked for, or one drawn: the blues has its own."""
    drawn = dice.weighted(tuple(STYLES.values()), [style.usual for style in STYLES.values()])
    if request.style is not None:
        return STYLES[request.style]
    return STYLES["blues"] if home.scale.is_blues else drawn

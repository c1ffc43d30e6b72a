"""A piece from a request: the layers one after the other, each on what the ones before it made."""

from dataclasses import dataclass

from harmonic_music.composing.accompaniment import Accompaniment
from harmonic_music.composing.articulation import SOUNDING_PERCENT, disentangled, lengths
from harmonic_music.composing.character import character_of
from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.dynamics import Dynamics
from harmonic_music.composing.form import BAR, Form
from harmonic_music.composing.harmony import Colour, Harmony
from harmonic_music.composing.ladder import Ladder
from harmonic_music.composing.melody import Melodist
from harmonic_music.composing.planning import lay_out
from harmonic_music.composing.rhythm import Rhythm
from harmonic_music.composing.shape import shape_of
from harmonic_music.composing.singing import Singer
from harmonic_music.score import Score, ScoreNote, Section, Voice, whole_ticks
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters

#: Another number stands for other notes from the same request: raised whenever they change.
COMPOSER_VERSION = 2
#: A piece has about so many notes at most: a long and fast one is thinned to them.
MOST_NOTES = 2300
MOST_MELODY_NOTES = 1300


@dataclass(frozen=True, slots=True)
class CompositionRequest:
    """All that a piece follows from: the same request makes the same piece."""

    music: MusicParameters
    physics: PhysicsParameters
    duration: float
    seed: int


def compose(request: CompositionRequest) -> Score:
    """The piece that was asked for."""
    music = request.music
    shape = shape_of(music, request.physics)
    scale, tonic = SCALES[music.scale], pitch_class(music.key)
    dice = {layer: Dice(request.seed, layer) for layer in Layer}
    character = character_of(dice[Layer.CHARACTER])
    ticks = whole_ticks(request.duration, shape.tempo)
    form = lay_out(ticks, character, dice[Layer.FORM])
    colour = Colour(shape.consonance, shape.chromatic, dice[Layer.COLOUR])
    harmony = Harmony(form, (scale, tonic), character, dice[Layer.HARMONY], colour)
    bars = max(1, -(-ticks // BAR))
    rhythm = Rhythm(
        form, shape.liveliness, MOST_MELODY_NOTES // bars, character, dice[Layer.RHYTHM]
    )
    ladder = Ladder(scale, tonic, shape.width, character)
    singer = Singer(ladder, scale, shape, character, dice[Layer.MELODY])
    melodist = Melodist(ladder, ladder.transitions(character), singer, dice[Layer.MELODY])
    melody = melodist.write(form, harmony, rhythm.bars)
    accompaniment = Accompaniment(
        form,
        harmony,
        shape.liveliness,
        (MOST_NOTES - len(melody)) // bars,
        dice[Layer.ACCOMPANIMENT],
    )
    parts = {
        Voice.MELODY: melody,
        Voice.PADS: accompaniment.pads(),
        Voice.BASS: accompaniment.bass(),
    }
    touch = dice[Layer.DYNAMICS]
    dynamics = Dynamics(form, ladder.height(50), touch)
    notes = [
        ScoreNote(tone.onset, voice, tone.pitch, length, velocity)
        for voice, part in parts.items()
        for tone, length, velocity in zip(
            part,
            lengths(
                part,
                SOUNDING_PERCENT[voice] + (character.touch if voice is Voice.MELODY else 0),
                shape.length_percent,
                form,
                touch,
            ),
            dynamics.velocities(voice, part),
            strict=True,
        )
    ]
    return Score(
        key=music.key,
        scale=music.scale,
        tempo=shape.tempo,
        duration=request.duration,
        events=tuple(disentangled(notes)),
        sections=_sections(form),
        phrases=tuple(bar.onset for bar in form.bars if bar.is_first),
    )


def _sections(form: Form) -> tuple[Section, ...]:
    """Where sections begin, and their letters."""
    found: list[Section] = []
    for bar in form.bars:
        if not found or found[-1].name != bar.section:
            found.append(Section(bar.onset, bar.section))
    return tuple(found)

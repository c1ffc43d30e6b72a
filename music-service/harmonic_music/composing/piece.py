"""A piece, layer upon layer: form, harmony, rhythm, melody, accompaniment, dynamics, lengths."""

from dataclasses import dataclass

from harmonic_music.composing.accompaniment import bass_of, pads_of
from harmonic_music.composing.articulation import lengths
from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.dynamics import Dynamics
from harmonic_music.composing.form import felt_pulse, lay_out
from harmonic_music.composing.harmony import Harmony
from harmonic_music.composing.melody import Ladder, Melodist
from harmonic_music.composing.rhythm import rhythm_of
from harmonic_music.composing.shape import shape_of
from harmonic_music.score import Score, ScoreNote, Voice, whole_ticks
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters


@dataclass(frozen=True, slots=True)
class CompositionRequest:
    """All that a piece follows from: the same request makes the same piece."""

    music: MusicParameters
    physics: PhysicsParameters
    duration: float
    seed: int


def compose(request: CompositionRequest) -> Score:
    """The piece that was asked for."""
    music, seed = request.music, request.seed
    shape = shape_of(music, request.physics)
    scale, tonic = SCALES[music.scale], pitch_class(music.key)
    form = lay_out(whole_ticks(request.duration, shape.tempo), felt_pulse(music.tempo))
    harmony = Harmony(form, scale, tonic, shape.consonance, Dice(seed, Layer.HARMONY))
    rhythms = rhythm_of(form, shape.liveliness, Dice(seed, Layer.RHYTHM))
    ladder = Ladder(scale, tonic, shape.span_semitones)
    melodist = Melodist(ladder, shape.consonance, Dice(seed, Layer.MELODY))
    melody = melodist.write(form, harmony, rhythms)
    pads = pads_of(form, harmony, shape.liveliness, Dice(seed, Layer.PADS))
    bass = bass_of(form, harmony, shape.liveliness, Dice(seed, Layer.BASS))
    dynamics = Dynamics(form, Dice(seed, Layer.DYNAMICS))
    events = [
        ScoreNote(tone.onset, voice, tone.pitch, length, velocity)
        for voice, part in ((Voice.MELODY, melody), (Voice.PADS, pads), (Voice.BASS, bass))
        for tone, length, velocity in zip(
            part,
            lengths(voice, part, shape.length_factor, form.end),
            dynamics.velocities(voice, part),
            strict=True,
        )
    ]
    return Score(music.key, music.scale, shape.tempo, request.duration, tuple(sorted(events)))

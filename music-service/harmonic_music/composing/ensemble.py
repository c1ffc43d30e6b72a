"""All layers together: a phrase's notes from its plan and from the state left by the one before.

Only this small state is carried from phrase to phrase. So a piece can go on from any phrase without
the notes before it.
"""

from itertools import chain

from harmonic_music.composing.bassline import Bassist
from harmonic_music.composing.carried import Carried
from harmonic_music.composing.character import Character
from harmonic_music.composing.colour import Colour
from harmonic_music.composing.colouring import Colourist
from harmonic_music.composing.counter import SecondVoice, low_octave
from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.drumming import Drummer
from harmonic_music.composing.form import Field, Phrase, Role
from harmonic_music.composing.harmony import Harmonist, last_span
from harmonic_music.composing.melody import Melodist
from harmonic_music.composing.memory import Theme
from harmonic_music.composing.moments import moments_of
from harmonic_music.composing.part import Tone
from harmonic_music.composing.playing import Dynamics
from harmonic_music.composing.rhythm import Rhythmist
from harmonic_music.composing.runs import Runs
from harmonic_music.composing.shape import Shape
from harmonic_music.composing.texture import Texture
from harmonic_music.composing.variation import known_bar
from harmonic_music.composing.voicing import (
    HIGHEST_CEILING,
    LOWEST_CEILING,
    Voicing,
    alike,
    nearest_voicing,
)
from harmonic_music.composing.written import Chords, Song, WrittenPhrase
from harmonic_music.score import ScoreNote, Voice
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.intervals import OCTAVE

#: Chords after which a voice that has not moved must move, and by about how many semitones.
_MOST_ALIKE, _AWAY = 2, 5
_NO_THEME = Theme((), ())
#: How the permitted notes are divided, in percent: melody, bass and second voice.
_MELODY_PERCENT, _BASS_PERCENT, _SECOND_PERCENT = 52, 10, 20


class Ensemble:
    """The players of one piece.

    ``room`` is the hundredths of notes per beat and the strokes per bar that are permitted;
    ``breadth`` says how broadly it may be written, in thousandths.
    """

    def __init__(
        self,
        style: Style,
        shape: Shape,
        character: Character,
        home: Field,
        *,
        room: tuple[int, int],
        breadth: int,
        dice: list[Dice],
    ) -> None:
        notes, strokes = room
        bar_beats = style.meter.bar // 12
        self._meter = style.meter
        self._harmonist = Harmonist(
            style, character, Colour(shape.consonance, shape.chromatic, dice[Layer.COLOUR])
        )
        melody_room = notes * _MELODY_PERCENT // 100
        self._rhythmist = Rhythmist(
            style, shape.liveliness, (2 * melody_room, breadth), character, dice[Layer.RHYTHM]
        )
        self._melodist = Melodist(shape, character, home, breadth)
        self._bassist = Bassist(style.meter, notes * _BASS_PERCENT // 100 * bar_beats // 100, shape)
        rest = 100 - _MELODY_PERCENT - _BASS_PERCENT - _SECOND_PERCENT
        self._texture = Texture(style.meter, notes * rest // 100 * bar_beats // 100, shape)
        self._second = SecondVoice(style, shape)
        self._drummer = Drummer(style, strokes)
        self._colourist = Colourist(home, shape.chromatic, style.meter)
        self._dynamics_of = style, character.touch, shape.length_percent
        self._dynamics: Dynamics | None = None
        self._dice = dice[Layer.BASS]

    def phrase(
        self,
        phrase: Phrase,
        carried: Carried,
        *,
        goal: tuple[int, int] | None,
        end: int,
        dice: list[Dice],
    ) -> WrittenPhrase:
        """The phrase as it continues ``carried``, with none of its notes beyond ``end``.

        ``goal`` is where the piece's last chord begins and ends, if that follows.
        """
        theme = carried.themes.get(phrase.theme, _NO_THEME)
        chords = self._chords(phrase, carried, theme, goal, dice)
        song = self._song(phrase, carried, theme, chords, dice)
        voicings = self._voicings(phrase, chords, song, carried.voicing)
        parts = self._parts(phrase, chords, song, voicings, dice)
        lines = [parts[voice] for voice in (Voice.BASS, Voice.COUNTER, Voice.MELODY)]
        self._colourist.coloured(phrase, lines, parts[Voice.PADS], dice[Layer.COLOUR])
        dynamics = self._loudness(phrase.key)
        notes = [
            note
            for voice, part in parts.items()
            for note in dynamics.notes(phrase, voice, part, end, dice[Layer.DYNAMICS])
        ]
        strokes = self._drummer.strokes(
            phrase, begins=carried.section != phrase.section, dice=dice[Layer.DRUMS]
        )
        ladder = self._melodist.ladder(phrase.key)
        return WrittenPhrase(phrase, notes, strokes, chords, song, voicings, ladder)

    def _chords(
        self,
        phrase: Phrase,
        carried: Carried,
        theme: Theme,
        goal: tuple[int, int] | None,
        dice: list[Dice],
    ) -> Chords:
        """A phrase's chords."""
        final = last_span(phrase.key, *goal) if goal else None
        if phrase.key.scale.is_blues:
            rows = self._harmonist.blues(phrase, carried.chorus, dice[Layer.COLOUR])
            return Chords(rows, list(chain.from_iterable(rows)), None, (), final)
        before = carried.degree if carried.key == phrase.key else None
        slots = self._harmonist.slots(
            phrase,
            theme.chords,
            before,
            dice[Layer.HARMONY],
            melody=[[step for _, (step, _) in bar] for bar in theme.melody],
        )
        rows = self._harmonist.spans(phrase, slots, dice[Layer.COLOUR])
        kept = tuple(tuple(row) for row in slots)
        flat = list(chain.from_iterable(rows))
        return Chords(rows, flat, slots[-1][-1].degree, kept, final)

    def _song(
        self, phrase: Phrase, carried: Carried, theme: Theme, chords: Chords, dice: list[Dice]
    ) -> Song:
        """A phrase's outer voices: the bass first, then the melody above it."""
        known = [known_bar(bar) for bar in theme.melody]
        runs = Runs(carried.runs)
        rhythm = self._rhythmist.bars(phrase, known, runs, dice[Layer.RHYTHM])
        low = dice[Layer.BASS]
        tones = self._bassist.tones(chords.spans, chords.final, carried.bass, low)
        bass = self._bassist.line(phrase, chords.rows, tones, rhythm, low)
        struck = [(tone.onset, tone.pitch) for tone in bass]
        moments = moments_of(
            phrase, chords.rows, rhythm, struck, meter=self._meter, goal=chords.final
        )
        pitches = self._melodist.sing(
            phrase,
            moments,
            rhythm,
            theme.melody,
            before=carried.melody,
            dice=dice[Layer.MELODY],
        )
        return Song(rhythm, tones, bass, moments, pitches, runs.heard)

    def _parts(
        self,
        phrase: Phrase,
        chords: Chords,
        song: Song,
        voicings: list[Voicing],
        dice: list[Dice],
    ) -> dict[Voice, list[Tone]]:
        """The notes of each voice, without the last chord's."""
        final = chords.final
        moments = song.moments[: len(song.moments) - (final is not None)]
        until = final.onset if final else phrase.end
        parts: dict[Voice, list[Tone]] = {voice: [] for voice in Voice}
        for moment, pitch in zip(moments, song.pitches, strict=False):
            if phrase.stage_at(moment.onset).scene.has_melody:
                parts[Voice.MELODY].append(Tone(moment.onset, moment.length, pitch))
        parts[Voice.COUNTER] = self._second.tones(
            phrase, moments, song.pitches, until, dice[Layer.COUNTER]
        )
        parts[Voice.PADS] = self._texture.tones(
            phrase, chords.rows, voicings, song.rhythm, dice[Layer.ACCOMPANIMENT]
        )
        parts[Voice.PADS] += low_octave(phrase, moments, song.pitches)
        parts[Voice.BASS] = song.bass
        return parts

    @staticmethod
    def _voicings(phrase: Phrase, chords: Chords, song: Song, before: Voicing) -> list[Voicing]:
        """The upper voices of each chord: below the melody's notes while the chord sounds."""
        spans = chords.spans
        lows = [HIGHEST_CEILING] * len(spans)
        place = 0
        moments = song.moments if phrase.role is not Role.INTRO else []
        for moment, pitch in zip(moments, song.pitches, strict=False):
            while place < len(spans) - 1 and moment.onset >= spans[place].end:
                place += 1
            lows[place] = min(lows[place], pitch - 1)
        found: list[Voicing] = []
        for span, tone, low in zip(spans, song.tones, lows, strict=False):
            ceiling = max(low, LOWEST_CEILING)
            voicing = nearest_voicing(before, span.voices, tone, ceiling)
            if alike(voicing, found[-_MOST_ALIKE:]):
                by = _AWAY if before[-1] + _AWAY < ceiling else -_AWAY
                moved = tuple(pitch + by for pitch in before)
                voicing = nearest_voicing(moved, span.voices, tone, ceiling)
            found.append(voicing)
            before = voicing
        return found

    def _loudness(self, key: Field) -> Dynamics:
        if self._dynamics is None:
            style, touch, percent = self._dynamics_of
            middle = self._melodist.ladder(key).height(50)
            self._dynamics = Dynamics(style, middle, touch, percent)
        return self._dynamics

    def last_chord(self, key: Field, goal: tuple[int, int], carried: Carried) -> list[ScoreNote]:
        """The chord that the piece ends on."""
        onset, end = goal
        span = last_span(key, onset, end)
        ladder = self._melodist.ladder(key)
        melody = carried.melody[1] if carried.melody else ladder.tonic
        before = carried.bass if carried.bass is not None else 47
        bass = self._bassist.tones([span], None, before, self._dice)[0]
        # Below the melody also if that is low: of two notes on one pitch, one would not be heard.
        bass -= OCTAVE if bass >= melody else 0
        upper = nearest_voicing(carried.voicing, span.voices, bass, max(melody - 1, LOWEST_CEILING))
        length = end - onset
        dynamics = self._loudness(key)
        parts = {
            Voice.MELODY: [Tone(onset, length, melody)],
            Voice.PADS: [Tone(onset, length, pitch) for pitch in upper],
            Voice.BASS: [Tone(onset, length, bass)],
        }
        return [n for voice, part in parts.items() for n in dynamics.last(voice, part, 50)]

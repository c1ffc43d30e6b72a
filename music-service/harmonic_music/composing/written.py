"""A written phrase, and the state that it leaves: at its end, or after some of its bars."""

from dataclasses import dataclass, replace

from harmonic_music.composing.carried import Carried
from harmonic_music.composing.drumming import DrumStroke
from harmonic_music.composing.form import Phrase, Role
from harmonic_music.composing.harmony import Progression, Span
from harmonic_music.composing.ladder import Ladder
from harmonic_music.composing.memory import Theme
from harmonic_music.composing.moments import Moment
from harmonic_music.composing.part import Tone
from harmonic_music.composing.runs import Run
from harmonic_music.composing.variation import Derived
from harmonic_music.composing.voicing import Voicing
from harmonic_music.score import ScoreNote


@dataclass(frozen=True, slots=True)
class Chords:
    """A phrase's chords bar by bar and in one row, and the form in which a theme keeps them."""

    rows: list[list[Span]]
    spans: list[Span]
    degree: int | None
    slots: Progression
    final: Span | None


@dataclass(frozen=True, slots=True)
class Song:
    """A phrase's outer voices; ``tones`` are the bass's of each chord."""

    rhythm: list[Derived]
    tones: list[int]
    bass: list[Tone]
    moments: list[Moment]
    pitches: list[int]
    runs: dict[Run, int]


@dataclass(frozen=True, slots=True)
class WrittenPhrase:
    """The notes of a phrase, and everything that the next phrases need of it."""

    phrase: Phrase
    notes: list[ScoreNote]
    strokes: list[DrumStroke]
    chords: Chords
    song: Song
    voicings: list[Voicing]
    ladder: Ladder

    def left(self, carried: Carried) -> Carried:
        """The state that it leaves at its end, from the state ``carried`` into it."""
        phrase, song, voicings = self.phrase, self.song, self.voicings
        pitches = song.pitches
        after = replace(
            carried,
            degree=self.chords.degree,
            key=phrase.leads_to or phrase.key,
            melody=(pitches[-2], pitches[-1]) if len(pitches) > 1 else carried.melody,
            bass=song.tones[-1],
            voicing=voicings[-1] if voicings else carried.voicing,
            section=phrase.section,
            runs=song.runs,
            chorus=carried.chorus + 1 if phrase.section != "intro" else 0,
        )
        if phrase.theme not in carried.themes and phrase.role is not Role.INTRO:
            after = after.remembering(phrase.theme, self.theme())
        return after

    def left_after(self, bars: int, carried: Carried) -> Carried:
        """The state that it leaves after its first ``bars`` bars, at least one."""
        song, slots = self.song, self.chords.slots[:bars]
        chord = sum(map(len, self.chords.rows[:bars])) - 1
        sung = song.pitches[: sum(map(len, song.rhythm[:bars]))]
        before = [*(carried.melody or ()), *sung][-2:]
        return replace(
            carried,
            degree=slots[-1][-1].degree if slots else None,
            key=self.phrase.key,
            melody=(before[0], before[1]) if len(before) > 1 else None,
            bass=song.tones[chord],
            voicing=self.voicings[chord],
            section=self.phrase.section,
        )

    def theme(self, bars: int | None = None) -> Theme:
        """The phrase, or its first ``bars`` bars, as a theme that can return."""
        sung = iter(self.song.pitches)
        melody = tuple(
            tuple((begun.onset, self.ladder.degree(next(sung))) for begun in row)
            for row in self.song.rhythm[:bars]
        )
        phrase = self.phrase
        bar, tones = phrase.bars[0].length, len(phrase.key.scale.steps)
        return Theme(self.chords.slots[:bars], melody, bar, tones)

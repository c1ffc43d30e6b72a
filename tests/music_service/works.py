"""Music for several voices, wherever it comes from: ours, or a corpus."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harmonic_music.score import TICKS_PER_BEAT, Score, Voice
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.meters import UNITS_PER_BEAT
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import Scale
from music_service.tunes import Sound

MAJOR_TONES = frozenset({0, 2, 4, 5, 7, 9, 11})
#: Natural minor, with the sixth and the seventh degree as melodies raise them.
MINOR_TONES = frozenset({0, 2, 3, 5, 7, 8, 9, 10, 11})
#: A note that sounds for such a share of the time to the next one is written without a rest.
_HELD = 0.75
#: Triplets end where the next one begins but for less than this, in beats.
_EXACT = 1e-6


@dataclass(frozen=True, slots=True)
class Work:
    """Parts from the top one to the bass, by beats, the first bar at beat 0.

    ``tones`` are the tones of the key, in semitones above the tonic. The melody has one note at a
    time; the other parts may have chords.
    """

    name: str
    beats_a_bar: int
    tonic: int
    tones: frozenset[int]
    parts: tuple[tuple[Sound, ...], ...]

    @property
    def melody(self) -> tuple[Sound, ...]:
        return self.parts[0]

    @property
    def lower(self) -> tuple[tuple[Sound, ...], ...]:
        """All parts but the melody."""
        return self.parts[1:]

    @property
    def sounds(self) -> list[Sound]:
        """The notes of all parts, in order."""
        return sorted((s for part in self.parts for s in part), key=lambda s: (s.onset, s.pitch))

    @property
    def end(self) -> float:
        return max(sound.end for sound in self.sounds)

    def melody_alone(self) -> "Work":
        """The same without what is under the melody."""
        return replace(self, parts=self.parts[:1])

    def excerpt(self, beats: float) -> "Work":
        """Its first beats alone."""
        parts = tuple(
            tuple(
                Sound(s.onset, min(s.length, beats - s.onset), s.pitch)
                for s in part
                if s.onset < beats
            )
            for part in self.parts
            if part[0].onset < beats
        )
        return replace(self, parts=parts)


def skyline(sounds: Sequence[Sound]) -> tuple[list[Sound], list[Sound]]:
    """The upper line of a part that has chords, and the rest of it."""
    upper: list[Sound] = []
    rest: list[Sound] = []
    for sound in sorted(sounds, key=lambda s: (s.onset, -s.pitch)):
        last = upper[-1] if upper else None
        if last and (
            sound.onset == last.onset
            or (sound.onset < last.end - _EXACT and sound.pitch < last.pitch)
        ):
            rest.append(sound)
            continue
        if last and last.end > sound.onset:
            upper[-1] = Sound(last.onset, sound.onset - last.onset, last.pitch)
        upper.append(sound)
    return upper, rest


def work_of(score: Score, name: str = "ours") -> Work:
    """One of ours: the score on its grid, without drums."""
    beat = score.meter.pulse * TICKS_PER_BEAT / UNITS_PER_BEAT
    parts: dict[Voice, list[Sound]] = {}
    for event in score.events:
        sound = Sound(event.onset / beat, event.length / beat, event.pitch)
        parts.setdefault(event.voice, []).append(sound)
    melody, rest = skyline(parts.pop(Voice.MELODY, []))
    lower = [parts[voice] for voice in sorted(parts)]
    return Work(
        name,
        score.meter.bar // score.meter.pulse,
        pitch_class(score.key),
        tones_of(score.scale),
        tuple(notated(row) for row in (melody, rest, *lower) if row),
    )


def notated(part: Sequence[Sound]) -> tuple[Sound, ...]:
    """A part with the lengths that a score would give it: small gaps are how it is played."""
    onsets = sorted({sound.onset for sound in part})
    following = dict(pairwise(onsets))
    found = []
    for s in part:
        room = following.get(s.onset, s.end) - s.onset
        length = room if _HELD * room <= s.length < room else s.length
        found.append(Sound(s.onset, length, s.pitch))
    return tuple(found)


def tones_of(scale: Scale) -> frozenset[int]:
    """The tones of a key: in minor, those of the melodic minor scale too."""
    steps = frozenset(SCALES[scale].steps)
    return MINOR_TONES if scale == "minor" else steps

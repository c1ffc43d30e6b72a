"""How long notes sound: their share of the time to the next, scaled, and no absurd overlaps."""

from collections.abc import Sequence

from harmonic_music.composing.part import Tone
from harmonic_music.score import TICKS_PER_BEAT, Voice

#: The percentage of its time that a note sounds when lengths are not scaled.
_SOUNDING_PERCENT = {Voice.MELODY: 94, Voice.PADS: 98, Voice.BASS: 90}
#: About ten milliseconds at a middle tempo: less is heard as a click.
_SHORTEST_TICKS = 12
#: A note may ring on for so long after its own time.
LONGEST_OVERLAP_TICKS = 4 * TICKS_PER_BEAT


def lengths(voice: Voice, tones: Sequence[Tone], factor: float, end: int) -> list[int]:
    """How long each of a voice's tones sounds, in ticks.

    A tone ends where the same pitch begins again in its voice, and with the piece at the latest.
    """
    again: dict[int, int] = {}
    found = []
    for tone in reversed(tones):
        scaled = int(tone.length * _SOUNDING_PERCENT[voice] * factor) // 100
        longest = min(
            tone.length + LONGEST_OVERLAP_TICKS,
            again.get(tone.pitch, end) - tone.onset,
            end - tone.onset,
        )
        again[tone.pitch] = tone.onset
        found.append(min(max(scaled, _SHORTEST_TICKS), longest))
    return found[::-1]

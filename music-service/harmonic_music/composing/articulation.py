"""How long notes sound: their share of the time to the next, scaled, and never into themselves."""

from collections.abc import Sequence
from dataclasses import replace

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Form
from harmonic_music.composing.part import Tone
from harmonic_music.score import TICKS_PER_BEAT, ScoreNote, Voice

#: The percentage of its time that a note sounds when lengths are not scaled.
SOUNDING_PERCENT = {Voice.MELODY: 98, Voice.PADS: 97, Voice.BASS: 88}
#: No player holds two notes quite alike: this much up or down.
_STRAY_PERCENT = 2
#: About ten milliseconds at a middle tempo: less is heard as a click.
_SHORTEST_TICKS = 12
#: A note may ring on for so long after its own time.
LONGEST_OVERLAP_TICKS = 6 * TICKS_PER_BEAT


def lengths(tones: Sequence[Tone], usual: int, percent: int, form: Form, dice: Dice) -> list[int]:
    """How long each of a voice's tones sounds, in ticks. Those of the last chord sound to the end.

    ``usual`` is the percentage of its time that a note sounds; ``percent`` scales that.
    """
    goal, end = form.goal, form.end
    found = []
    for tone in tones:
        sounding = usual + dice.between(-_STRAY_PERCENT, _STRAY_PERCENT)
        scaled = max((tone.length * sounding * percent + 5000) // 10_000, _SHORTEST_TICKS)
        longest = min(tone.length + LONGEST_OVERLAP_TICKS, end - tone.onset)
        found.append(longest if tone.onset >= goal else min(scaled, longest))
    return found


def disentangled(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """The notes in order; each ends where its pitch begins again, in whatever voice.

    Where two voices would begin the same pitch together, the first of them alone does.
    """
    again: dict[int, ScoreNote] = {}
    kept: list[ScoreNote] = []
    for note in sorted(notes, key=lambda note: (note.onset, note.voice), reverse=True):
        later = again.get(note.pitch)
        if later is not None and later.onset == note.onset:
            kept.remove(later)
        elif later is not None and later.onset < note.end:
            note = replace(note, length=later.onset - note.onset)  # noqa: PLW2901 -- the shorter one
        again[note.pitch] = note
        kept.append(note)
    return sorted(kept)

"""A second voice: it answers in the melody's pauses, accompanies it, or has the melody."""

from collections.abc import Sequence

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Phrase, Scene
from harmonic_music.composing.moments import Moment
from harmonic_music.composing.part import Tone
from harmonic_music.composing.shape import Shape
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.intervals import OCTAVE

#: Semitones that it lies below the melody, roughly, and its lowest pitch.
_BELOW, _LOWEST = 5, 53
#: The shortest note of the melody that leaves time for an answer.
_ROOM, _LONG = 3 * TICKS_PER_BEAT // 2, 2 * TICKS_PER_BEAT
_EIGHTH = TICKS_PER_BEAT // 2
_MOST_NOTES = 8
#: The lowest pitch of the upper voices.
_DEEPEST = 46
_SILENT = frozenset({Scene.SOLO, Scene.CHORDS, Scene.PLAYED})
_OCTAVE_BELOW = frozenset({Scene.OCTAVES, Scene.UNISON, Scene.HANDED})
_ALONG = frozenset({Scene.DUO, Scene.THIRDS})
_ECHOED, _QUARTERS_ENERGY = 450, 42
#: A third and a sixth, in steps of the scale.
_THIRD, _SIXTH = 2, 5


class SecondVoice:
    """Writes a piece's second voice."""

    def __init__(self, style: Style, shape: Shape) -> None:
        # A calm melody pauses often: not every pause is answered.
        self._answers = style.answers * (600 + shape.liveliness) // 1000
        #: The purer the harmony, the less it passes between the tones of the chord.
        self._passes = 1000 - shape.consonance * 4 // 5

    def tones(
        self,
        phrase: Phrase,
        moments: Sequence[Moment],
        pitches: Sequence[int],
        until: int,
        dice: Dice,
    ) -> list[Tone]:
        """The second voice's notes in a phrase; ``until`` is where the melody goes on after it."""
        tones = {(phrase.key.tonic + step) % OCTAVE for step in phrase.key.scale.steps}
        rungs = [p for p in range(_LOWEST - 4, 100) if p % OCTAVE in tones]
        found: list[Tone] = []
        passing = dice.quota()
        for place, (moment, pitch) in enumerate(zip(moments, pitches, strict=False)):
            following = moments[place + 1].onset if place + 1 < len(moments) else until
            answers, echoes = dice.chance(self._answers), dice.chance(_ECHOED)
            scene = phrase.stage_at(moment.onset).scene
            held = following - moment.onset
            if scene in _SILENT:
                continue
            if scene in _OCTAVE_BELOW:
                low = pitch - OCTAVE if pitch - OCTAVE >= _LOWEST - 2 else pitch
                if low != pitch or scene is Scene.HANDED:
                    found.append(Tone(moment.onset, moment.length, low))
                continue
            if scene in _ALONG:
                found += _doubled(moment, pitch, following, rungs)
                if scene is Scene.DUO and held >= _LONG:
                    found += self._led(found, moment, following, rungs)
                continue
            if answers and held >= _ROOM:
                wait = TICKS_PER_BEAT if held >= _LONG else _EIGHTH
                begin = moment.onset + wait
                begin -= (begin - phrase.onset) % _EIGHTH
                onsets = _echoed(moments, place, begin, following) if echoes else []
                if not onsets:
                    slow = phrase.energy < _QUARTERS_ENERGY
                    step = TICKS_PER_BEAT if slow else _EIGHTH
                    onsets = list(range(begin, following, step))[:_MOST_NOTES]
                ahead = pitches[place + 1] if place + 1 < len(pitches) else pitch
                line = _answer(onsets, following, moment, (pitch, ahead), rungs)
                found += [
                    tone
                    if tone.pitch % OCTAVE in moment.span.chord.triad
                    or tone.onset >= moment.span.end
                    or passing.takes(self._passes)
                    else _settled(tone, moment)
                    for tone in line
                ]
        return found

    @staticmethod
    def _led(found: list[Tone], moment: Moment, following: int, rungs: Sequence[int]) -> list[Tone]:
        """While the melody holds a note, replace the accompanying note by tones that lead on."""
        if not found or found[-1].onset != moment.onset:
            return []
        last = found.pop()
        chord = moment.span.chord.triad
        below = [p for p in rungs if p < last.pitch and p % OCTAVE in chord and p >= _LOWEST]
        if not below:
            return [last]
        start = moment.onset + TICKS_PER_BEAT
        line = [p for p in rungs if below[-1] <= p <= last.pitch][::-1][1:]
        onsets = range(start, following, TICKS_PER_BEAT if following - start > _LONG else _EIGHTH)
        led = [Tone(last.onset, TICKS_PER_BEAT, last.pitch)]
        pitches = [*line, *line[-2::-1], last.pitch] if line else []
        ends = [*list(onsets)[1:], following]
        led += [
            Tone(onset, end - onset, pitch)
            for onset, end, pitch in zip(onsets, ends, pitches, strict=False)
        ]
        return led


def low_octave(phrase: Phrase, moments: Sequence[Moment], pitches: Sequence[int]) -> list[Tone]:
    """The notes of the upper voices in a unison: the melody two octaves below."""
    return [
        Tone(moment.onset, moment.length, pitch - 2 * OCTAVE)
        for moment, pitch in zip(moments, pitches, strict=False)
        if phrase.stage_at(moment.onset).scene is Scene.UNISON and pitch - 2 * OCTAVE >= _DEEPEST
    ]


def _echoed(moments: Sequence[Moment], place: int, begin: int, end: int) -> list[int]:
    """The rhythm of the melody's last notes, repeated."""
    first = max(0, place - 4)
    shift = begin - moments[first].onset
    onsets = [moment.onset + shift for moment in moments[first : place + 1]]
    onsets = [onset for onset in onsets if onset < end]
    return onsets if len(onsets) > _THIRD else []


def _answer(
    onsets: Sequence[int],
    end: int,
    moment: Moment,
    around: tuple[int, int],
    rungs: Sequence[int],
) -> list[Tone]:
    """A line from a tone of the chord to below the note with which the melody goes on."""
    if len(onsets) < _THIRD:
        return []
    chord = moment.span.chord.triad
    high, ahead = around
    chosen = [p for p in rungs if p % OCTAVE in chord and _LOWEST <= p < high]
    if not chosen:
        return []
    begin = rungs.index(min(chosen, key=lambda p: (abs(p - high + _BELOW), p)))
    goal = min(range(len(rungs)), key=lambda n: (abs(rungs[n] - ahead + _BELOW - 1), n))
    upwards = (
        1 if goal > begin or (goal == begin and begin > 0 and high - rungs[begin] > _BELOW) else -1
    )
    places = [begin]
    for left in range(len(onsets) - 1, 0, -1):
        at = places[-1]
        # Straight to the goal if that takes all the notes there are, else from the other side.
        step = upwards if abs(goal - at) >= left else (-upwards if len(places) % 3 else upwards)
        step = step if abs(goal - at) < left or goal == at else (1 if goal > at else -1)
        places.append(min(max(at + step, 1), len(rungs) - 1))
    ends = [*onsets[1:], end]
    return [
        Tone(onset, min(until - onset, TICKS_PER_BEAT), rungs[at])
        for onset, until, at in zip(onsets, ends, places, strict=True)
        if _LOWEST <= rungs[at] < high
    ]


def _settled(tone: Tone, moment: Moment) -> Tone:
    """The tone moved to the nearest one of the chord below it."""
    chord = moment.span.chord.triad
    pitch = next(p for p in range(tone.pitch, tone.pitch - OCTAVE, -1) if p % OCTAVE in chord)
    return Tone(tone.onset, tone.length, pitch)


def _doubled(moment: Moment, pitch: int, end: int, rungs: Sequence[int]) -> list[Tone]:
    """A third below the melody's note, or a sixth if the third does not suit the chord."""
    place = min(range(len(rungs)), key=lambda n: (abs(rungs[n] - pitch), n))
    if place < _SIXTH:
        return []
    third, sixth = rungs[place - _THIRD], rungs[place - _SIXTH]
    chord = moment.span.chord.triad
    chosen = sixth if third % OCTAVE not in chord and sixth % OCTAVE in chord else third
    if moment.strong and chosen % OCTAVE not in chord:
        return []
    return [Tone(moment.onset, end - moment.onset, chosen)] if chosen >= _LOWEST else []

"""One bar of the endless piece, from its record alone.

As long as the parameters stay the same, the bars of a phrase are composed together, and a bar is
one of them. When a parameter changes:

* the tempo: the bar goes from the old one to the new one, or as far as a bar may (:mod:`.timing`);
* the range of the melody: it moves by some semitones with every bar (:mod:`.demand`);
* the key or the scale: the bar leads to the new one, with its dominant as the last chord, and the
  next bar begins a phrase there. If the key changes again in that next bar, the phrase begins in
  the newest key at once;
* anything else: the rest of the phrase is composed anew, from the voices' current pitches.
"""

from dataclasses import dataclass, replace

from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.memory import Theme
from harmonic_music.composing.piece import drawn_style
from harmonic_music.composing.shape import shape_of
from harmonic_music.endless.composed import ComposedSegment, composed
from harmonic_music.endless.course import chapter_at, key_of
from harmonic_music.endless.demand import Demand, demand_of
from harmonic_music.endless.onward import following, moved_to, resumed
from harmonic_music.endless.players import players_of
from harmonic_music.endless.segment import PiecePosition, Segment
from harmonic_music.endless.timing import (
    STEPS_PER_S,
    BarTime,
    approached,
    beat_ns,
    slowed,
    tempo_of,
)
from harmonic_music.endless.wire import going_on, read, segment_text, written
from harmonic_music.score import VOICE_NAMES, PlayedNote, PlayedStroke, Timed, Voice
from harmonic_music.styles.catalogue import STYLES
from harmonic_protocol.values import Key, MusicParameters, PhysicsParameters, Scale, VoiceName

#: The most notes and drum strokes of a bar; those beyond are left out.
MOST_NOTES, MOST_STROKES = 120, 48
_US_PER_S = 10**6
_GIVING_WAY = {Voice.PADS: 0, Voice.COUNTER: 1, Voice.BASS: 2, Voice.MELODY: 3}


@dataclass(frozen=True, slots=True)
class ComposedBar:
    """A bar; times are in seconds from its beginning, and notes may ring beyond its end.

    ``tempo`` is the one that the next bar begins with, in quarter notes per minute.
    ``duration_us`` is its exact length in whole microseconds, so that bars can be added up.
    ``section`` is the current section of the form; ``opens`` says that the bar is its first.
    ``drums`` are keys of General MIDI's percussion, with start and velocity. ``next_state`` goes
    into the next bar's record.
    """

    notes: tuple[Timed, ...]
    drums: tuple[tuple[int, float, int], ...]
    duration_us: int
    tempo: float
    key: Key
    scale: Scale
    style: str
    meter: str
    instruments: dict[VoiceName, int]
    section: str
    opens: bool
    next_state: str

    @property
    def duration_s(self) -> float:
        """The bar's length in seconds."""
        return self.duration_us / _US_PER_S


def compose_bar(
    music: MusicParameters,
    physics: PhysicsParameters,
    *,
    style: str | None,
    seed: int,
    bar: int,
    state: str | None,
) -> ComposedBar:
    """The bar numbered ``bar``, from 0, of the endless piece of a seed.

    Without a ``style``, one is drawn with the first bar. ``state`` is the ``next_state`` of the bar
    before, and ``None`` for the first bar. After an unreadable state, which another release may
    have written, the piece begins a new section.
    """
    asked = demand_of(music, physics)
    tempo = shape_of(music, physics).tempo
    wanted = beat_ns(tempo)
    position = _position(state, style, seed, bar)
    ringing: tuple[PlayedNote, ...] = ()
    if position is None:
        position = PiecePosition(_opening(style, seed, bar, asked), 0, wanted)
        state = written(position)
    elif (asked := asked.after(position.segment.asked)) != position.segment.asked:
        segment, ringing = _asked_anew(position, asked, seed, bar)
        position = replace(position, segment=segment)
        state = written(position)
    text = segment_text(state or "")
    done = composed(seed, text)
    after = approached(position.beat_ns, wanted)
    tempo = tempo if after == wanted else tempo_of(after)
    ends = slowed(after) if done.slows and position.place + 1 == done.end else after
    time = BarTime(done.phrase.bars[0].length, position.beat_ns, ends)
    duration_us, rest = time.us(position.rest)
    place = position.place - done.segment.first
    if position.place + 1 < done.end:
        onward = PiecePosition(done.segment, position.place + 1, after, rest)
        next_state = going_on(onward, text)
    else:
        next_state = written(PiecePosition(following(seed, done), 0, after, rest))
    here = STYLES[done.segment.style]
    opens = position.place == 0 and done.begins_section
    notes = _bounded(_apart(done.bars[place], ringing))
    return ComposedBar(
        notes=_timed(notes, time, done.phrase.section if opens else None),
        drums=_drummed(done.strokes[place], time),
        duration_us=duration_us,
        tempo=tempo,
        key=music.key,
        scale=music.scale,
        style=here.name,
        meter=here.meter.name,
        instruments=_instruments(notes, players_of(here.name, seed, done.segment.chapter)),
        section=done.phrase.section,
        opens=opens,
        next_state=next_state,
    )


def goes_on(state: str | None, *, style: str | None, seed: int, bar: int) -> bool:
    """Whether a bar goes on from a state, and does not begin the piece anew."""
    return _position(state, style, seed, bar) is not None


def _position(state: str | None, style: str | None, seed: int, bar: int) -> PiecePosition | None:
    """The position of the piece at a bar; ``None`` if its state does not belong to that bar."""
    position = read(state)
    if position is None:
        return None
    segment = position.segment
    slots = chapter_at(seed, segment).slots
    if segment.slot >= len(slots) or style not in {None, segment.style}:
        return None
    fits = segment.first <= position.place < slots[segment.slot].length
    if not fits or segment.start + position.place - segment.first != bar:
        return None
    return position if len(segment.played.melody) == segment.first else None


def _opening(style: str | None, seed: int, bar: int, asked: Demand) -> Segment:
    """The first segment of a piece, or of one whose state is lost: it begins a chapter."""
    found = STYLES[style] if style else drawn_style(asked.home, Dice(seed, Layer.STYLE))
    key = key_of(seed, bar, 0, asked)
    return Segment(found.name, bar, bar, 0, asked, key)


def _asked_anew(
    position: PiecePosition, asked: Demand, seed: int, bar: int
) -> tuple[Segment, tuple[PlayedNote, ...]]:
    """The segment that begins when the parameters change, and the notes that ring into it."""
    segment, place = position.segment, position.place
    ringing: tuple[PlayedNote, ...] = ()
    started = place > segment.first
    if started:
        done = composed(seed, segment_text(written(position)))
        ringing = _ringing(done, place)
        segment = resumed(done, place, bar)
    moved = asked.home != segment.asked.home
    segment = replace(segment, asked=asked)
    if not moved:
        return segment, ringing
    if segment.prepared and not started:
        return moved_to(seed, segment, asked.home), ringing
    return replace(segment, leads=True, onward=asked.home, played=Theme((), ())), ringing


def _ringing(done: ComposedSegment, place: int) -> tuple[PlayedNote, ...]:
    """The notes of the bar before a place that ring beyond its beginning, with their ends there."""
    bar = done.phrase.bars[0].length
    time = BarTime(bar, 1, 1)
    row = done.bars[place - 1 - done.segment.first]
    return tuple(
        note._replace(onset=0, length=time.ringing(note.end) - bar)
        for note in row
        if note.end > bar
    )


def _apart(
    notes: tuple[PlayedNote, ...], ringing: tuple[PlayedNote, ...]
) -> tuple[PlayedNote, ...]:
    """The notes without those that begin while another of their pitch or line rings."""
    if not ringing:
        return notes
    pitches: dict[int, int] = {}
    lines: dict[Voice, int] = {}
    for note in ringing:
        pitches[note.pitch] = max(pitches.get(note.pitch, 0), note.length)
        if note.voice is not Voice.PADS:
            lines[note.voice] = max(lines.get(note.voice, 0), note.length)
    return tuple(
        note
        for note in notes
        if note.onset >= max(pitches.get(note.pitch, 0), lines.get(note.voice, 0))
    )


def _bounded(notes: tuple[PlayedNote, ...]) -> tuple[PlayedNote, ...]:
    """At most ``MOST_NOTES``: the shortest notes of the upper voices are left out first."""
    if len(notes) <= MOST_NOTES:
        return notes
    dispensable = sorted(notes, key=lambda it: (_GIVING_WAY[it.voice], it.length, it))
    left_out = set(dispensable[: len(notes) - MOST_NOTES])
    return tuple(note for note in notes if note not in left_out)


def _drummed(
    strokes: tuple[PlayedStroke, ...], time: BarTime
) -> tuple[tuple[int, float, int], ...]:
    """The strokes in seconds, at most ``MOST_STROKES``: the quietest are left out."""
    kept = sorted(sorted(strokes, key=lambda it: (-it.velocity, it))[:MOST_STROKES])
    return tuple((it.key, time.steps(it.onset) / STEPS_PER_S, it.velocity) for it in kept)


def _instruments(notes: tuple[PlayedNote, ...], programs: tuple[int, ...]) -> dict[VoiceName, int]:
    """The programs of the voices that play."""
    heard = {note.voice for note in notes}
    return {
        VOICE_NAMES[voice]: program
        for voice, program in zip(Voice, programs, strict=True)
        if voice in heard
    }


def _timed(notes: tuple[PlayedNote, ...], time: BarTime, section: str | None) -> tuple[Timed, ...]:
    """The notes in seconds; the first one names the section that begins."""
    found: list[Timed] = []
    for note in notes:
        start = time.steps(note.onset)
        lasts = max(time.steps(time.ringing(note.end)) - start, 1)
        found.append(
            Timed(
                note.pitch,
                start / STEPS_PER_S,
                lasts / STEPS_PER_S,
                note.velocity,
                VOICE_NAMES[note.voice],
                None if found else section,
            )
        )
    return tuple(found)

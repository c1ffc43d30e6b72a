"""The state between two bars, as text: of ASCII characters, at most ``MAX_STATE_BYTES`` of them.

``<version>;<place>;<beat_ns>;<rest>|<segment>``: the parts that change with every bar stand in
front, so that the bars of a segment share the rest of the text. Themes are packed, one character
per number.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from harmonic_music.composing.carried import Carried
from harmonic_music.composing.form import Cadence, Field
from harmonic_music.composing.harmony import ChordSlot
from harmonic_music.composing.memory import MOST_THEMES, UNIT, Theme
from harmonic_music.composing.runs import MOST_RUNS
from harmonic_music.composing.variation import Sung
from harmonic_music.endless.demand import Demand
from harmonic_music.endless.segment import Heard, PiecePosition, Segment, ThemeHistory
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES, shape_of_steps

#: The version of the composer of bars, which its states name: raised whenever the same record gives
#: other notes.
BARS_VERSION = 2
MAX_STATE_BYTES = 4096
#: The bars of a phrase, and the notes of one bar, that are remembered.
MOST_BARS, MOST_NOTES = 6, 24
_MOST_BAR = 1 << 48
#: Segments that are cached as they were read: the next bar's state contains the same one.
_KEPT = 1024
_SLOWEST_NS, _FASTEST_NS = 2 * 10**9, 2 * 10**8
_MOST_REST = 2000
_MOST_SLOTS = 64
_WHOLE, _MOST_LENGTH, _MOST_LIFT, _MOST_ROOM = 1000, 500, 100, 10_000
_PITCHES = 128
_VOICES = 3
_MOST_HEARD = 1 << 16
#: Characters of the name of a theme, or of a section.
_MOST_NAME = 16
#: How often a run was heard, and the numbers that tell it from others.
_MOST_RUN = 1 << 20

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_~"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
#: Steps are encoded above this; a note's alteration follows it, if it has one.
_STEP_OFFSET = 32
_ALTERATIONS = {-2: "<", -1: "-", 0: "", 1: "+", 2: ">"}
_ALTERED = {mark: by for by, mark in _ALTERATIONS.items()}
_FREE, _ROW = ".", "/"


def written(position: PiecePosition) -> str:
    """The state as text. If it is too long, runs are dropped first, then themes.

    Raise :class:`ValueError` if it is too long without them.
    """
    segment = _bounded(position.segment)
    text = _text(segment, position)
    while len(text) > MAX_STATE_BYTES:
        carried = segment.carried
        if carried.runs:
            carried = replace(carried, runs={})
        elif carried.themes:
            carried = replace(carried, themes=dict(list(carried.themes.items())[:-1]))
        else:
            raise ValueError("nothing is left to drop")
        segment = replace(segment, carried=carried)
        text = _text(segment, position)
    return text


def segment_text(state: str) -> str:
    """The part of a state that all bars of its segment share."""
    return state.partition("|")[2]


def going_on(position: PiecePosition, text: str) -> str:
    """The state as text, with its segment's known text."""
    head = (BARS_VERSION, position.place, position.beat_ns, position.rest)
    return f"{';'.join(map(str, head))}|{text}"


def read(state: str | None) -> PiecePosition | None:
    """The position in a state; ``None`` if the state cannot be read."""
    if state is None or len(state) > MAX_STATE_BYTES:
        return None
    try:
        head, _, body = state.partition("|")
        version, place, beat_ns, rest = map(int, head.split(";"))
        if version != BARS_VERSION:
            return None
        return PiecePosition(
            read_segment(body),
            _whole(place, 0, MOST_BARS - 1),
            _whole(beat_ns, _FASTEST_NS, _SLOWEST_NS),
            _whole(rest, 0, _MOST_REST - 1),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


@lru_cache(maxsize=_KEPT)
def read_segment(text: str) -> Segment:
    """A segment from its text. Raise :class:`ValueError` or a subclass if the text is none."""
    it = json.loads(text)
    style = STYLES[it["style"]]
    bar = style.meter.bar * UNIT
    themes, known = {}, {}
    for name, row in islice(it["themes"].items(), MOST_THEMES):
        themes[_name(name)] = _theme(row, bar)
        known[name] = ThemeHistory(Cadence(row[3]), _whole(row[4], 0, _MOST_SLOTS))
    return Segment(
        style=style.name,
        start=_whole(it["start"], 0, _MOST_BAR),
        chapter=_whole(it["chapter"], 0, _MOST_BAR),
        slot=_whole(it["slot"], 0, _MOST_SLOTS),
        asked=_asked(it["asked"]),
        key=_key(it["key"]),
        onward=_key(it["onward"]) if it["onward"] else None,
        first=_whole(it["first"], 0, MOST_BARS - 1),
        leads=it["leads"] is True,
        prepared=it["prepared"] is True,
        carried=_carried(it, themes),
        played=_theme(it["played"], bar),
        known=known,
        heard=_heard(it["heard"]),
    )


def _text(segment: Segment, position: PiecePosition) -> str:
    carried = segment.carried
    body = {
        "style": segment.style,
        "start": segment.start,
        "chapter": segment.chapter,
        "slot": segment.slot,
        "asked": astuple(segment.asked),
        "key": _key_text(segment.key),
        "onward": _key_text(segment.onward) if segment.onward else "",
        "first": segment.first,
        "leads": segment.leads,
        "prepared": segment.prepared,
        "degree": carried.degree,
        "was": _key_text(carried.key) if carried.key else "",
        "melody": carried.melody,
        "bass": carried.bass,
        "voicing": carried.voicing,
        "section": carried.section,
        "runs": [[*run, times] for run, times in carried.runs.items()],
        "themes": {
            name: [
                *_theme_text(theme),
                segment.known[name].cadence.value,
                segment.known[name].returns,
            ]
            for name, theme in carried.themes.items()
        },
        "played": _theme_text(segment.played),
        "heard": segment.heard,
    }
    return going_on(position, json.dumps(body, separators=(",", ":")))


def _bounded(segment: Segment) -> Segment:
    carried = segment.carried
    themes = {name: _short(theme) for name, theme in islice(carried.themes.items(), MOST_THEMES)}
    runs = dict(islice(carried.runs.items(), MOST_RUNS))
    carried = replace(carried, themes=themes, runs=runs)
    melody, upper, bass, drums = (
        min(max(bars, -_MOST_HEARD), _MOST_HEARD) for bars in segment.heard
    )
    return replace(
        segment,
        carried=carried,
        played=_short(segment.played),
        heard=(melody, upper, bass, drums),
    )


def _short(theme: Theme) -> Theme:
    """A theme with no more bars and notes than are remembered."""
    melody = tuple(row[:MOST_NOTES] for row in theme.melody[:MOST_BARS])
    return replace(theme, chords=theme.chords[:MOST_BARS], melody=melody)


def _theme_text(theme: Theme) -> tuple[str, str, int]:
    """The first columns of its row: chords, melody, and the number of tones of its scale."""
    chords = _ROW.join(
        "".join(
            _DIGITS[slot.offset // UNIT]
            + _DIGITS[slot.length // UNIT]
            + (_FREE if slot.degree is None else _DIGITS[slot.degree])
            for slot in row
        )
        for row in theme.chords
    )
    melody = _ROW.join(
        "".join(
            _DIGITS[at // UNIT] + _DIGITS[min(max(step + _STEP_OFFSET, 0), 63)] + _ALTERATIONS[by]
            for at, (step, by) in row
        )
        for row in theme.melody
    )
    return chords, melody, theme.tones


def _theme(row: Sequence[str | int], bar: int) -> Theme:
    """The theme in the first columns of a row, for a style whose bars are ``bar`` ticks long."""
    chords, melody, tones = str(row[0]), str(row[1]), _whole(row[2], 0, OCTAVE)
    sung = tuple(map(_sung, melody.split(_ROW))) if melody else ()
    slots = tuple(_slots(text, tones) for text in chords.split(_ROW)) if chords else ()
    if any(at >= bar for notes in sung for at, _ in notes):
        raise ValueError("a note beyond its bar")
    if any(sum(slot.length for slot in chord_row) != bar for chord_row in slots):
        raise ValueError("chords do not fill their bars")
    if max(len(sung), len(slots)) > MOST_BARS or any(len(it) > MOST_NOTES for it in sung):
        raise ValueError("too long a theme")
    return Theme(slots, sung, bar if tones else 0, tones)


def _sung(text: str) -> Sung:
    found = []
    place = 0
    while place < len(text):
        at, step = _VALUES[text[place]], _VALUES[text[place + 1]] - _STEP_OFFSET
        by = _ALTERED.get(text[place + 2 : place + 3], 0)
        found.append((at * UNIT, (step, by)))
        place += 2 + (by != 0)
    return tuple(found)


def _slots(text: str, tones: int) -> tuple[ChordSlot, ...]:
    return tuple(
        ChordSlot(
            _VALUES[text[place]] * UNIT,
            _VALUES[text[place + 1]] * UNIT,
            None if text[place + 2] == _FREE else _whole(_VALUES[text[place + 2]], 0, tones - 1),
        )
        for place in range(0, len(text), 3)
    )


def _carried(it: Mapping[str, Any], themes: dict[str, Theme]) -> Carried:
    key = _key(it["was"]) if it["was"] else None
    degree = it["degree"]
    melody, voicing = it["melody"], it["voicing"]
    if not isinstance(voicing, list) or not 0 < len(voicing) <= _VOICES:
        raise ValueError("no voicing")
    pitches = [_whole(pitch, 0, _PITCHES - 1) for pitch in melody] if melody else []
    runs = it["runs"]
    if not isinstance(runs, list) or len(runs) > MOST_RUNS:
        raise ValueError("too many runs")
    return Carried(
        degree=None
        if degree is None
        else _whole(degree, 0, len(key.scale.steps) - 1 if key else 0),
        key=key,
        melody=(pitches[0], pitches[1]) if pitches else None,
        bass=None if it["bass"] is None else _whole(it["bass"], 0, _PITCHES - 1),
        voicing=tuple(_whole(pitch, 0, _PITCHES - 1) for pitch in voicing),
        section=_name(it["section"]),
        themes=themes,
        runs=dict(map(_run, runs)),
    )


def _name(text: Any) -> str:
    if not isinstance(text, str) or len(text) > _MOST_NAME:
        raise ValueError("no name")
    return text


def _run(row: Sequence[Any]) -> tuple[tuple[int, int, int, int], int]:
    at, step, count, up, times = (_whole(number, -_MOST_RUN, _MOST_RUN) for number in row)
    return (at, step, count, up), times


def _key_text(key: Field) -> str:
    return "".join(_DIGITS[step] for step in (key.tonic, *key.scale.steps))


def _key(text: Any) -> Field:
    tonic, *steps = (_whole(_VALUES[digit], 0, OCTAVE - 1) for digit in str(text))
    shape = shape_of_steps(tuple(steps))
    if shape is None:
        raise ValueError("no scale has these steps")
    return Field(shape, tonic)


def _asked(row: Sequence[Any]) -> Demand:
    """The demand in a row; levels are bounded to the range that the layers accept."""
    *levels, length, lift, weight, room, key, scale = row
    consonance, chromatic, liveliness, width = (_whole(level, 0, _WHOLE) for level in levels)
    pitch_class(key), SCALES[scale]
    return Demand(
        consonance,
        chromatic,
        liveliness,
        width,
        _whole(length, 1, _MOST_LENGTH),
        _whole(lift, -_MOST_LIFT, _MOST_LIFT),
        _whole(weight, -_WHOLE, _WHOLE),
        _whole(room, 1, _MOST_ROOM),
        key,
        scale,
    )


def _heard(row: Sequence[Any]) -> Heard:
    """The bars for which layers have played or rested."""
    melody, upper, bass, drums = (_whole(bars, -_MOST_HEARD, _MOST_HEARD) for bars in row)
    return melody, upper, bass, drums


def _whole(number: Any, lowest: int, highest: int) -> int:
    if not isinstance(number, int) or not lowest <= number <= highest:
        raise ValueError("not a number of a state")
    return number

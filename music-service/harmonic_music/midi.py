"""A score as a Standard MIDI File: one track and one channel per voice, drums on channel 10.

Notes are written as bytes: mido checks each message as it is created, which takes longer than
composing them.
"""

from collections.abc import Iterable
from io import BytesIO
from itertools import pairwise
from types import MappingProxyType

from mido import KeySignatureError, MetaMessage, MidiFile

from harmonic_music.composing import COMPOSER_VERSION
from harmonic_music.composing.memory import Theme, read_theme
from harmonic_music.score import TICKS_PER_BEAT, Score, Voice
from harmonic_music.theory.keys import signature

_TRACKS = MappingProxyType(
    {
        Voice.MELODY: "Melody",
        Voice.COUNTER: "Second voice",
        Voice.PADS: "Accompaniment",
        Voice.BASS: "Bass",
    }
)
#: Where a file stores its number of tracks, and where the first one's data begins.
_TRACKS_PLACE, _FIRST_CHUNK = 10, 22
#: The prefix of the text event that holds a piece's theme.
_THEME = "Theme "
#: Channels count from 0: General MIDI's percussion is on the tenth.
_DRUMS_CHANNEL = 9
_NOTE_ON, _NOTE_OFF, _PROGRAM = 0x90, 0x80, 0xC0
#: The length of a drum stroke's note: a thirty-second.
_STROKE_TICKS = TICKS_PER_BEAT // 8
_SEVEN_BITS, _CONTINUED = 0x7F, 0x80

#: A moment as one number, so that moments sort fast: tick, velocity (0 ends a note) and pitch.
_TICK_SHIFT, _VELOCITY_SHIFT = 16, 8


def render(score: Score) -> bytes:
    """The file's bytes: the same for the same score."""
    tracks = [_conductor(score)]
    for voice in Voice:
        notes = [note for note in score.played if note.voice == voice]
        if notes:
            moments = [
                moment
                for onset, _, pitch, length, velocity, _ in notes
                for moment in (
                    onset << _TICK_SHIFT | velocity << _VELOCITY_SHIFT | pitch,
                    (onset + length) << _TICK_SHIFT | pitch,
                )
            ]
            program = bytes((_PROGRAM | voice, score.programs.get(voice, 0)))
            tracks.append(_track(_TRACKS[voice], program, voice, moments, score.end))
    if score.strokes:
        moments = list(_stroke_moments(score))
        tracks.append(_track("Drums", b"", _DRUMS_CHANNEL, moments, score.end))
    header = (1).to_bytes(2, "big") + len(tracks).to_bytes(2, "big")
    header += TICKS_PER_BEAT.to_bytes(2, "big")
    return _chunk(b"MThd", header) + b"".join(_chunk(b"MTrk", track) for track in tracks)


def theme_of(file: bytes) -> Theme | None:
    """The theme that a file contains; ``None`` if it contains none."""
    try:
        tracks = MidiFile(file=BytesIO(_conductor_alone(file))).tracks
    except (OSError, EOFError, ValueError, LookupError, TypeError, KeySignatureError):
        return None
    texts = (message.text for message in tracks[0] if message.type == "text") if tracks else ()
    return next(
        (read_theme(text.removeprefix(_THEME)) for text in texts if text.startswith(_THEME)), None
    )


def _conductor_alone(file: bytes) -> bytes:
    """The file without the voices' tracks: reading them would take longer than all else."""
    length = int.from_bytes(file[_FIRST_CHUNK - 4 : _FIRST_CHUNK], "big")
    return file[:_TRACKS_PLACE] + b"\0\1" + file[_TRACKS_PLACE + 2 : _FIRST_CHUNK + length]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "big") + data


def _meta(kind: str, **values: object) -> bytes:
    written: list[int] = MetaMessage(kind, **values).bytes()
    return bytes(written)


def _conductor(score: Score) -> bytes:
    """The maker, tempo and signatures, and a marker where each section begins."""
    found = bytearray()
    for message in (
        _meta("track_name", name=f"{score.key} {score.scale}"),
        _meta("text", text=f"Composer version {COMPOSER_VERSION}"),
        _meta("text", text=f"Style {score.style}"),
        _meta("set_tempo", tempo=score.beat_us),
        _meta(
            "time_signature",
            numerator=score.meter.numerator,
            denominator=score.meter.denominator,
        ),
        _meta("key_signature", key=signature(score.key, score.scale)),
    ):
        found += b"\0" + message
    if score.theme:
        found += b"\0" + _meta("text", text=f"{_THEME}{score.theme}")
    onsets = (0, *(section.onset for section in score.sections))
    for (before, after), section in zip(pairwise(onsets), score.sections, strict=True):
        found += _delta(after - before) + _meta("marker", text=section.name)
    return bytes(found + _delta(score.end - onsets[-1]) + _meta("end_of_track"))


def _stroke_moments(score: Score) -> Iterable[int]:
    """The strokes' moments; each ends before its key is struck again, and with the piece."""
    again: dict[int, int] = {}
    last = score.end
    for onset, key, velocity in reversed(score.strokes):
        end = min(onset + _STROKE_TICKS, again.get(key, last), last)
        again[key] = onset
        if end > onset:
            yield onset << _TICK_SHIFT | velocity << _VELOCITY_SHIFT | key
            yield end << _TICK_SHIFT | key


def _track(name: str, opening: bytes, channel: int, moments: list[int], end: int) -> bytes:
    # A note ends before the next begins at the same tick: a repeated pitch sounds twice.
    moments.sort()
    found = bytearray(b"\0" + _meta("track_name", name=name))
    if opening:
        found += b"\0" + opening
    on, off, last = _NOTE_ON | channel, _NOTE_OFF | channel, 0
    for moment in moments:
        tick = moment >> _TICK_SHIFT
        velocity = moment >> _VELOCITY_SHIFT & _SEVEN_BITS
        delta = tick - last
        if delta <= _SEVEN_BITS:
            found.append(delta)
        else:
            found += _delta(delta)
        found += bytes((on if velocity else off, moment & _SEVEN_BITS, velocity))
        last = tick
    return bytes(found + _delta(end - last) + _meta("end_of_track"))


def _delta(ticks: int) -> bytes:
    """A time in the format's encoding: seven bits per byte; the last byte's top bit is 0."""
    found = [ticks & _SEVEN_BITS]
    ticks >>= 7
    while ticks:
        found.append(ticks & _SEVEN_BITS | _CONTINUED)
        ticks >>= 7
    return bytes(reversed(found))

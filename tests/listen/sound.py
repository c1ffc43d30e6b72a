"""A MIDI file as sound: its programs and drums, spread from left to right, in a room."""

import wave
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from pretty_midi import Note, PrettyMIDI

from listen.drums import strike
from listen.timbres import RATE, Samples, timbre_of, tone

#: After the last note, for it and the room to fade.
TAIL_S = 2.0
#: Notes within these steps of strength sound alike.
_STRENGTHS = 12
_PLACES = (0.0, -0.35, 0.3, -0.1, 0.5, -0.55)
_TONE_LOUDNESS, _DRUM_LOUDNESS, _WET = 0.2, 0.5, 0.16
_ROOM_S, _ROOM_FADING = 1.6, 5.0
#: What is made at once, in samples; and its bytes, of four a sample of each channel.
_PART = 20 * RATE
_PART_BYTES = 8 * _PART


def write_wav(midi: bytes, path: Path) -> None:
    """Stereo, 16 bits; as long as the file and ``TAIL_S`` more.

    It is made in parts of some seconds, so that the memory it takes does not grow with its length.
    """
    file = PrettyMIDI(BytesIO(midi))
    length = round((float(file.get_end_time()) + TAIL_S) * RATE)
    with TemporaryFile() as raw, wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        loudest = 1e-9
        for part in _parts(file, length):
            loudest = max(loudest, float(np.abs(part).max()))
            raw.write(part.T.astype("<f4").tobytes())
        raw.seek(0)
        while data := raw.read(_PART_BYTES):
            samples = np.frombuffer(data, dtype="<f4") * (0.9 * 32767 / loudest)
            out.writeframes(samples.astype("<i2").tobytes())


def _parts(file: PrettyMIDI, length: int) -> Iterator[Samples]:
    """The sound of a file, both channels, part by part."""
    dry, wet = _Tape(), _Tape()
    places = iter(_PLACES * 4)
    lines = [(it, 0.0 if it.is_drum else next(places)) for it in file.instruments]
    echoes = [_echo(side) for side in range(2)]
    for start in range(0, length, _PART):
        for instrument, place in lines:
            notes = [it for it in instrument.notes if start <= int(it.start * RATE) < start + _PART]
            if instrument.is_drum:
                _add_drums(dry, notes)
            else:
                _add_tones(dry, instrument.program, notes, place)
        part = dry.taken(_PART)
        wet.add(_reverberated(part, echoes), start)
        yield (part + _WET * wet.taken(_PART))[:, : length - start]


class _Tape:
    """Two channels from some sample on: what is before it was taken."""

    def __init__(self) -> None:
        self._begins = 0
        self._ahead = np.zeros((2, 0))

    def add(self, sound: Samples, start: int) -> None:
        """Add a sound of two channels that begins at a sample."""
        first = start - self._begins
        self._reach(first + sound.shape[1])
        self._ahead[:, first : first + sound.shape[1]] += sound

    def taken(self, count: int) -> Samples:
        """The next samples; nothing can be added to them any more."""
        self._reach(count)
        found, self._ahead = self._ahead[:, :count], self._ahead[:, count:].copy()
        self._begins += count
        return found

    def _reach(self, count: int) -> None:
        missing = count - self._ahead.shape[1]
        if missing > 0:
            self._ahead = np.pad(self._ahead, ((0, 0), (0, missing)))


def _placed(sound: Samples, place: float) -> Samples:
    """``place`` is from -1, left, to 1, right; both sides are as loud together wherever it is."""
    angle = (place + 1) * np.pi / 4
    result: Samples = np.outer((np.cos(angle), np.sin(angle)), sound)
    return result


def _add_drums(tape: _Tape, notes: Iterable[Note]) -> None:
    for note in notes:
        loudness = _DRUM_LOUDNESS * (note.velocity / 127) ** 1.6
        sound = _placed(loudness * strike(note.pitch), (note.pitch % 7 - 3) / 8)
        tape.add(sound, int(note.start * RATE))


def _add_tones(tape: _Tape, program: int, all_notes: Iterable[Note], place: float) -> None:
    """Notes of the same pitch and strength are made once, as long as the longest of them."""
    timbre = timbre_of(program)
    alike: dict[tuple[int, int], list[Note]] = defaultdict(list)
    for note in all_notes:
        alike[note.pitch, note.velocity * _STRENGTHS // 128].append(note)
    for (pitch, strength), notes in alike.items():
        longest = max(note.end - note.start for note in notes) + timbre.release
        made = tone(timbre, pitch, (strength + 0.5) / _STRENGTHS, longest)
        for note in notes:
            held = note.end - note.start
            sound = made[: int((held + timbre.release) * RATE)].copy()
            after = np.arange(len(sound)) / RATE - held
            sound *= np.clip(1 - after / timbre.release, 0, 1) ** 2
            sound *= _TONE_LOUDNESS * (note.velocity / 127) ** 1.6
            tape.add(_placed(sound, place), int(note.start * RATE))


def _echo(seed: int) -> Samples:
    """What a room answers to a click: noise that fades, after a moment."""
    time = np.arange(int(_ROOM_S * RATE)) / RATE
    echo = np.random.default_rng(seed).standard_normal(len(time)) * np.exp(-_ROOM_FADING * time)
    echo = np.convolve(echo, np.ones(5) / 5, mode="same") / 20
    echo[: int(0.012 * RATE)] = 0
    return echo


def _reverberated(dry: Samples, echoes: Sequence[Samples]) -> Samples:
    """A part in a room, with what the room answers after its end."""
    whole = dry.shape[1] + len(echoes[0]) - 1
    size = 1 << whole.bit_length()
    wet = [
        np.fft.irfft(np.fft.rfft(channel, size) * np.fft.rfft(echo, size), size)[:whole]
        for channel, echo in zip(dry, echoes, strict=True)
    ]
    return np.stack(wet)

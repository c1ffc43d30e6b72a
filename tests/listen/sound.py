"""A MIDI file as sound: its programs and drums, spread from left to right, in a room."""

import wave
from collections import defaultdict
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from pretty_midi import Instrument, Note, PrettyMIDI

from listen.drums import strike
from listen.timbres import RATE, Samples, timbre_of, tone

#: After the last note, for it and the room to fade.
TAIL_S = 2.0
#: Notes within these steps of strength sound alike.
_STRENGTHS = 12
_PLACES = (0.0, -0.35, 0.3, -0.1, 0.5, -0.55)
_TONE_LOUDNESS, _DRUM_LOUDNESS, _WET = 0.2, 0.5, 0.16
_ROOM_S, _ROOM_FADING = 1.6, 5.0


def write_wav(midi: bytes, path: Path) -> None:
    """Stereo, 16 bits; as long as the file and ``TAIL_S`` more."""
    file = PrettyMIDI(BytesIO(midi))
    mixed = np.zeros((2, round((_seconds(file) + TAIL_S) * RATE)))
    places = iter(_PLACES * 4)
    for instrument in file.instruments:
        if instrument.is_drum:
            _add_drums(mixed, instrument.notes)
        else:
            _add_tones(mixed, instrument, next(places))
    mixed += _WET * np.stack([_room(channel, seed) for seed, channel in enumerate(mixed)])
    mixed *= 0.9 / max(1e-9, np.abs(mixed).max())
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((mixed.T * 32767).astype("<i2").tobytes())


def _seconds(file: PrettyMIDI) -> float:
    return float(file.get_end_time())


def _add(mixed: Samples, sound: Samples, start_s: float, place: float) -> None:
    """``place`` is from -1, left, to 1, right; both sides are as loud together wherever it is."""
    start = int(start_s * RATE)
    sound = sound[: mixed.shape[1] - start]
    angle = (place + 1) * np.pi / 4
    for side, level in enumerate((np.cos(angle), np.sin(angle))):
        mixed[side, start : start + len(sound)] += level * sound


def _add_drums(mixed: Samples, notes: Iterable[Note]) -> None:
    for note in notes:
        loudness = _DRUM_LOUDNESS * (note.velocity / 127) ** 1.6
        _add(mixed, loudness * strike(note.pitch), note.start, (note.pitch % 7 - 3) / 8)


def _add_tones(mixed: Samples, instrument: Instrument, place: float) -> None:
    """Notes of the same pitch and strength are made once, as long as the longest of them."""
    timbre = timbre_of(instrument.program)
    alike: dict[tuple[int, int], list[Note]] = defaultdict(list)
    for note in instrument.notes:
        alike[note.pitch, note.velocity * _STRENGTHS // 128].append(note)
    for (pitch, strength), notes in alike.items():
        longest = max(note.end - note.start for note in notes) + timbre.release
        made = tone(timbre, pitch, (strength + 0.5) / _STRENGTHS, longest)
        for note in notes:
            held = note.end - note.start
            sound = made[: int((held + timbre.release) * RATE)].copy()
            after = np.arange(len(sound)) / RATE - held
            sound *= np.clip(1 - after / timbre.release, 0, 1) ** 2
            _add(mixed, _TONE_LOUDNESS * (note.velocity / 127) ** 1.6 * sound, note.start, place)


def _room(dry: Samples, seed: int) -> Samples:
    """What a room makes of it: noise that fades, after a moment."""
    time = np.arange(int(_ROOM_S * RATE)) / RATE
    echo = np.random.default_rng(seed).standard_normal(len(time)) * np.exp(-_ROOM_FADING * time)
    echo = np.convolve(echo, np.ones(5) / 5, mode="same") / 20
    echo[: int(0.012 * RATE)] = 0
    size = 1 << (len(dry) + len(echo)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(echo, size), size)
    result: Samples = wet[: len(dry)]
    return result

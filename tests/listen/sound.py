"""A piece as sound: a few partials a note, plucked or held by voice; enough to judge notes by."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harmonic_music.score import Score, ScoreNote, Voice

RATE = 22_050
_ATTACK_S = {Voice.MELODY: 0.008, Voice.PADS: 0.06, Voice.BASS: 0.015}
_RELEASE_S = 0.12
#: The strength of each partial, and how fast a note fades in e-foldings a second.
_PARTIALS = {
    Voice.MELODY: (1.0, 0.5, 0.25, 0.12, 0.06),
    Voice.PADS: (1.0, 0.3, 0.12, 0.05),
    Voice.BASS: (1.0, 0.6, 0.2),
}
_FADING = {Voice.MELODY: 1.6, Voice.PADS: 0.5, Voice.BASS: 1.2}
_LOUDNESS = {Voice.MELODY: 0.5, Voice.PADS: 0.22, Voice.BASS: 0.5}


def write_wav(score: Score, path: Path) -> None:
    """Mono, 16 bits."""
    mixed = np.zeros(int((score.duration + 1) * RATE))
    for event in score.events:
        sound = _note(event, score.beat_us)
        start = int(event.onset * score.beat_us / 480e6 * RATE)
        mixed[start : start + len(sound)] += sound[: len(mixed) - start]
    mixed *= 0.9 / max(1e-9, np.abs(mixed).max())
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((mixed * 32767).astype("<i2").tobytes())


def _note(event: ScoreNote, beat_us: int) -> NDArray[np.float64]:
    held_s = event.length * beat_us / 480e6
    time = np.arange(int((held_s + _RELEASE_S) * RATE)) / RATE
    frequency = 440 * 2 ** ((event.pitch - 69) / 12)
    sound = np.zeros_like(time)
    for number, strength in enumerate(_PARTIALS[event.voice], start=1):
        if number * frequency < RATE / 2:
            sound += strength * np.sin(2 * np.pi * number * frequency * time)
    attack = np.minimum(1, time / _ATTACK_S[event.voice])
    release = np.clip((held_s + _RELEASE_S - time) / _RELEASE_S, 0, 1)
    fading = np.exp(-_FADING[event.voice] * time)
    loudness = _LOUDNESS[event.voice] * (event.velocity / 127) ** 1.5
    result: NDArray[np.float64] = sound * attack * release * fading * loudness
    return result

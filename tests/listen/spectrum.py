"""A sound as a picture: time to the right, frequency upwards, an octave as high as any other."""

import wave
from pathlib import Path

import numpy as np

from listen.picture import Image, png
from listen.timbres import Samples

_WINDOW = 4096
_LOWEST_HZ, _OCTAVES, _PIXELS_AN_OCTAVE = 40.0, 8, 56
_WIDEST_PIXELS = 1800
_PIXELS_A_SECOND = 50
#: What is so much softer than the loudest is black.
_RANGE_DB = 80.0
#: From silence to the loudest.
_COLOURS = np.array([(0, 0, 4), (60, 15, 110), (165, 44, 96), (237, 105, 37), (252, 255, 164)])


def write_spectrogram(sound: Path, picture: Path) -> None:
    """Of a WAV file with two channels; a line for each octave of A."""
    with wave.open(str(sound)) as file:
        rate = file.getframerate()
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    mono = frames.reshape(-1, 2).mean(axis=1)
    picture.write_bytes(png(_drawn(mono, rate)))


def _drawn(mono: Samples, rate: int) -> Image:
    width = min(_WIDEST_PIXELS, max(1, int(len(mono) / rate * _PIXELS_A_SECOND)))
    padded = np.pad(mono, _WINDOW)
    starts = np.linspace(_WINDOW // 2, len(mono) + _WINDOW // 2, width).astype(int)
    window = np.hanning(_WINDOW)
    spectra = [np.abs(np.fft.rfft(padded[at : at + _WINDOW] * window)) for at in starts]
    height = _OCTAVES * _PIXELS_AN_OCTAVE
    pitches = _LOWEST_HZ * 2 ** (np.arange(height)[::-1] / _PIXELS_AN_OCTAVE)
    bins = np.clip((pitches * _WINDOW / rate).round().astype(int), 1, _WINDOW // 2)
    power = np.array(spectra)[:, bins].T
    decibels = 20 * np.log10(power / max(1e-9, power.max()) + 1e-9)
    share = np.clip(1 + decibels / _RANGE_DB, 0, 1) * (len(_COLOURS) - 1)
    stops = np.arange(len(_COLOURS))
    image = np.stack([np.interp(share, stops, _COLOURS[:, part]) for part in range(3)], axis=-1)
    for octave in range(_OCTAVES):
        row = height - 1 - round(np.log2(55 * 2**octave / _LOWEST_HZ) * _PIXELS_AN_OCTAVE)
        image[max(0, row), ::4] = (120, 120, 120)
    return image.astype(np.uint8)

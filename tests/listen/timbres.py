"""How instruments sound, roughly: a timbre for each family of General MIDI and some programs."""

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

RATE = 32_000
Samples = NDArray[np.float64]

_PROGRAMS_A_FAMILY = 8


@dataclass(frozen=True, slots=True)
class Timbre:
    """Partials and what becomes of them while a note sounds. Times are in seconds.

    ``strengths`` are those of the harmonic partials; beyond them nothing sounds. ``ratios`` stand
    in for harmonics where partials are no multiples, and ``stretched`` strings are a little sharp.
    Every partial fades by ``fading`` e-foldings a second, higher ones by ``fading_more`` times
    their number in addition; 0 holds them. Each rises ``rising`` later than the one below it. The
    higher ``bright``, the fewer high partials has a soft note. ``voices`` play together, ``apart``
    cents from each other. ``formants`` are frequencies that the body strengthens, and how much.
    All are equally loud at first in the middle of the keyboard, times ``loudness``.
    """

    strengths: tuple[float, ...]
    attack: float = 0.005
    release: float = 0.12
    fading: float = 0.0
    fading_more: float = 0.0
    ratios: tuple[float, ...] = ()
    stretched: float = 0.0
    bright: float = 0.6
    rising: float = 0.0
    vibrato_cents: float = 0.0
    tremolo: float = 0.0
    tremolo_hz: float = 5.5
    breath: float = 0.0
    voices: int = 1
    apart: float = 0.0
    formants: tuple[tuple[float, float], ...] = ()
    loudness: float = 1.0


def _saw(count: int, slope: float = 1.0) -> tuple[float, ...]:
    return tuple(n**-slope for n in range(1, count + 1))


def _plucked(count: int, place: float, slope: float = 1.0) -> tuple[float, ...]:
    """A string plucked or struck at a part of its length."""
    return tuple(abs(float(np.sin(n * np.pi * place))) / n**slope for n in range(1, count + 1))


_PIANO = Timbre(_plucked(16, 0.12), 0.003, 0.16, 0.9, 0.28, stretched=0.0004, bright=1.0)
_MALLET = Timbre((1, 0.35, 0.12), 0.002, 0.3, 3.5, 2.0, ratios=(1, 3.93, 9.2), bright=0.8)
_ORGAN = Timbre((1, 0.8, 0.5, 0.5, 0.1, 0.3, 0.05, 0.2), 0.015, 0.08, bright=0.1)
_GUITAR = Timbre(_plucked(14, 0.21), 0.003, 0.1, 1.7, 0.35, stretched=0.0001, bright=0.9)
_BASS = Timbre(_plucked(9, 0.25, 1.3), 0.006, 0.09, 1.1, 0.5, bright=0.8, loudness=1.4)
_BOWED = Timbre(
    _saw(18, 1.1),
    0.07,
    0.16,
    vibrato_cents=9,
    breath=0.012,
    bright=0.7,
    rising=0.006,
    formants=((450, 1.2), (1100, 0.9), (2800, 0.7)),
)
_ENSEMBLE = replace(_BOWED, attack=0.14, release=0.35, voices=3, apart=9)
_BRASS = Timbre(_saw(16, 0.9), 0.03, 0.1, vibrato_cents=3, bright=1.3, rising=0.012)
_REED = Timbre(
    _saw(14, 1.0), 0.03, 0.09, vibrato_cents=6, breath=0.012, bright=0.8,
    formants=((550, 1.0), (1300, 1.2), (2600, 0.8)),
)  # fmt: skip
_PIPE = Timbre(
    (1, 0.32, 0.14, 0.05, 0.02), 0.045, 0.1, vibrato_cents=7, tremolo=0.08, breath=0.05,
    bright=0.5,
)  # fmt: skip
_LEAD = Timbre(_saw(16, 1.15), 0.008, 0.1, 0.25, voices=2, apart=7, vibrato_cents=5)
_PAD = Timbre(_saw(10, 1.4), 0.3, 0.6, voices=3, apart=11, bright=0.2)
_CHOIR = Timbre(
    _saw(22, 0.9), 0.12, 0.3, vibrato_cents=10, voices=3, apart=10, bright=0.4,
    formants=((620, 2.0), (1080, 1.2), (2700, 0.5)),
)  # fmt: skip

#: By family: program numbers divided by eight.
_FAMILIES = (
    _PIANO,
    _MALLET,
    _ORGAN,
    _GUITAR,
    _BASS,
    _BOWED,
    _ENSEMBLE,
    _BRASS,
    _REED,
    _PIPE,
    _LEAD,
    _PAD,
    replace(_PAD, attack=0.08, fading=0.3),
    replace(_GUITAR, fading=2.6, bright=1.1),
    replace(_MALLET, fading=6.0),
    replace(_PAD, breath=0.1),
)
#: Programs, counted from 0, that do not sound like the rest of their family.
_PROGRAMS = MappingProxyType(
    {
        1: replace(_PIANO, bright=1.3, fading=1.1),
        4: Timbre((1, 0.2, 0.05, 0.12), 0.004, 0.2, 1.1, 0.6, bright=1.2, tremolo=0.12),
        6: Timbre(_plucked(24, 0.09, 0.7), 0.001, 0.07, 1.8, 0.12, bright=0.1),
        8: replace(_MALLET, strengths=(1, 0.25, 0.1), ratios=(1, 2.76, 5.4), fading=2.0),
        9: replace(_MALLET, ratios=(1, 2.76, 5.4), fading=2.2),
        11: Timbre(
            (1, 0.25, 0.06), 0.003, 0.5, 0.8, 1.2, ratios=(1, 4, 10), tremolo=0.25, bright=0.8
        ),
        14: Timbre(
            (0.6, 1, 0.5, 0.4, 0.25), 0.003, 1.0, 0.7, 0.4, ratios=(0.5, 1, 1.19, 2, 2.74)
        ),
        19: replace(_ORGAN, attack=0.05, release=0.4, voices=2, apart=5),
        21: replace(_REED, voices=2, apart=12, attack=0.03, formants=()),
        22: replace(_REED, breath=0.02),
        24: replace(_GUITAR, strengths=_plucked(10, 0.3, 1.3), fading=2.2),
        32: replace(_BASS, strengths=_plucked(7, 0.3, 1.6), fading=1.6),
        35: replace(_BASS, attack=0.02, vibrato_cents=6, fading=0.6),
        42: replace(_BOWED, formants=((300, 1.4), (700, 1.0), (1800, 0.7))),
        43: replace(_BOWED, formants=((200, 1.4), (500, 0.9))),
        44: replace(_ENSEMBLE, tremolo=0.45, tremolo_hz=9),
        45: Timbre(_plucked(10, 0.3, 1.2), 0.003, 0.08, 5.5, 0.8, bright=0.8),
        46: Timbre(_plucked(12, 0.3, 1.2), 0.003, 0.6, 1.6, 0.4, bright=0.7),
        47: Timbre((1, 0.5, 0.3, 0.2), 0.004, 0.5, 2.2, 1.0, ratios=(1, 1.5, 1.98, 2.44)),
        52: _CHOIR,
        53: _CHOIR,
        54: _CHOIR,
        56: replace(_BRASS, bright=1.5),
        58: replace(_BRASS, strengths=_saw(9, 1.3)),
        60: replace(_BRASS, strengths=_saw(10, 1.25), attack=0.05, bright=0.9),
        68: replace(_REED, formants=((1000, 1.5), (2900, 1.0))),
        70: replace(_REED, formants=((480, 1.8), (1200, 0.8))),
        71: replace(
            _REED,
            strengths=(1, 0.05, 0.6, 0.06, 0.35, 0.06, 0.2, 0.05, 0.12),
            formants=(),
            vibrato_cents=2,
        ),
        78: replace(_PIPE, breath=0.02, vibrato_cents=14),
        80: Timbre((1, 0, 1 / 3, 0, 1 / 5, 0, 1 / 7, 0, 1 / 9), 0.006, 0.08),
        105: replace(_GUITAR, strengths=_plucked(18, 0.1, 0.9), fading=3.0),
        108: replace(_MALLET, strengths=(1, 0.2, 0.1), ratios=(1, 5.4, 6.3), fading=3.0),
        110: replace(_BOWED, attack=0.035, vibrato_cents=5),
    }
)  # fmt: skip


def timbre_of(program: int) -> Timbre:
    """A program's own, or its family's."""
    return _PROGRAMS.get(program, _FAMILIES[program // _PROGRAMS_A_FAMILY])


def tone(timbre: Timbre, pitch: int, strength: float, seconds: float) -> Samples:
    """A note that is held for so long, without its end; ``strength`` is from 0 to 1."""
    return _raw(timbre, pitch, strength, seconds) * timbre.loudness / _level(timbre)


@lru_cache(maxsize=128)
def _level(timbre: Timbre) -> float:
    """The root of the mean square of the loudest quarter of a second."""
    sound = _raw(timbre, 60, 0.7, 1.0)
    parts = sound[: 4 * (len(sound) // 4)].reshape(4, -1)
    return float(np.sqrt((parts**2).mean(axis=1).max()))


def _raw(timbre: Timbre, pitch: int, strength: float, seconds: float) -> Samples:
    time = np.arange(max(1, int(seconds * RATE))) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    chance = np.random.default_rng(pitch)
    sound = np.zeros_like(time)
    for voice in range(timbre.voices):
        cents = timbre.apart * (voice - (timbre.voices - 1) / 2)
        phase = _phase(timbre, frequency * 2 ** (cents / 1200), time, chance.random())
        sound += _partials(timbre, frequency, phase, time, strength=strength, chance=chance)
    sound /= timbre.voices**0.5
    if timbre.breath:
        noise = np.convolve(chance.standard_normal(len(time)), np.ones(6) / 6, mode="same")
        sound += timbre.breath * noise
    if timbre.tremolo:
        sound *= 1 - timbre.tremolo * (0.5 + 0.5 * np.cos(2 * np.pi * timbre.tremolo_hz * time))
    result: Samples = sound * np.minimum(1, time / timbre.attack)
    return result


def _phase(timbre: Timbre, frequency: float, time: Samples, start: float) -> Samples:
    """Of the fundamental, in turns; vibrato comes in after a moment."""
    phase: Samples = frequency * time + start * (timbre.voices > 1)
    if timbre.vibrato_cents:
        depth = frequency * (2 ** (timbre.vibrato_cents / 1200) - 1) * np.clip(time / 0.6, 0, 1)
        phase = phase - depth * np.cos(2 * np.pi * (5.3 * time + start)) / (2 * np.pi * 5.3)
    return phase


def _partials(
    timbre: Timbre,
    frequency: float,
    phase: Samples,
    time: Samples,
    *,
    strength: float,
    chance: np.random.Generator,
) -> Samples:
    sound = np.zeros_like(time)
    # High strings and bars lose their sound sooner.
    register = 2 ** ((np.log2(frequency / 261.6)) / 2)
    for number, part in enumerate(timbre.strengths, start=1):
        ratio = timbre.ratios[number - 1] if timbre.ratios else float(number)
        ratio *= (1 + timbre.stretched * number**2) ** 0.5
        if not part or ratio * frequency > 0.45 * RATE:
            continue
        level = part * strength ** (timbre.bright * (number - 1) / 4)
        level *= _formed(timbre, ratio * frequency)
        partial = level * np.sin(2 * np.pi * (ratio * phase + chance.random()))
        if timbre.fading:
            rate = register * timbre.fading * (1 + timbre.fading_more * (number - 1))
            partial *= 0.75 * np.exp(-rate * 1.6 * time) + 0.25 * np.exp(-rate * 0.5 * time)
        if timbre.rising:
            partial *= np.minimum(1, time / (timbre.attack + timbre.rising * number))
        sound += partial
    return sound


def _formed(timbre: Timbre, frequency: float) -> float:
    """How much the body of an instrument strengthens a frequency."""
    if not timbre.formants:
        return 1.0
    peaks = (gain * np.exp(-((np.log2(frequency / at) / 0.5) ** 2)) for at, gain in timbre.formants)
    return 0.35 + float(sum(peaks))

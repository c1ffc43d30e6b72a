"""General MIDI's percussion keys as sound: noise, and skins and metal that ring."""

from functools import lru_cache
from types import MappingProxyType

import numpy as np

from listen.timbres import RATE, Samples


@lru_cache(maxsize=128)
def strike(key: int) -> Samples:
    """One stroke, at full strength."""
    time = np.arange(int(_LENGTHS_S.get(key, 0.25) * RATE)) / RATE
    noise = np.random.default_rng(key).standard_normal(len(time))
    if key in _SKINS:
        lowest, drop, fading, rattle = _SKINS[key]
        turns = np.cumsum(lowest * (1 + drop * np.exp(-time * 35))) / RATE
        body = np.sin(2 * np.pi * turns) * np.exp(-fading * time)
        return body + rattle * _high(noise, 1) * np.exp(-0.8 * fading * time)
    if key in _METALS:
        pitch, fading, ring = _METALS[key]
        partials = sum(np.sin(2 * np.pi * pitch * ratio * time) for ratio in _METAL_RATIOS)
        return (ring * partials / 6 + (1 - ring) * _high(noise, 2)) * np.exp(-fading * time) * 0.6
    if key in _CLICKS:
        pitch, fading = _CLICKS[key]
        return np.sin(2 * np.pi * pitch * time) * np.exp(-fading * time) * 0.7
    softness, fading = _SHAKEN.get(key, (0.004, 25.0))
    swell = np.minimum(1, time / softness)
    result: Samples = _high(noise, 2) * swell * np.exp(-fading * time) * 0.4
    return result


def _high(noise: Samples, times: int) -> Samples:
    """Noise without its low part, as loud as before."""
    for _ in range(times):
        noise = np.diff(noise, prepend=0.0)
    result: Samples = noise / 2 ** (times / 2 + 0.5)
    return result


_METAL_RATIOS = (1.0, 1.342, 1.681, 2.153, 2.713, 3.419)
#: By key: the lowest frequency, how far it drops to it, its fading, and how much rattles.
_SKINS = MappingProxyType(
    {
        35: (46.0, 2.0, 9.0, 0.02),
        36: (52.0, 2.4, 11.0, 0.03),
        38: (185.0, 0.4, 17.0, 0.75),
        40: (200.0, 0.4, 18.0, 0.8),
        39: (900.0, 0.1, 26.0, 0.9),
        41: (85.0, 0.5, 8.0, 0.06),
        43: (98.0, 0.5, 8.0, 0.06),
        45: (118.0, 0.5, 9.0, 0.06),
        47: (145.0, 0.5, 9.0, 0.06),
        48: (170.0, 0.5, 10.0, 0.06),
        50: (205.0, 0.5, 10.0, 0.06),
        60: (420.0, 0.15, 18.0, 0.03),
        61: (300.0, 0.15, 16.0, 0.03),
        62: (330.0, 0.1, 24.0, 0.04),
        63: (320.0, 0.15, 13.0, 0.03),
        64: (220.0, 0.15, 12.0, 0.03),
        65: (380.0, 0.2, 10.0, 0.1),
        66: (280.0, 0.2, 9.0, 0.1),
    }
)
#: By key: the pitch, the fading, and how much rings rather than hisses.
_METALS = MappingProxyType(
    {
        42: (3300.0, 55.0, 0.25),
        44: (3100.0, 45.0, 0.25),
        46: (3200.0, 7.0, 0.25),
        49: (2600.0, 2.6, 0.15),
        51: (2300.0, 4.5, 0.45),
        52: (2400.0, 3.0, 0.2),
        53: (1700.0, 5.0, 0.75),
        55: (3000.0, 5.0, 0.15),
        56: (560.0, 18.0, 0.95),
        57: (2500.0, 2.6, 0.15),
        59: (2200.0, 4.5, 0.45),
        80: (4200.0, 30.0, 0.95),
        81: (4200.0, 3.0, 0.95),
    }
)
#: By key: the pitch and the fading.
_CLICKS = MappingProxyType(
    {37: (1700.0, 60.0), 75: (2500.0, 50.0), 76: (1100.0, 45.0), 77: (800.0, 45.0)}
)
#: By key: how long it swells, and its fading.
_SHAKEN = MappingProxyType({54: (0.002, 14.0), 69: (0.02, 30.0), 70: (0.015, 40.0)})
_LENGTHS_S = MappingProxyType(
    {35: 0.5, 36: 0.5, 46: 0.6, 49: 1.8, 51: 1.2, 52: 1.5, 53: 1.0, 55: 1.0, 57: 1.8, 59: 1.2}
    | dict.fromkeys((41, 43, 45, 47, 48, 50), 0.6)
    | {81: 1.0, 65: 0.4, 66: 0.4, 63: 0.4, 64: 0.4}
)

"""``python -m music_service.golden``: one digest of many pieces, notes and MIDI files alike.

It needs nothing but the product, so that any interpreter and machine can be asked for it. Two that
print the same make the same pieces, bit for bit.
"""

import hashlib
import platform
import sys
from collections.abc import Iterator
from itertools import product

import numpy as np

from harmonic_music.composing import COMPOSER_VERSION, CompositionRequest
from harmonic_music.performing import perform
from harmonic_protocol.messages.music import MAX_DURATION_S, MAX_SEED
from music_service.measures import asked
from music_service.validity import KEYS, SCALE_NAMES

#: By the composer's version: whoever changes pieces counts it up, and adds its digest here.
DIGESTS = {
    2: "edd93f2bf82adc23cf6ec1250d1f836e",
    3: "5bcdd7050196e792506b8bfe7f56cbff",
    4: "51b4417d5113f75bb3c76f2578cf7166",
    5: "f0cb900ba694f5f574d1725adb8d9036",
}
_ROUNDS = 3
_DURATIONS_S = (8.0, 0.1, 31.4, 2.0, MAX_DURATION_S, 64.0, 1e-9)


def requests() -> Iterator[CompositionRequest]:
    """Every scale with other keys, durations, seeds and places in the ranges of all parameters."""
    for number, (_, scale) in enumerate(product(range(_ROUNDS), SCALE_NAMES)):
        # Primes, so that no two parameters go together.
        part = [(number * step % 101) / 100 for step in (37, 41, 43, 47, 53, 59, 61, 67)]
        music, physics = asked(
            scale=scale,
            key=KEYS[number * 5 % len(KEYS)],
            harmony=part[0],
            tempo=40 + 160 * part[1],
            rhythm_complexity=part[2],
            melody_range=part[3],
            gravity=20 * part[4],
            friction=part[5],
            elasticity=part[6],
            air_resistance=part[7],
            time_scale=0.1 + 4.9 * part[number % 8],
        )
        seed = MAX_SEED - number if number % 2 else number
        duration = _DURATIONS_S[number % len(_DURATIONS_S)]
        yield CompositionRequest(music, physics, duration, seed)


def digest() -> str:
    """All pieces in one."""
    found = hashlib.sha256()
    for request in requests():
        made = perform(request)
        found.update(made.members(None))
        found.update(made.midi)
    return found.hexdigest()[:32]


def main() -> int:
    """Say what was made, where and by what; 1 if that is not what this version makes."""
    made = digest()
    print(
        f"{made} by composer {COMPOSER_VERSION} on Python {platform.python_version()}, "
        f"numpy {np.__version__}, {platform.machine()}"
    )
    return 0 if made == DIGESTS.get(COMPOSER_VERSION) else 1


if __name__ == "__main__":
    sys.exit(main())

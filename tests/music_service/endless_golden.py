"""``python -m music_service.endless_golden [BARS]``: one digest of many bars of endless pieces.

It needs nothing but the product, so that any interpreter and machine can be asked for it. Two that
print the same compose the same bars from the same records, and leave the same states.
"""

import hashlib
import platform
import random
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from harmonic_music.endless import compose_bar
from harmonic_music.styles.catalogue import STYLES
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service.validity import KEYS, SCALE_NAMES

#: Of 120 bars, by the version of the composer of bars: whoever changes bars raises it, and adds
#: theirs here.
DIGESTS = {2: "33bafea64a5e073ae210078c6272587f"}

Record = tuple[MusicParameters, PhysicsParameters]

#: Each stream has so many bars; in one bar of so many a slider moves.
_BARS, _MOVED = 100, 7


def records(
    seed: int, *, every: int = _MOVED, scales: Sequence[str] = SCALE_NAMES
) -> Iterator[Record]:
    """A stream's parameters bar by bar, for ever: every so many bars one of them moves."""
    rng = random.Random(seed)
    music, physics = MusicParameters(), PhysicsParameters()
    while True:
        for _ in range(every):
            yield music, physics
        unit = rng.randrange(1001) / 1000
        music_moves: list[dict[str, object]] = [
            {"tempo": 40 + 160 * unit},
            {"key": rng.choice(KEYS)},
            {"scale": rng.choice(scales)},
            {"harmony": unit},
            {"rhythm_complexity": unit},
            {"melody_range": unit},
        ]
        physics_moves: list[dict[str, object]] = [
            {"gravity": 20 * unit},
            {"friction": unit},
            {"elasticity": unit},
            {"air_resistance": unit},
            {"time_scale": 0.1 + 4.9 * unit},
        ]
        at = rng.randrange(len(music_moves) + len(physics_moves))
        if at < len(music_moves):
            music = music.model_copy(update=music_moves[at])
        else:
            physics = physics.model_copy(update=physics_moves[at - len(music_moves)])


def digest(bars: int) -> str:
    """So many bars in one, of streams in all styles."""
    found = hashlib.sha256()
    styles = (None, *STYLES)
    for stream in range(-(-bars // _BARS)):
        state = None
        for number, (music, physics) in zip(range(_BARS), records(stream), strict=False):
            bar = compose_bar(
                music,
                physics,
                style=styles[stream % len(styles)],
                seed=stream * 0x9E3779B97F4A7 % (1 << 53),
                bar=number,
                state=state,
            )
            state = bar.next_state
            found.update(repr((bar.notes, bar.drums, bar.duration_us, bar.key, state)).encode())
    return found.hexdigest()[:32]


def main() -> int:
    """Say what was made, where, by what and at which cost."""
    bars = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    started = time.process_time()
    made = digest(bars)
    spent = time.process_time() - started
    print(
        f"{made} of {bars} bars on Python {platform.python_version()}, numpy {np.__version__}, "
        f"{platform.machine()}: {bars / spent:.0f} bars a CPU-second"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

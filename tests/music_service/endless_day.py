"""``python -m music_service.endless_day DIR``: a day of the endless piece, measured and drawn.

It prints what it costs, how long the longest passage is that comes twice, how large the state gets,
and how intensity, keys and textures are spread; the curves are drawn into ``DIR``. Every so many
bars a slider moves, or none does.
"""

import argparse
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonic_music.endless import ComposedBar, compose_bar
from harmonic_music.endless.wire import read
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from listen.picture import png
from music_service.endless_golden import Record, records

Series = NDArray[np.float64]

_KEY_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_MOVED_SCALES = ("major", "minor", "dorian", "mixolydian", "harmonic_minor", "lydian")
_LOUD = 60
_WIDTH, _HEIGHT, _MARGIN = 1800, 220, 8
_INK, _FAINT = (40, 70, 140), (225, 225, 225)


@dataclass(frozen=True, slots=True)
class Measured:
    """A bar in numbers: how loud, how dense a beat, who plays, in which key and section."""

    loudness: float
    density: float
    layers: frozenset[str]
    key: tuple[int, str]
    section: str
    opens: bool
    all_notes: Hashable
    melody: Hashable


def calm_records(moves_every: int, seed: int) -> Iterator[Record]:
    """The parameters bar by bar, for ever: one of them moves every so many bars, if any does."""
    if not moves_every:
        return repeat((MusicParameters(), PhysicsParameters()))
    return records(seed, every=moves_every, scales=_MOVED_SCALES)


def measured(bar: ComposedBar, state: str | None) -> Measured:
    """What there is to say of a bar, whatever its tempo."""
    beats = STYLES[bar.style].meter.bar / 12
    sixteenth = bar.duration_s / (4 * beats)
    grid = sorted((it.pitch, round(it.start / sixteenth), it.voice) for it in bar.notes)
    layers = {it.voice for it in bar.notes} | ({"drums"} if bar.drums else set())
    position = read(state or bar.next_state)
    key = position.segment.key if position else None
    named = next(
        (name for name, shape in SCALES.items() if key and shape.steps == key.scale.steps), ""
    )
    return Measured(
        loudness=float(np.mean([it.velocity for it in bar.notes])) if bar.notes else 0.0,
        density=(len(bar.notes) + len(bar.drums)) / beats,
        layers=frozenset(layers),
        key=(key.tonic if key else 0, named),
        section=bar.section,
        opens=bar.opens,
        all_notes=tuple(grid),
        melody=tuple(it[:2] for it in grid if it[2] == "melody"),
    )


def longest_repeat(bars: Sequence[Hashable]) -> int:
    """How many bars the longest passage has that is heard twice, overlaps included."""
    #: By powers of two, the names of passages of that length, one for each place: alike where
    #: they are the same.
    names = [_named(bars)]
    while len(names[-1]) > 1 << (len(names) - 1):
        one, half = names[-1], 1 << (len(names) - 1)
        names.append(_named(list(zip(one, one[half:], strict=False))))
    low, high = 0, len(bars) - 1
    while low < high:
        middle = (low + high + 1) // 2
        power = middle.bit_length() - 1
        one, over = names[power], middle - (1 << power)
        passages = list(zip(one, one[over:], strict=False))
        if len(set(passages)) < len(passages):
            low = middle
        else:
            high = middle - 1
    return low


def _named(things: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(it, len(numbers)) for it in things]


def smoothed(series: Series, over: int) -> Series:
    kernel = np.ones(over) / over
    return np.convolve(series, kernel, mode="same")


def _stretched(series: NDArray[Any]) -> NDArray[Any]:
    """A series that has a value for each column at least."""
    return np.repeat(series, -(-_WIDTH // len(series)))


def panel(series: Series, low: float, high: float) -> NDArray[np.uint8]:
    """A curve as a picture, each column the range of what lies in it."""
    image = np.full((_HEIGHT, _WIDTH, 3), 255, dtype=np.uint8)
    series = _stretched(series)
    for part in range(5):
        image[min(_HEIGHT - 1, part * _HEIGHT // 4)] = _FAINT
    for column, values in enumerate(np.array_split(series, _WIDTH)):
        ends = np.array([values.max(), values.min()])
        rows = (high - ends) / (high - low) * (_HEIGHT - 1)
        top, bottom = np.clip(rows, 0, _HEIGHT - 1).astype(int)
        image[top : bottom + 2, column] = _INK
    return image


def strip(names: Sequence[int], count: int) -> NDArray[np.uint8]:
    """One of ``count`` rows in each column: the one that is commonest there."""
    height = 8
    image = np.full((count * height, _WIDTH, 3), 255, dtype=np.uint8)
    for column, values in enumerate(np.array_split(_stretched(np.array(names)), _WIDTH)):
        for value, times in Counter(values.tolist()).items():
            shade = 255 - int(215 * times / len(values))
            row = (count - 1 - value) * height
            image[row : row + height - 1, column] = shade
    return image


def main() -> int:
    """Measure, print and draw; the exit status tells whether 64 bars were heard twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--style", default="strings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bars", type=int, default=43_200)
    parser.add_argument("--moves-every", type=int, default=0, help="bars between moves of a slider")
    given = parser.parse_args()
    state, found, largest, most = None, [], 0, 0
    asked = calm_records(given.moves_every, given.seed)
    spent = 0.0
    for number in range(given.bars):
        music, physics = next(asked)
        started = time.process_time()
        bar = compose_bar(
            music, physics, style=given.style, seed=given.seed, bar=number, state=state
        )
        spent += time.process_time() - started
        found.append(measured(bar, state))
        state = bar.next_state
        largest, most = max(largest, len(state)), max(most, len(bar.notes))
    print(f"{given.bars} bars, {given.bars / spent:.0f} a CPU-second")
    print(f"largest state {largest} bytes, most notes in a bar {most}")
    repeats = longest_repeat([it.all_notes for it in found])
    print(f"longest passage heard twice: {repeats} bars;", end=" ")
    print(f"of the melody: {longest_repeat([it.melody for it in found])} bars")
    describe(found)
    draw(found, given.directory)
    return int(repeats >= 64)


def describe(found: Sequence[Measured]) -> None:
    """Print how things are spread."""
    for name, series in (("loudness", loudness(found)), ("density", density(found))):
        parts = np.percentile(series, [0, 5, 25, 50, 75, 95, 100]).round(2).tolist()
        within = smoothed(series, 8)
        rises = np.percentile(within, 95) - np.percentile(within, 5)
        print(f"{name}: percentiles {parts}; over eight bars from 5 % to 95 %: {rises:.2f}")
    count = len(found)
    for title, names in (
        ("keys", [f"{_KEY_NAMES[it.key[0]]} {it.key[1]}" for it in found]),
        ("textures", ["+".join(sorted(it.layers)) or "silence" for it in found]),
        ("sections", [it.section for it in found]),
    ):
        shares = ", ".join(
            f"{n} {100 * t / count:.1f} %" for n, t in Counter(names).most_common(14)
        )
        print(f"{title}: {shares}")
    for layer in ("melody", "counter", "pads", "bass", "drums"):
        runs = stretches([layer in it.layers for it in found])
        share = 100 * sum(layer in it.layers for it in found) / count
        print(f"{layer}: in {share:.0f} % of bars; longest {runs[True]}, at rest {runs[False]}")


def stretches(plays: Sequence[bool]) -> dict[bool, int]:
    """The longest run of bars in which a layer plays, and in which it does not."""
    longest = {True: 0, False: 0}
    length = 0
    for place, it in enumerate(plays):
        length = length + 1 if place and plays[place - 1] is it else 1
        longest[it] = max(longest[it], length)
    return longest


def loudness(found: Sequence[Measured]) -> Series:
    return np.array([it.loudness for it in found])


def density(found: Sequence[Measured]) -> Series:
    return np.array([it.density for it in found])


def draw(found: Sequence[Measured], directory: Path) -> None:
    """The whole, and the first 600 bars: loudness, density, keys by fifths, layers."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, part in (("day", found), ("first", found[:600])):
        over = 8
        gap = np.full((_MARGIN, _WIDTH, 3), 120, dtype=np.uint8)
        layers = ("drums", "bass", "pads", "counter", "melody")
        rows = [
            panel(smoothed(loudness(part), over), 20, 110),
            gap,
            panel(smoothed(density(part), over), 0, 14),
            gap,
            strip([it.key[0] * 7 % 12 for it in part], 12),
        ]
        for layer in layers[::-1]:
            plays = strip([int(layer in it.layers) for it in part], 2)
            rows += [gap, plays[: len(plays) // 2]]
        (directory / f"{name}.png").write_bytes(png(np.concatenate(rows)))


if __name__ == "__main__":
    raise SystemExit(main())

"""Pictures of many bars of the endless piece: their course, how they are spread, and rolls."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from listen.picture import png

Image = NDArray[np.uint8]
Series = NDArray[np.float64]

LAYERS = ("melody", "counter", "pads", "bass", "drums")
#: Bars over which curves are averaged.
_SMOOTH = 8
_WIDTH, _HEIGHT, _MARGIN = 1800, 220, 8
_INK, _FAINT, _GAP = (40, 70, 140), (225, 225, 225), 120
_BAR_PIXELS = 26
_LOUDNESSES, _DENSITIES = (10.0, 115.0), (0.0, 16.0)


class Described(Protocol):
    """What is drawn of a bar."""

    @property
    def loudness(self) -> float: ...
    @property
    def density(self) -> float: ...
    @property
    def layers(self) -> frozenset[str]: ...
    @property
    def key(self) -> tuple[int, str]: ...


def smoothed(series: Series, over: int) -> Series:
    """The average of ``over`` values around each."""
    kernel = np.ones(over) / over
    return np.convolve(series, kernel, mode="same")


def draw_course(bars: Sequence[Described], path: Path) -> None:
    """From left to right: loudness, density, keys by fifths, and who plays."""
    loud, dense = (
        smoothed(np.array([getattr(it, name) for it in bars]), _SMOOTH)
        for name in ("loudness", "density")
    )
    rows = [
        _panel(loud, *_LOUDNESSES),
        _gap(_WIDTH),
        _panel(dense, *_DENSITIES),
        _gap(_WIDTH),
        _strip([it.key[0] * 7 % 12 for it in bars], 12),
    ]
    for layer in LAYERS:
        plays = _strip([int(layer in it.layers) for it in bars], 2)
        rows += [_gap(_WIDTH), plays[: len(plays) // 2]]
    path.write_bytes(png(np.concatenate(rows)))


def draw_spread(bars: Sequence[Described], path: Path) -> None:
    """Histograms: loudness, density, keys by fifths (major, others), and the ten usual textures.

    Keys and textures are in the order in which :mod:`music_service.endless_day` prints them.
    """
    rows = []
    for name, ends in (("loudness", _LOUDNESSES), ("density", _DENSITIES)):
        counts, _ = np.histogram([getattr(it, name) for it in bars], bins=60, range=ends)
        rows += [_columns(counts.tolist()), _gap(_WIDTH)]
    for names in (
        [it.key for it in bars],
        ["+".join(sorted(it.layers)) for it in bars],
    ):
        counts_of = [times for _, times in Counter(names).most_common(30)]
        rows += [_columns(counts_of), _gap(_WIDTH)]
    path.write_bytes(png(np.concatenate(rows[:-1])))


def _gap(width: int) -> Image:
    return np.full((_MARGIN, width, 3), _GAP, dtype=np.uint8)


def _columns(counts: Sequence[int]) -> Image:
    """Columns whose heights are in proportion to the counts."""
    image = np.full((_HEIGHT, _WIDTH, 3), 255, dtype=np.uint8)
    most = max(1, *counts)
    for place, count in enumerate(counts):
        height = round(count * (_HEIGHT - 4) / most)
        left = place * (_BAR_PIXELS + 4)
        image[_HEIGHT - height :, left : left + _BAR_PIXELS] = _INK
    return image


def _stretched(series: NDArray[Any]) -> NDArray[Any]:
    """A series that has a value for each column at least."""
    return np.repeat(series, -(-_WIDTH // len(series)))


def _panel(series: Series, low: float, high: float) -> Image:
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


def _strip(names: Sequence[int], count: int) -> Image:
    """One of ``count`` rows in each column: the one that is commonest there."""
    height = 8
    image = np.full((count * height, _WIDTH, 3), 255, dtype=np.uint8)
    for column, values in enumerate(np.array_split(_stretched(np.array(names)), _WIDTH)):
        for value, times in Counter(values.tolist()).items():
            shade = 255 - int(215 * times / len(values))
            row = (count - 1 - value) * height
            image[row : row + height - 1, column] = shade
    return image

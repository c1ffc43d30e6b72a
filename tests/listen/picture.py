"""A piano roll as a picture: time to the right, pitch upwards, a colour a voice."""

import struct
import zlib
from pathlib import Path

import numpy as np

from harmonic_music.score import TICKS_PER_BEAT, Score, Voice

_LOWEST, _HIGHEST = 28, 92
_ROW_PIXELS = 6
_WIDEST_PIXELS = 1800
_MOST_PIXELS_PER_BEAT = 28
_COLOURS = {
    Voice.MELODY: (200, 40, 40),
    Voice.PADS: (90, 130, 200),
    Voice.BASS: (40, 130, 70),
}
_PAPER, _BEAT, _BAR, _PHRASE = (255, 255, 255), (240, 240, 240), (205, 205, 205), (120, 120, 120)


def write_roll(score: Score, path: Path) -> None:
    """Beats and bars as lines, phrases as dark ones; darker notes are louder."""
    beats = score.end / TICKS_PER_BEAT
    scale = min(_MOST_PIXELS_PER_BEAT, _WIDEST_PIXELS / beats)
    rows = _HIGHEST - _LOWEST + 1
    image = np.full((rows * _ROW_PIXELS, int(beats * scale) + 2, 3), _PAPER, dtype=np.uint8)
    for beat in range(int(beats) + 1):
        phrase = beat * TICKS_PER_BEAT in score.phrases
        colour = _PHRASE if phrase else _BAR if beat % 4 == 0 else _BEAT
        image[:, int(beat * scale)] = colour
    for event in score.events:
        top = (_HIGHEST - event.pitch) * _ROW_PIXELS
        left, right = (int(tick / TICKS_PER_BEAT * scale) for tick in (event.onset, event.end))
        strength = min(1.0, 0.35 + event.velocity / 127)
        shade = [round(255 - strength * (255 - part)) for part in _COLOURS[event.voice]]
        image[top : top + _ROW_PIXELS - 1, left : max(left + 1, right - 1)] = shade
    path.write_bytes(_png(image))


def _png(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    height, width, _ = image.shape
    lines = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )

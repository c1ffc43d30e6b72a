"""A piano roll as a picture: time to the right, pitch upwards, a colour a voice."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harmonic_music.score import TICKS_PER_BEAT, Score, Voice
from music_service.works import Work

Image = NDArray[np.uint8]

_LOWEST, _HIGHEST = 24, 100
_ROW_PIXELS = 6
_WIDEST_PIXELS = 1800
_MOST_PIXELS_PER_BEAT = 28
COLOURS = {
    Voice.MELODY: (200, 40, 40),
    Voice.COUNTER: (190, 120, 30),
    Voice.PADS: (90, 130, 200),
    Voice.BASS: (40, 130, 70),
}
_DRUMS, _STROKE_PIXELS = (60, 60, 60), 4
_UNDER = (90, 110, 150)
_WORK_LOWEST, _WORK_HIGHEST = 28, 100
_SYSTEM_BEATS = 64
_GAP_PIXELS = 4
_PAPER, _BEAT, _BAR, PHRASE = (255, 255, 255), (240, 240, 240), (205, 205, 205), (120, 120, 120)


def write_roll(score: Score, path: Path) -> None:
    """What is played: bars as lines, phrases as dark ones; darker notes are louder.

    Drums are drawn below, a row for each key that is struck, the lowest key at the bottom.
    """
    beats = score.end / TICKS_PER_BEAT
    pixels = min(_MOST_PIXELS_PER_BEAT, _WIDEST_PIXELS / beats) / TICKS_PER_BEAT
    keys = sorted({stroke.key for stroke in score.strokes}, reverse=True)
    rows = _HIGHEST - _LOWEST + 1
    height = (rows + len(keys)) * _ROW_PIXELS
    image = np.full((height, int(score.end * pixels) + 2, 3), _PAPER, dtype=np.uint8)
    for tick in range(0, score.end, TICKS_PER_BEAT):
        image[:, int(tick * pixels)] = _BEAT
    for tick in range(0, score.end, score.bar):
        image[:, int(tick * pixels)] = _BAR
    for tick in score.phrases:
        image[:, int(tick * pixels)] = PHRASE
    for note in score.played:
        place = (_HIGHEST - note.pitch, note.onset * pixels, note.end * pixels)
        _draw(image, place, COLOURS[note.voice], note.velocity)
    for stroke in score.strokes:
        left = stroke.onset * pixels
        place = (rows + keys.index(stroke.key), left, left + _STROKE_PIXELS)
        _draw(image, place, _DRUMS, stroke.velocity)
    path.write_bytes(png(image))


def _draw(
    image: Image, place: tuple[int, float, float], colour: tuple[int, int, int], velocity: int
) -> None:
    row, left, right = place
    strength = min(1.0, 0.35 + velocity / 127)
    shade = [round(255 - strength * (255 - part)) for part in colour]
    top = row * _ROW_PIXELS
    image[top : top + _ROW_PIXELS - 1, int(left) : max(int(left) + 1, int(right) - 1)] = shade


def draw_work(work: Work) -> bytes:
    """A PNG of any music: systems of equal length below one another, the melody in its colour.

    It tells nothing but what is written: no loudness, no title, no more than bars and beats. A rest
    of less than half a system is left out.
    """
    beats = _SYSTEM_BEATS // work.beats_a_bar * work.beats_a_bar
    systems = [_system(work, number * beats) for number in range(max(1, round(work.end / beats)))]
    gap = np.full((_GAP_PIXELS, systems[0].shape[1], 3), PHRASE, dtype=np.uint8)
    rows = [part for system in systems for part in (system, gap)]
    return png(np.concatenate(rows[:-1]))


def _system(work: Work, start: int) -> Image:
    scale = _MOST_PIXELS_PER_BEAT
    rows = _WORK_HIGHEST - _WORK_LOWEST + 1
    image = np.full((rows * _ROW_PIXELS, _SYSTEM_BEATS * scale, 3), _PAPER, dtype=np.uint8)
    for beat in range(start, start + _SYSTEM_BEATS):
        colour = _BAR if beat % work.beats_a_bar == 0 else _BEAT
        image[:, (beat - start) * scale] = colour
    for octave in range(36, _WORK_HIGHEST, 12):
        image[(_WORK_HIGHEST - octave + 1) * _ROW_PIXELS - 1, :] = _BAR
    drawn = [(sound, _UNDER) for part in work.lower for sound in part]
    drawn += [(sound, COLOURS[Voice.MELODY]) for sound in work.melody]
    for sound, colour in drawn:
        top = (_WORK_HIGHEST - sound.pitch) * _ROW_PIXELS
        left, right = (round((beat - start) * scale) for beat in (sound.onset, sound.end))
        if right > 0 and left < image.shape[1] and 0 <= top < image.shape[0]:
            image[top : top + _ROW_PIXELS - 1, max(0, left) : max(left + 2, right - 2)] = colour
    return image


def png(image: Image) -> bytes:
    height, width, _ = image.shape
    lines = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )

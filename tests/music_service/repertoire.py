"""Real pieces which music21 ships: quartets, songs, piano pieces; chorales; fiddlers' tunes.

Reading them takes minutes; what was read is kept in ``.cache``. They are split once, by a digest of
their names: the composer's author may look at ``SEEN``, and ``HELD_OUT`` gives the verdict.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from music21 import corpus, harmony, meter, note, repeat, stream

from music_service.tunes import Sound
from music_service.works import MAJOR_TONES, MINOR_TONES, Work, skyline

Half = Literal["seen", "held-out"]
Kind = Literal["pieces", "chorales", "tunes"]

HALVES: tuple[Half, ...] = ("seen", "held-out")
BEATS = 128
_FEWEST_BEATS = 64
_FEWEST_CHORALE_BEATS = 16
_FEWEST_TUNE_BEATS = 96
_FEWEST_NOTES = 16
#: Of the chorales, and of the tunes.
_MOST = 120
#: Reading these takes longer than all the rest together.
_LONG = frozenset({"opus132", "opus133"})
_FOLDERS = (
    "beach",
    "beethoven",
    "chopin",
    "corelli",
    "cpebach",
    "handel",
    "haydn",
    "johnson_j_r",
    "joplin",
    "liliuokalani",
    "mozart",
    "schubert",
    "schumann_clara",
    "schumann_robert",
    "verdi",
    "weber",
)
#: Beats by meter, in quarters: compound meters have dotted ones.
_BEATS = {
    "2/4": (2, 1.0),
    "3/4": (3, 1.0),
    "4/4": (4, 1.0),
    "2/2": (4, 1.0),
    "3/8": (1, 1.5),
    "6/8": (2, 1.5),
    "9/8": (3, 1.5),
    "12/8": (4, 1.5),
}
_CACHE = Path(__file__).parents[2] / ".cache" / "repertoire"
#: Counted up when reading changes.
_READING = 2


@lru_cache(maxsize=4)
def works(half: Half, kind: Kind = "pieces") -> tuple[Work, ...]:
    """One half of the pieces, or of the chorales, each an excerpt of at most ``BEATS``."""
    found = []
    for path in paths(kind, half):
        work = _kept(path)
        found += [work] if work else []
    return tuple(found)


def paths(kind: Kind, half: Half) -> list[str]:
    """The names of one half's pieces, those that cannot be used included."""
    return [path for path in _paths(kind) if _half(path) == half]


def _half(path: str) -> Half:
    return "seen" if hashlib.sha256(path.encode()).digest()[0] % 2 else "held-out"


def _paths(kind: Kind) -> list[str]:
    """Names below the corpus's folder, one for each piece, whatever forms it is shipped in."""
    root = Path(corpus.__file__).parent
    if kind != "pieces":
        pattern = {"chorales": "bach/*.mxl", "tunes": "ryansMammoth/*.abc"}[kind]
        every = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
        return every[:: len(every) // _MOST]
    found = [
        path
        for folder in _FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".mxl", ".krn", ".xml", ".musicxml"} and path.stem not in _LONG
    ]
    by_piece = {path.with_suffix(""): path for path in found}
    return [path.relative_to(root).as_posix() for path in by_piece.values()]


def _kept(path: str) -> Work | None:
    """A piece as it was read before, or read now."""
    file = _CACHE / f"{_READING}-{path.replace('/', '_')}.json"
    if not file.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        work = read(path)
        file.write_text(json.dumps(work and _written(work)))
    kept = json.loads(file.read_text())
    if kept is None:
        return None
    parts = tuple(tuple(Sound(*numbers) for numbers in part) for part in kept["parts"])
    tones = MINOR_TONES if kept["minor"] else MAJOR_TONES
    return Work(path, kept["beats_a_bar"], kept["tonic"], tones, parts)


def _written(work: Work) -> dict[str, object]:
    return {
        "beats_a_bar": work.beats_a_bar,
        "tonic": work.tonic,
        "minor": work.tones == MINOR_TONES,
        "parts": [[(s.onset, s.length, s.pitch) for s in part] for part in work.parts],
    }


def read(path: str) -> Work | None:
    """The longest stretch of a piece in one meter, if it is long enough and has a bass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = corpus.parse(path)
        if _is_tune(path):
            try:
                score = score.expandRepeats()
            except repeat.ExpanderException:
                return None
        if len(score.parts) < _fewest_parts(path):
            return None
        start, end, ratio = max(_stretches(score), key=lambda it: min(it[1] - it[0], 2 * BEATS))
        if ratio not in _BEATS:
            return None
        beats_a_bar, beat = _BEATS[ratio]
        upbeat = _upbeat(score, start, beats_a_bar * beat)
        parts = []
        for part in score.parts:
            sounds = [
                Sound((s.onset - start + upbeat) / beat, s.length / beat, s.pitch)
                for s in _sounds(part)
                if start <= s.onset < end
            ]
            parts += [sounds] if sounds else []
    return _work(path, beats_a_bar, parts)


def _work(path: str, beats_a_bar: int, parts: list[list[Sound]]) -> Work | None:
    if len(parts) < _fewest_parts(path):
        return None
    melody, rest = skyline(parts[0])
    lower = [tuple(part) for part in (rest, *parts[1:]) if part]
    work = Work(path, beats_a_bar, 0, MAJOR_TONES, (tuple(melody), *lower))
    work = work.excerpt(BEATS)
    if work.end < _fewest_beats(path) or len(work.melody) < _FEWEST_NOTES:
        return None
    tonality = _key(work)
    tones = MINOR_TONES if tonality.mode == "minor" else MAJOR_TONES
    return replace(work, tonic=tonality.tonic.pitchClass, tones=tones)


def _fewest_parts(path: str) -> int:
    return 1 if _is_tune(path) else 2


def _fewest_beats(path: str) -> int:
    if path.startswith("bach/"):
        return _FEWEST_CHORALE_BEATS
    return _FEWEST_TUNE_BEATS if _is_tune(path) else _FEWEST_BEATS


def _is_tune(path: str) -> bool:
    return path.startswith("ryansMammoth/")


def _key(work: Work) -> Any:
    """The key of an excerpt as a whole, as music21 finds it by the lengths of its tones."""
    flat: Any = stream.Stream()
    for sound in work.sounds:
        flat.insert(sound.onset, note.Note(sound.pitch, quarterLength=sound.length))
    return flat.analyze("key")


def _stretches(score: Any) -> Iterator[tuple[float, float, str]]:
    """From where to where a piece has one meter, and which."""
    part = score.parts[0]
    times = [
        (float(time.getOffsetInHierarchy(part)), str(time.ratioString))
        for time in part.recurse().getElementsByClass(meter.TimeSignature)
    ]
    times = times or [(0.0, "4/4")]
    changes = [times[0], *(b for a, b in pairwise(times) if a[1] != b[1])]
    ends = [*(offset for offset, _ in changes[1:]), float(score.highestTime)]
    for (start, ratio), end in zip(changes, ends, strict=True):
        yield start, end, ratio


def _upbeat(score: Any, start: float, bar: float) -> float:
    """By how much a first bar that is incomplete is to be moved on."""
    for measure in score.parts[0].getElementsByClass("Measure"):
        if float(measure.offset) >= start - 1e-6:
            length = float(measure.duration.quarterLength)
            return bar - length if 0 < length < bar - 1e-6 else 0.0
    return 0.0


def _sounds(part: Any) -> list[Sound]:
    found: list[Sound] = []
    # In place: a copy of a part takes longer than all else.
    part.stripTies(inPlace=True)
    for struck in part.flatten().notes:
        if struck.duration.isGrace or isinstance(struck, harmony.Harmony):
            continue
        onset, length = _exact(struck.offset), _exact(struck.quarterLength)
        found += [Sound(onset, length, pitch.midi) for pitch in struck.pitches if length > 0]
    return found


def _exact(offset: Any) -> float:
    """To a forty-eighth of a quarter: what differs by less was meant alike."""
    return float(Fraction(round(Fraction(offset) * 48), 48))

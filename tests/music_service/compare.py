"""``python -m music_service.compare [seen|held-out]``: our pieces beside real ones, row by row.

Ours are ``PIECES`` seeds of as many beats as a real excerpt, in all keys, major and minor in turn.
Each row says how far ours was from the median of the real ones at the baseline, how far it is now,
and whether that is at most half. Rows that real pieces of this corpus cannot show (loudness and
timing: it has scores, no performances) stand beside the baseline alone.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import isclose
from statistics import median, quantiles

from harmonic_music.composing import CompositionRequest
from harmonic_music.performing import Performance, perform
from harmonic_music.score import TICKS_PER_BEAT, Score, Voice
from music_service import repertoire
from music_service.gestures import GESTURES
from music_service.measures import asked
from music_service.repertoire import BEATS
from music_service.texture import MELODIC, ROWS, Row
from music_service.validity import KEYS
from music_service.works import Work, work_of

PIECES = 200
#: A tick of a beat of so many microseconds, in milliseconds.
_MS_TICKS = 1000 * TICKS_PER_BEAT
_BASELINE_COMMIT = "cbc7f95"
#: The baseline has so many decimals.
_ROUNDED = 1e-6
#: The medians of ours as it was at that commit, by the same requests.
BASELINE: Mapping[str, float] = {
    "melody > octave above next voice": 0.881209,
    "gap to the next voice": 19.031915,
    "gap to the bass": 36.410418,
    "thirds and closer below G3": 0.38737,
    "bass pitch": 39.0,
    "bass onsets a beat": 0.453125,
    "bass, longest run of steps": 1.125,
    "accompaniment patterns, bits": 1.561278,
    "density, autocorrelation": 0.742852,
    "moving under a held melody": 0.033614,
    "alone or in unison": 0.00944,
    "steps in lower voices": 0.223515,
    "outer parallels": 0.076923,
    "foreign tones": 0.0,
    "onsets a beat": 1.285156,
    "notes on the beat": 0.810896,
    "melodic range": 14.0,
    "distinct pitches": 9.0,
    "varied bars": 0.34375,
    "velocity, 5th percentile": 53.0,
    "velocity, 95th percentile": 107.0,
    "timing off the grid, ms": 0.0,
    "last bar slower, %": 0.0,
}


def request(seed: int, beats: float = BEATS) -> CompositionRequest:
    """A setting for each seed: the keys one after the other, major and minor in turn."""
    scale = "minor" if seed % 2 else "major"
    music, physics = asked(key=KEYS[seed % len(KEYS)], scale=scale)
    return CompositionRequest(music, physics, beats * 60 / music.tempo, seed)


def ours(count: int = PIECES, first_seed: int = 0) -> list[Performance]:
    """So many pieces, a seed each."""
    return [perform(request(seed)) for seed in range(first_seed, first_seed + count)]


def performed(pieces: Sequence[Performance]) -> dict[str, float]:
    """Loudness and timing as they are played, the median over pieces."""
    found: dict[str, list[float]] = defaultdict(list)
    for made in pieces:
        score = made.score
        cuts = quantiles([note.velocity for note in score.played], n=20)
        found["velocity, 5th percentile"].append(cuts[0])
        found["velocity, 95th percentile"].append(cuts[-1])
        off = [abs(note.onset - note.written) * score.beat_us / _MS_TICKS for note in score.played]
        found["timing off the grid, ms"].append(median(off))
        found["last bar slower, %"].append(_slower(score))
    return {name: median(values) for name, values in found.items()}


def _slower(score: Score) -> float:
    """By how much the bar before the last chord is slower than it is written, in percent."""
    melody = [note for note in score.played if note.voice is Voice.MELODY]
    last = melody[-1]
    first = next(note for note in melody if note.written >= last.written - score.bar)
    written = last.written - first.written
    return 100 * ((last.onset - first.onset) / written - 1) if written else 0.0


def rows(works: Iterable[Work], measures: Mapping[str, Row]) -> dict[str, list[float]]:
    """The values of each row, of the pieces that show one, in order."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for work in works:
        for name, values in found.items():
            value = measures[name](work)
            if value is not None:
                values.append(value)
    return {name: sorted(values) for name, values in found.items()}


def verdict(real: float, before: float, now: float) -> str:
    """Whether the distance to the real median is half of what it was."""
    was, left = abs(before - real), abs(now - real)
    if left <= was / 2:
        return "half"
    if isclose(left, was, abs_tol=_ROUNDED):
        return "the same"
    return "nearer" if left < was else "FURTHER"


def print_gestures(real: Mapping[str, Sequence[float]], works: Sequence[Work]) -> None:
    """What gives ours away at first sight; there was no baseline of it."""
    now = rows(works, GESTURES)
    for name, values in real.items():
        quartiles = "".join(f"{values[len(values) * part // 4]:10.3f}" for part in (1, 2, 3))
        print(f"{name:34s}{'':10s}{quartiles}{'':10s}{median(now[name]):10.3f}")


def by_style(performances: Sequence[Performance]) -> None:
    """The medians of each style's pieces, for the rows in which styles differ on purpose."""
    works: dict[str, list[Work]] = defaultdict(list)
    for made in performances:
        works[made.score.style].append(work_of(made.score))
    print(f"{'by style':34s}" + "".join(f"{style:>11}" for style in sorted(works)))
    print(f"{'pieces':34s}" + "".join(f"{len(works[style]):11d}" for style in sorted(works)))
    measured = {style: rows(found, ROWS) for style, found in works.items()}
    for name in ROWS:
        values = (measured[style][name] for style in sorted(works))
        print(f"{name:34s}" + "".join(f"{median(v):11.2f}" if v else " " * 11 for v in values))


def main() -> int:
    """Print the table; 1 if a row is not nearer by half."""
    asked_for = sys.argv[1] if len(sys.argv) > 1 else "seen"
    half = next((it for it in repertoire.HALVES if it == asked_for), None)
    if half is None:
        print("Say seen or held-out")
        return 2
    pieces = repertoire.works(half)
    tunes = repertoire.works(half, "tunes")
    chorales = repertoire.works(half, "chorales")
    real = rows(pieces, ROWS) | rows(tunes, {name: ROWS[name] for name in MELODIC})
    performances = ours()
    made = rows((work_of(made.score) for made in performances), ROWS)
    sung = rows(chorales, ROWS)
    print(
        f"{len(pieces)} real pieces, {len(tunes)} tunes (for {', '.join(MELODIC)}) and "
        f"{len(chorales)} chorales, {half}; {len(performances)} of ours"
    )
    columns = ("chorales", "real 25 %", "median", "75 %", "before", "now")
    print(f"{'':34s}" + "".join(f"{column:>10}" for column in columns))
    missed = 0
    for name, values in real.items():
        low, middle, high = (values[len(values) * part // 4] for part in (1, 2, 3))
        now, before = median(made[name]), BASELINE[name]
        said = verdict(middle, before, now)
        inside = "  within the real quartiles" if low <= now <= high else ""
        missed += said != "half"
        numbers = (median(sung[name]), low, middle, high, before, now)
        print(f"{name:34s}" + "".join(f"{n:10.3f}" for n in numbers) + f"  {said:8s}{inside}")
    for name, now in performed(performances).items():
        print(f"{name:34s}{'':40s}{BASELINE[name]:10.3f}{now:10.3f}")
    print_gestures(rows(pieces, GESTURES), [work_of(made.score) for made in performances])
    by_style(performances)
    print(f"{missed} of {len(real)} rows are not nearer by half than at {_BASELINE_COMMIT}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Real music to compare with: folk songs and chorales that music21 ships, in 4/4."""

import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from music21 import corpus, key, meter, stream

from music_service.tunes import Sound, Tune

#: Songs of several countries (Essen folksong collection, Schaffrath 1995), in files that are
#: quickly read, and in large ones.
FEW_SONGS = ("essenFolksong/irl", "essenFolksong/folkHaydn", "essenFolksong/dva0")
MANY_SONGS = (*FEW_SONGS, "essenFolksong/altdeu10", "essenFolksong/fink0", "essenFolksong/zuccal0")
#: Tunes of fiddlers and pipers (O'Neill 1850 tunes, Aird 1782).
FEW_DANCES = ("oneills1850/0001-0050", "oneills1850/0051-0100")
MANY_DANCES = (*FEW_DANCES, "airdsAirs/book2", "airdsAirs/book3")
_SHORTEST_BARS, _LONGEST_BARS = 8, 32


@lru_cache(maxsize=4)
def melodies(names: tuple[str, ...]) -> tuple[Tune, ...]:
    """The tunes in 4/4 of some collections, with nothing under them."""
    found = []
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for score in corpus.parse(name).scores:
                tune = _tune(score, parts=1)
                found += [tune] if tune else []
    return tuple(found)


@lru_cache(maxsize=4)
def chorales(most: int) -> tuple[Tune, ...]:
    """So many of Bach's chorales: the soprano, and the three voices under it."""
    return tuple(tune for tune, _ in zip(_chorales(), range(most), strict=False))


def _chorales() -> Iterator[Tune]:
    for path in sorted(corpus.getComposer("bach")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tune = _tune(corpus.parse(path), parts=4)
        if tune:
            yield tune


def _tune(score: Any, *, parts: int) -> Tune | None:
    voices = list(score.parts)
    times = {time.ratioString for time in score.recurse().getElementsByClass(meter.TimeSignature)}
    if len(voices) != parts or times != {"4/4"}:
        return None
    keys = list(score.recurse().getElementsByClass(key.Key))
    tonality = keys[0] if keys and parts == 1 else score.analyze("key")
    measures = list(voices[0].getElementsByClass(stream.Measure))
    upbeat = float(measures[0].duration.quarterLength) % 4 if measures else 0.0
    sung = [_sounds(voice, upbeat) for voice in voices]
    if not sung[0]:
        return None
    tune = Tune(
        tonality.tonic.pitchClass,
        tonality.mode == "minor",
        sung[0],
        tuple(sound for voice in sung[1:] for sound in voice),
    )
    return tune if _SHORTEST_BARS <= tune.bars <= _LONGEST_BARS else None


def _sounds(voice: Any, upbeat: float) -> tuple[Sound, ...]:
    """A voice's notes from the first whole bar on, ties joined."""
    found: list[Sound] = []
    # In place: a copy of a score takes longer than all else.
    voice.stripTies(inPlace=True)
    for note in voice.flatten().notes:
        onset = float(note.offset) - upbeat
        if onset >= 0 and not note.isChord and not note.duration.isGrace:
            found.append(Sound(onset, float(note.quarterLength), note.pitch.midi))
    return tuple(found)

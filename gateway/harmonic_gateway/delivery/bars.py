"""The bars of endless pieces that have not ended, in memory: each once, by universe. Pure.

Invariants:

- A bar is taken once, by its piece and its number, whichever way it comes and however often.
- A bar that has ended is neither taken nor told of.
- What is kept is bounded in bytes. A bar beyond is shown to who is there, and not kept.
- A universe has at most as many unfinished bars as its stream keeps. A bar beyond is not taken.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from harmonic_gateway.sockets import Frame
from harmonic_protocol.messages.endless import MAX_BAR_BYTES, MusicBar
from harmonic_protocol.pieces import StoredBar
from harmonic_protocol.subjects import BAR_SLOTS

#: All bars that a gateway keeps.
MAX_KEPT_BYTES = 64 * 1024 * 1024
#: Seconds before its beginning that a bar may come: more than any, with clocks a minute apart.
MAX_LEAD_S = 70.0


class Unbelieved(StrEnum):
    """Why a bar is not shown to anybody, for operators."""

    NO_BAR = "no bar"
    ANOTHERS = "another universe's"
    TOO_EARLY = "begins too far ahead"
    NOT_PLAYED = "no bar of the piece that is played"
    TOO_MANY = "more than are ever unfinished"


class HeardBar(NamedTuple):
    """A bar as it came: when it begins and ends, in Unix time, and as it is sent."""

    stream_id: str
    number: int
    starts_s: float
    ends_s: float
    data: bytes


def read_bar(universe_id: str, payload: bytes, now_s: float) -> HeardBar | Unbelieved:
    """A bar from what is stored of it, written anew; ``now_s`` is Unix time.

    It comes from another service and goes to every member, so nothing but what is declared is let
    through.
    """
    if len(payload) > MAX_BAR_BYTES:
        return Unbelieved.NO_BAR
    try:
        bar = StoredBar.model_validate_json(payload)
        starts_s = datetime.fromisoformat(bar.starts_at).timestamp()
    except ValueError:
        return Unbelieved.NO_BAR
    if bar.universe_id != universe_id:
        return Unbelieved.ANOTHERS
    if starts_s > now_s + MAX_LEAD_S:
        return Unbelieved.TOO_EARLY
    ends_s = starts_s + bar.duration
    return HeardBar(bar.stream_id, bar.bar, starts_s, ends_s, bar.to_json())


class KeptBars:
    """The unfinished bars of all universes that this gateway has members in."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bars: dict[str, dict[tuple[str, int], tuple[HeardBar, Frame]]] = {}
        self.size_bytes = 0

    @property
    def number(self) -> int:
        """How many there are."""
        return sum(map(len, self._bars.values()))

    def take(
        self, universe_id: str, bar: HeardBar, now_s: float, *, over_s: float
    ) -> Frame | Unbelieved | None:
        """The frame of a bar that is news, which is kept; ``over_s`` is its end by the loop."""
        self._prune(universe_id, now_s)
        bars = self._bars.get(universe_id, {})
        key = bar.stream_id, bar.number
        if bar.ends_s <= now_s or key in bars:
            return None
        if len(bars) >= BAR_SLOTS:
            return Unbelieved.TOO_MANY
        frame = Frame.event(MusicBar.spec.name, bar.data, over_s=over_s)
        if self.size_bytes + len(bar.data) > self._max_bytes:
            return frame
        self._bars.setdefault(universe_id, {})[key] = bar, frame
        self.size_bytes += len(bar.data)
        return frame

    def frames(self, universe_id: str, now_s: float) -> Sequence[Frame]:
        """What is kept of a universe, in the bars' order, as who enters is sent it."""
        self._prune(universe_id, now_s)
        bars = self._bars.get(universe_id, {})
        return [frame for _, frame in sorted(bars.values(), key=lambda kept: kept[0].starts_s)]

    def forget(self, universe_id: str) -> None:
        """Nobody is there any more, or the piece is over."""
        for bar, _ in self._bars.pop(universe_id, {}).values():
            self.size_bytes -= len(bar.data)

    def _prune(self, universe_id: str, now_s: float) -> None:
        bars = self._bars.get(universe_id)
        if bars is None:
            return
        for key, (bar, _) in list(bars.items()):
            if bar.ends_s <= now_s:
                del bars[key]
                self.size_bytes -= len(bar.data)
        if not bars:
            del self._bars[universe_id]

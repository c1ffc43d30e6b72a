"""Composes a piece without an end, bar by bar, each from its own record alone.

A bar depends on the universe's parameters, the style, the seed, the bar's number and a state that
the bar before left (:mod:`.wire`, at most ``MAX_STATE_BYTES``). The same record makes the same bar
in any process: all decisions use whole numbers, and each random choice depends only on the seed and
its place.

The piece is made of chapters, each a rondo of some minutes (:mod:`.course`). :mod:`.bars` describes
what happens when a parameter changes.
"""

from harmonic_music.endless.bars import ComposedBar, compose_bar, goes_on
from harmonic_music.endless.wire import BARS_VERSION, MAX_STATE_BYTES

__all__ = ["BARS_VERSION", "MAX_STATE_BYTES", "ComposedBar", "compose_bar", "goes_on"]

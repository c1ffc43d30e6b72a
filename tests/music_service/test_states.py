"""States between bars that no composer has written: they stop no music, and cost no more."""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_music.endless import MAX_STATE_BYTES, compose_bar
from harmonic_music.endless.bars import MOST_NOTES
from harmonic_music.endless.wire import read
from music_service.test_endless import PLAIN, steady

#: Values that belong nowhere in a state; long ones stay below its bound.
_ODD: Sequence[Any] = (
    *("", "x" * 3000, "constructor", "~" * 300, None, True, False, 0, 1, -1, 10**9, 10**300, 0.5),
    *([], {}, [[]], [0] * 500, {"AA": []}, [[1, 2, 3, 4, 5]] * 41, [[0, 0, 0, 0, 10**200]]),
    *(["", "", 0], ["000", "0W", 12, "x", 0], ["", "", 7, "full", 10**9]),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_state_that_was_made_up_stops_the_music(data: st.DataObject) -> None:
    state = steady(20)[data.draw(st.integers(0, 18))].next_state
    head, _, body = state.partition("|")
    segment = json.loads(body)
    for _ in range(data.draw(st.integers(1, 3))):
        _distort(segment, data)
    if data.draw(st.booleans()):
        numbers = st.sampled_from(("1", "0", "-1", "5", "9" * 400, "500000000", "x", ""))
        head = ";".join(data.draw(numbers) for _ in range(4))
    text = f"{head}|{json.dumps(segment, separators=(',', ':'))}"
    bar = compose_bar(
        *PLAIN, style=None, seed=5, bar=data.draw(st.sampled_from((0, 8, 20))), state=text
    )
    assert len(bar.next_state) <= MAX_STATE_BYTES
    assert len(bar.notes) <= MOST_NOTES


def _distort(part: Any, data: st.DataObject) -> None:
    """Put something odd in a random place of a state."""
    while True:
        keys = list(part) if isinstance(part, dict) else range(len(part))
        key = data.draw(st.sampled_from(list(keys)))
        inner = part[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            part = inner
            continue
        if isinstance(part, dict) and data.draw(st.integers(0, 5)) == 0:
            part[data.draw(st.sampled_from(("", "AA", "x" * 2000, "__proto__")))] = inner
            return
        part[key] = deepcopy(data.draw(st.sampled_from(_ODD)))
        return


@pytest.mark.parametrize("field", ["section", "themes", "runs"])
def test_a_state_has_no_names_and_numbers_without_end(field: str) -> None:
    """With them, the state after it would have nothing left that could be dropped."""
    head, _, body = steady(20)[8].next_state.partition("|")
    segment = json.loads(body)
    space = MAX_STATE_BYTES - len(head) - len(body) - 10
    segment[field] = {
        "section": "x" * space,
        "themes": {"x" * space: next(iter(segment["themes"].values()))},
        "runs": [[0, 0, 0, 0, 10 ** (space // 2)]],
    }[field]
    text = f"{head}|{json.dumps(segment, separators=(',', ':'))}"
    assert read(text) is None
    assert compose_bar(*PLAIN, style="strings", seed=5, bar=9, state=text).opens

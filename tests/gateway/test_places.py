"""Offsets: what clients say of how far they have come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.delivery.places import (
    MAX_OFFSET_CHARACTERS,
    Place,
    elsewhere,
    place,
    read_offset,
)

UNIVERSES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
PLACES = st.builds(Place, st.integers(0, 10**18 - 1), st.none() | st.integers(0, 10**6 - 1))


@given(st.dictionaries(UNIVERSES, PLACES, min_size=1, max_size=8))
def test_an_offset_is_read_as_it_was_given(places: dict[str, Place]) -> None:
    first, *others = (place(name, at.position, at.frames) for name, at in places.items())
    assert read_offset(first + elsewhere(others)) == places


@given(st.text() | st.none() | st.integers() | st.binary())
def test_anything_else_is_none(text: object) -> None:
    found = read_offset(text)
    assert found is None or all(isinstance(at, Place) for at in found.values())


@pytest.mark.parametrize(
    "text", ["", "u", "u:", "u:-1", "u:1:", "u:1:2:3", "u:1,u:2", "u:1,", "ü:1", "u:" + "9" * 19]
)
def test_what_is_nearly_an_offset_is_none(text: str) -> None:
    assert read_offset(text) is None


def test_an_offset_may_be_as_long_as_its_bound() -> None:
    others = ",".join(f"{number:064}:1" for number in range(15))
    longest = f"{others},{'u' * 17}:1"
    assert len(longest) == MAX_OFFSET_CHARACTERS
    assert len(read_offset(longest) or ()) == 16
    assert read_offset(f"{others},{'u' * 18}:1") is None

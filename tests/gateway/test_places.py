"""Offsets: what clients say of how far they have come."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.delivery.places import (
    MAX_OFFSET_CHARACTERS,
    Place,
    Position,
    elsewhere,
    place,
    read_offset,
)
from harmonic_protocol.log import FIRST_MARK, MARKS, record_mark
from harmonic_state.journal import MAX_RECORD_BYTES

UNIVERSES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
PLACES = st.builds(
    Place,
    st.integers(0, 10**18 - 1),
    st.none() | st.integers(0, FIRST_MARK - 1),
    st.none() | st.integers(FIRST_MARK, FIRST_MARK + MARKS - 1),
)


@given(st.dictionaries(UNIVERSES, PLACES, min_size=1, max_size=8))
def test_an_offset_is_read_as_it_was_given(places: dict[str, Place]) -> None:
    first, *others = (
        place(name, Position(at.position, at.mark), at.frames) for name, at in places.items()
    )
    assert read_offset(first + elsewhere(others)) == places


@given(st.text() | st.none() | st.integers() | st.binary())
def test_anything_else_is_none(text: object) -> None:
    found = read_offset(text)
    assert found is None or all(isinstance(at, Place) for at in found.values())


@pytest.mark.parametrize(
    "text",
    [
        *("", "u", "u:", "u:-1", "u:1:", "u:1:2:3", "u:1,u:2", "u:1,", "ü:1", "u:" + "9" * 19),
        *("u:1:100000:", "u:1:100000:1:1", "u:1:1000000", "u:1:100000:1000000"),
        # Digits of other scripts.
        *("u:\u0663", "u:1:\uff11\uff10\uff10\uff10\uff10\uff10", "u:1\u0661"),
    ],
)
def test_what_is_nearly_an_offset_is_none(text: str) -> None:
    assert read_offset(text) is None


def test_an_offset_may_be_as_long_as_its_bound() -> None:
    others = ",".join(f"{number:064}:1" for number in range(15))
    longest = f"{others},{'u' * 17}:1"
    assert len(longest) == MAX_OFFSET_CHARACTERS
    assert len(read_offset(longest) or ()) == 16
    assert read_offset(f"{others},{'u' * 18}:1") is None


@pytest.mark.parametrize("record_id", ["", *(f"state-1.{number}" for number in range(1000))])
def test_a_mark_has_six_digits_and_is_no_number_of_frames(record_id: str) -> None:
    mark = record_mark(record_id)
    assert FIRST_MARK <= mark < FIRST_MARK + MARKS
    assert len(str(mark)) == 6


def test_records_of_one_replica_have_marks_of_their_own() -> None:
    marks = {record_mark(f"state-1.{number}") for number in range(1000)}
    assert len(marks) > 990


def test_an_offset_names_the_record_where_it_is_known() -> None:
    known = Position.of_record(7, "a.1")
    assert place("u", known) == f"u:7:{record_mark('a.1')}"
    assert place("u", known, 2) == f"u:7:{record_mark('a.1')}:2"
    assert place("u", Position.of_record(7, None)) == "u:7"
    assert place("u", 7, 2) == "u:7:2"


#: How the version before reads an offset: a mark is more frames than any record has.
_EARLIER_PLACE = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,18})(?::(\d{1,6}))?")


def test_the_version_before_takes_a_mark_for_the_whole_record() -> None:
    found = _EARLIER_PLACE.fullmatch(place("u", Position.of_record(7, "a.1")))
    assert found is not None
    assert found.groups()[:2] == ("u", "7")
    # No record has room for so many: one frame takes 100 bytes of it, and more.
    assert int(found[3]) > MAX_RECORD_BYTES // 100
    # Of a part of a record it knows nothing: its client begins anew.
    assert _EARLIER_PLACE.fullmatch(place("u", Position.of_record(7, "a.1"), 2)) is None

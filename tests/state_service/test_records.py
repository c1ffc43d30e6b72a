"""Records as they are stored, and what is read of them."""

import json

import pytest

from harmonic_protocol.log import HistoryForgotten, Record, UniverseDeleted
from harmonic_state.domain.events import (
    decode_record,
    encode_record,
    forgets_history,
    read_record,
)

AT = "2024-03-21T10:30:00.000Z"
LATER = "2024-03-21T10:30:01.000Z"
DELETED = UniverseDeleted(timestamp=LATER)


@pytest.mark.parametrize("after", ["", "the one before", 'a "quoted" one', "100 %"])
def test_a_record_is_read_as_it_was_written(after: str) -> None:
    payload = encode_record('r"1', AT, [DELETED, DELETED], after=after)
    read = read_record(payload)
    assert (read.id, read.at, read.after, read.events) == ('r"1', AT, after, [DELETED, DELETED])
    assert decode_record(payload) == ('r"1', [DELETED, DELETED])


def test_a_record_is_what_the_contract_says() -> None:
    payload = encode_record("r1", AT, [DELETED], after="r0")
    record = Record.model_validate_json(payload)
    assert (record.id, record.at, record.after) == ("r1", AT, "r0")
    assert [event.name for event in record.events] == [DELETED.name]


def test_a_record_that_follows_none_names_none() -> None:
    assert "after" not in json.loads(encode_record("r1", AT, [DELETED]))
    assert read_record(encode_record("r1", AT, [])).after == ""


def test_a_log_begins_anew_with_a_record_that_forgets_its_history_and_with_no_other() -> None:
    forgotten = HistoryForgotten(timestamp=LATER)
    assert forgets_history([DELETED, forgotten])
    assert not forgets_history([DELETED])
    assert not forgets_history([])

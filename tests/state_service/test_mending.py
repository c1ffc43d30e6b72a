"""The event that a universe goes on with whose log has lost others."""

from dataclasses import replace

import pytest

from harmonic_protocol.log import HistoryLost, MemberRemoved
from harmonic_state.domain.events import encode_record, loses_history
from harmonic_state.domain.evolve import evolve
from harmonic_state.domain.mending import SEQ_JUMP, covers, history_lost
from state_service.builders import open_universe

KNOWN = "2024-03-21T10:30:00.999Z"
JUST_AFTER = "2024-03-21T10:30:01.000Z"
LATER = "2024-03-21T10:30:01.001Z"
UNIVERSE = replace(open_universe().now, seq=7, updated_at=KNOWN)


@pytest.mark.parametrize(
    ("now", "at"), [("2020-01-01T00:00:00.000Z", JUST_AFTER), (KNOWN, JUST_AFTER), (LATER, LATER)]
)
def test_it_is_later_than_all_that_is_known_and_far_above(now: str, at: str) -> None:
    assert history_lost(UNIVERSE, now) == HistoryLost(seq=7 + SEQ_JUMP, timestamp=at)


def test_the_universe_stays_as_it_is_and_is_numbered_on_from_there() -> None:
    lost = HistoryLost(seq=9, timestamp=LATER)
    assert evolve(UNIVERSE, lost) == replace(UNIVERSE, seq=9, updated_at=LATER)


def test_a_record_says_whether_it_holds_it() -> None:
    lost = HistoryLost(seq=9, timestamp=LATER)
    removed = MemberRemoved(user_id='{"name":"history_lost"', timestamp=LATER)
    assert loses_history(encode_record("r", LATER, [removed, lost]))
    assert not loses_history(encode_record("r", LATER, [removed]))


@pytest.mark.parametrize(
    ("seen", "jumps"), [(0, 1), (7, 1), (7 + SEQ_JUMP - 1, 1), (7 + SEQ_JUMP, 2), (9 * SEQ_JUMP, 9)]
)
def test_it_is_above_every_number_that_was_seen(seen: int, jumps: int) -> None:
    lost = history_lost(UNIVERSE, LATER, seen)
    assert lost.seq == 7 + jumps * SEQ_JUMP > seen


@pytest.mark.parametrize(("seq", "is_covered"), [(6, True), (7, True), (8, False)])
def test_it_tells_how_much_its_writer_knew(seq: int, *, is_covered: bool) -> None:
    assert covers(history_lost(UNIVERSE, LATER), seq) is is_covered

"""Whatever can be wrong with an endless piece is found in what was heard and logged of it."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from chaos.bars import (
    Change,
    Heard,
    LoggedBar,
    drift_us,
    gaps,
    leads,
    logged,
    missed,
    waits,
    wrong_in_log,
    wrong_notes,
)
from harmonic_gateway.delivery.bars import HeardBar, read_bar
from harmonic_music.bar_jobs import make_bar
from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import RecordBar
from harmonic_protocol.log import BarRecorded, Record
from harmonic_protocol.messages.endless import MusicStarted
from harmonic_protocol.pieces import BarJob
from harmonic_state.bar_plan import job_of
from harmonic_state.domain.events import LogEvent, encode_record
from state_service.builders import UNIVERSE, History, caller, command, open_universe

ANN, OWNER_ITSELF = caller("ann"), Caller("", "")
BARS = 6
#: After that bar's record, the tempo is changed.
CHANGED = 2


@dataclass
class Piece:
    """A log, and what members heard of it."""

    records: list[Record]
    bars: list[Any]
    change_seq: int

    @property
    def started(self) -> MusicStarted:
        return logged(self.records)[0]

    @property
    def logged(self) -> list[LoggedBar]:
        return logged(self.records)[1]

    def heard_by(self, *numbers: int, lead_s: float = 1.0) -> Heard:
        """Who came before the first bar, and heard these, each so long before its beginning."""
        heard = Heard(came_s=[0.0])
        for number in numbers:
            bar = self.bars[number]
            heard.take(bar, self.logged[number].bar.starts_us / 10**6 - lead_s)
        return heard


@pytest.fixture
def piece() -> Piece:
    """A piece in which everything is right."""
    history = open_universe()
    records: list[Record] = []
    bars: list[Any] = []
    change_seq = 0

    def store(events: list[LogEvent]) -> None:
        payload = encode_record(f"r{len(records)}", history.now.updated_at, events)
        records.append(Record.model_validate_json(payload))

    def does(name: str, **fields: object) -> None:
        store(history.does(command(name, **fields), ANN))

    does("join_room", mode="edit")
    does("start_music", seed=7, style="waltz")
    for number in range(BARS):
        latest = _latest(history)
        made, stored = make_bar(_job(history, latest))
        composed = read_bar(UNIVERSE, stored, latest.starts_us / 10**6)
        assert isinstance(composed, HeardBar)
        bars.append(json.loads(composed.data))
        if number == CHANGED:
            does("update_music", parameters={"tempo": 90})
            change_seq = history.now.seq
        request = RecordBar(
            universe_id=UNIVERSE,
            stream_id=latest.stream_id,
            bar=number + 1,
            starts_us=latest.starts_us + made.duration_us,
            state=made.state,
        )
        store(history.does(request, OWNER_ITSELF))
    return Piece(records, bars, change_seq)


def _latest(history: History) -> BarRecorded:
    assert history.now.endless is not None
    assert history.now.endless.latest is not None
    return history.now.endless.latest


def _job(history: History, latest: BarRecorded) -> BarJob:
    piece = history.now.endless
    assert piece is not None
    return job_of(UNIVERSE, latest, seed=piece.seed, style=piece.style)


def test_nothing_is_wrong_with_a_piece_that_is_as_promised(piece: Piece) -> None:
    heard = piece.heard_by(*range(BARS))
    assert gaps(piece.bars) == []
    assert list(wrong_in_log(piece.logged)) == []
    assert list(wrong_notes(UNIVERSE, piece.started, piece.logged, heard.bars)) == []
    assert missed([heard], piece.logged) == []
    assert drift_us(piece.bars, piece.logged) < 2
    assert heard.faults == []


def test_a_gap_an_overlap_and_a_bar_that_is_missing_are_found(piece: Piece) -> None:
    first, second, third = piece.bars[:3]
    assert gaps([first, third]) != []
    for off in (0.01, -0.01):
        assert gaps([{**first, "duration": first["duration"] + off}, second]) != []


def test_a_bar_that_a_member_missed_is_found(piece: Piece) -> None:
    heard = piece.heard_by(0, 1, 3, 4, 5)
    assert missed([heard], piece.logged) == ["member 0 did not hear bar 2"]
    heard.left_s = piece.logged[2].bar.starts_us / 10**6
    assert missed([heard], piece.logged) == []


def test_a_bar_that_comes_twice_and_differs_is_found(piece: Piece) -> None:
    heard = piece.heard_by(1)
    heard.take({**piece.bars[1], "tempo": 1}, 0)
    assert heard.faults == ["bar 1 came again as another one"]


def test_notes_that_the_record_does_not_make_are_found(piece: Piece) -> None:
    heard = dict(piece.heard_by(*range(BARS)).bars)
    heard[3] = {**heard[3], "notes": heard[3]["notes"][1:]}
    found = list(wrong_notes(UNIVERSE, piece.started, piece.logged, heard))
    assert found == ["bar 3 is not what its record makes"]


def test_another_state_than_the_bar_before_left_is_found(piece: Piece) -> None:
    changed = piece.logged
    bar = changed[4].bar.model_copy(update={"state": changed[3].bar.state})
    changed[4] = changed[4]._replace(bar=bar)
    found = list(wrong_notes(UNIVERSE, piece.started, changed, {}))
    assert "bar 4 has another state than the one before left" in found


def test_other_parameters_than_the_logs_are_found(piece: Piece) -> None:
    update = next(r for r in piece.records if r.events[0].name == "music_updated")
    piece.records.remove(update)
    found = list(wrong_in_log(piece.logged))
    assert found[0] == f"bar {CHANGED + 1} has other parameters than the log at its record"
    # An update that stands later than the bar says.
    piece.records.append(update)
    piece.records.append(piece.records[-2])
    assert any(
        f"is as of update {piece.change_seq}" in fault for fault in wrong_in_log(piece.logged)
    )


def test_bars_of_the_log_that_run_backwards_are_found(piece: Piece) -> None:
    one, two, *_ = piece.logged
    assert len(list(wrong_in_log([two, one]))) >= 2


def test_a_bar_that_is_off_from_what_the_tempos_add_up_to_is_found(piece: Piece) -> None:
    shifted = piece.logged
    bar = shifted[5].bar
    shifted[5] = shifted[5]._replace(bar=bar.model_copy(update={"starts_us": bar.starts_us + 1500}))
    assert drift_us(piece.bars, shifted) > 1400


def test_leads_are_told_apart_by_who_was_there_at_the_record(piece: Piece) -> None:
    there = piece.heard_by(1, 2, lead_s=0.3)
    returned = piece.heard_by(1, lead_s=-0.5)
    arrival = returned.arrivals[1]
    returned.arrivals[1] = arrival._replace(there_since_s=piece.logged[1].at_s + 1)
    found = leads([there, returned], piece.logged)
    assert found.there_s == pytest.approx([0.3, 0.3], abs=0.002)
    assert found.returned_s == pytest.approx([-0.5], abs=0.002)


def test_the_bars_until_a_change_is_heard_are_counted(piece: Piece) -> None:
    began_s = piece.logged[CHANGED].bar.starts_us / 10**6
    bars, seconds = waits([Change(began_s + 0.1, piece.change_seq)], piece.bars)[0]
    assert bars == (1 if piece.bars[CHANGED]["duration"] >= 1.6 else 0)
    assert seconds == pytest.approx(piece.bars[CHANGED]["duration"] - 0.1, abs=0.002)
    assert waits([Change(began_s, piece.change_seq + 1000)], piece.bars) == []

"""What a service keeps of events that it does not know, and of parameter sets that it lacks.

They are those of a newer version that shared the log, or of an extension that is not loaded here.
"""

import pytest

from harmonic_state.domain.answers import answer
from harmonic_state.domain.decide import Decision
from harmonic_state.domain.events import UnknownEvent, decode_record, encode_record
from harmonic_state.domain.evolve import evolve, fold
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import LastChange, Universe
from harmonic_state.snapshots import Snapshot, decode_snapshot, encode_snapshot
from state_service.builders import caller, command, open_universe

ANN = caller("ann")
AT = "2024-03-21T10:31:00.000Z"
TIDE = {"height": 2.5, "phase": "ebb"}


def changed(seq: int, at: str = AT) -> UnknownEvent:
    data = {"universeId": "u", "userId": "ann", "timestamp": at, "changed": ["height"]}
    return UnknownEvent("tide_updated", {**data, "seq": seq, "parameters": TIDE})


def after(*events: UnknownEvent) -> Universe:
    universe = fold(open_universe().now, events)
    assert universe is not None
    return universe


def test_the_number_and_the_time_of_an_unknown_frame_are_taken() -> None:
    universe = after(UnknownEvent("comet_seen", {"seq": 1, "timestamp": AT}))

    assert (universe.seq, universe.updated_at) == (1, AT)


def test_the_next_frame_comes_after_an_unknown_one() -> None:
    history = open_universe()
    history.universe = evolve(history.now, changed(1, history.now.updated_at))

    events = history.does(command("join_room", mode="edit"), ANN)

    assert [event.seq for event in events if hasattr(event, "seq")] == [2]


def test_an_unknown_event_without_number_and_time_changes_nothing() -> None:
    before = open_universe().now

    for data in ({}, {"seq": "1", "timestamp": 7, "parameters": [1]}, {"seq": 0}):
        assert evolve(before, UnknownEvent("comet_updated", data)) == before


def test_an_unknown_event_does_not_turn_back_what_is_known() -> None:
    universe = after(changed(5), UnknownEvent("comet_seen", {"seq": 3, "timestamp": "2020"}))

    assert (universe.seq, universe.updated_at) == (5, AT)


@pytest.mark.parametrize("packed", [False, True])
def test_the_values_of_an_unknown_set_outlive_a_snapshot(*, packed: bool) -> None:
    snapshot = Snapshot(1, after(changed(1)))

    stored = encode_snapshot(snapshot, packed=packed)
    loaded = decode_snapshot(stored)

    assert loaded == snapshot
    assert loaded.universe.parameters.model_extra == {"tide": TIDE}
    assert loaded.universe.last_changes["tide"] == LastChange("ann", AT)
    assert encode_snapshot(loaded, packed=packed) == stored


def test_values_that_nobody_is_said_to_have_changed_are_taken_all_the_same() -> None:
    universe = after(UnknownEvent("tide_updated", {"timestamp": AT, "parameters": TIDE}))
    assert universe.last_changes["tide"] == LastChange("", AT)


def test_they_outlive_changes_of_the_sets_that_are_known() -> None:
    history = open_universe()
    history.universe = evolve(history.now, changed(1, history.now.updated_at))
    history.does(command("join_room", mode="edit"), ANN)
    history.does(command("update_physics", parameters={"gravity": 1}), ANN)

    assert history.now.parameters.model_extra == {"tide": TIDE}
    assert history.now.parameters.physics.gravity == 1


def test_clients_are_told_nothing_of_a_set_that_is_unknown_here() -> None:
    history = open_universe()
    history.universe = evolve(history.now, changed(1, history.now.updated_at))
    join = command("join_room", mode="edit")
    decision = history.ask(join, ANN)
    assert isinstance(decision, Decision)

    result = answer(join, ANN, DecisionInputs(AT, 0), decision.events, history.now)

    assert result is not None
    assert b"tide" not in result.to_json()
    assert b"tide" not in history.now.public_view(viewer="ann").to_json()


def test_a_record_keeps_unknown_events_in_their_place() -> None:
    history = open_universe()
    known = encode_record("r", AT, history.events)
    tide = b'{"name":"tide_updated","data":{"seq":1,"parameters":{"height":2.5}}}'
    _, events = decode_record(known.replace(b"]}", b"," + tide + b"]}"))

    assert events == [
        *history.events,
        UnknownEvent("tide_updated", {"seq": 1, "parameters": {"height": 2.5}}),
    ]

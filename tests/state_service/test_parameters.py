"""Changing parameters, as the domain decides it."""

import pytest

from harmonic_protocol.messages.parameters import PARAMETER_SETS, PHYSICS
from state_service.builders import caller, command, created, open_universe

ANN = caller("ann")


def test_update_physics_merges_what_was_sent_and_tells_all_of_it() -> None:
    history = open_universe()
    history.does(command("join_room", mode="edit"), ANN)
    (event,) = history.does(
        command("update_physics", parameters={"gravity": 3, "friction": 1}), ANN
    )
    assert isinstance(event, PHYSICS.event)
    assert event.parameters.gravity == 3
    assert event.parameters.elasticity == 0.7
    assert event.changed == ("gravity", "friction")
    assert event.user_id == "ann"
    assert event.seq == history.now.seq == 2
    assert history.now.parameters.physics == event.parameters


def test_update_parameters_changes_all_sets_in_one_decision() -> None:
    history = open_universe()
    history.does(command("join_room", mode="edit"), ANN)
    sent = {one.name: dict(one.example) for one in reversed([*PARAMETER_SETS.values()])}
    events = history.does(command("update_parameters", **sent), ANN)
    assert [type(event) for event in events] == [one.event for one in PARAMETER_SETS.values()]
    seqs = [event.seq for event in events]  # type: ignore[union-attr]
    assert seqs == [2 + number for number in range(len(PARAMETER_SETS))]
    shown = history.now.parameters.to_wire()
    assert {name: {field: shown[name][field] for field in sent[name]} for name in sent} == sent


@pytest.mark.parametrize(("mode", "reason"), [(None, "NOT_IN_ROOM"), ("view", "VIEW_ONLY")])
def test_editing_needs_edit_mode_in_the_room(mode: str | None, reason: str) -> None:
    history = open_universe()
    if mode:
        history.does(command("join_room", mode=mode), ANN)
        history.does(command("join_room", mode="edit"), caller("ann", tab=2))
    refusal = history.is_refused(command("update_music", parameters={"tempo": 90}), ANN)
    assert (refusal.code, refusal.details["reason"]) == ("PERMISSION_DENIED", reason)


def test_a_hidden_universe_is_not_found() -> None:
    refusal = created().is_refused(command("update_music", parameters={"tempo": 90}), ANN)
    assert refusal.code == "NOT_FOUND"


def test_the_same_operation_is_applied_once_and_another_under_its_id_refused() -> None:
    history = open_universe()
    history.does(command("join_room", mode="edit"), ANN)
    first = command("update_physics", parameters={"gravity": 3}, opId="x")
    history.does(first, ANN)
    seq = history.now.seq
    history.does(command("update_physics", parameters={"gravity": 4}), ANN)
    again = history.ask(first, ANN)
    assert (again.events, again.seq) == ((), seq)  # type: ignore[union-attr]
    assert history.now.parameters.physics.gravity == 4
    other = command("update_physics", parameters={"gravity": 5}, opId="x")
    refusal = history.is_refused(other, ANN)
    assert refusal.details["reason"] == "OP_ID_REUSED"
    bob = caller("bob")
    history.does(command("join_room", mode="edit"), bob)
    history.does(other, bob)
    assert history.now.parameters.physics.gravity == 5

"""Asking gateways how far in a universe's log their members were sent records."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.witness import Witness
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import Directory
from harmonic_state.losses import NOTHING_SEEN, Seen
from harmonic_state.witnesses import Witnesses, open_witnesses
from state_service.builders import caller, command, open_universe


async def witnesses(bus: Bus, *live: str) -> Witnesses:
    """Asking over this bus, with these gateways alive."""
    directory = SimpleNamespace(live=lambda: frozenset(live))
    return await open_witnesses(bus, cast("Directory", cast("Any", directory)))


async def gateway(
    bus: Bus, universe_id: str, gateway_id: str, position: int | None, seq: int = 0
) -> None:
    """A gateway with members, which were sent a log so far."""
    logs = SimpleNamespace(position=lambda _universe_id: position, seq=lambda _universe_id: seq)
    memberships = SimpleNamespace(logs=logs)
    witness = Witness(bus, gateway_id, cast("Memberships", cast("Any", memberships)))
    await bus.subscribe(
        subjects.signal(universe_id), lambda message: witness.testify(universe_id, message.reply)
    )


async def test_where_nobody_is_in_the_room_nothing_is_waited_for(
    bus: Bus, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harmonic_state.witnesses.ANSWER_TIMEOUT_S", 3600.0)
    asked = await witnesses(bus, "g1")
    await bus.flush()
    assert await asked.furthest(word, None) == NOTHING_SEEN


async def test_the_furthest_of_all_that_should_have_members_counts(bus: Bus, word: str) -> None:
    history = open_universe()
    for name in ("ann", "bob"):
        history.does(command("join_room", mode="edit"), caller(name))
    at = [seat.gateway_id for seat in history.now.connections.values()]
    # One has lost the room, and knows the number of the last frame still.
    await gateway(bus, word, "elsewhere", None, seq=21)
    await gateway(bus, word, at[0], 17, seq=12)
    await gateway(bus, word, "begins", None)
    asked = await witnesses(bus, *at, "elsewhere")
    await bus.flush()
    assert await asked.furthest(word, history.now) == Seen(17, 21)


@pytest.mark.parametrize("live", [["g9"], []], ids=["does not answer", "is not there"])
async def test_a_gateway_that_does_not_answer_is_not_waited_for_longer(
    bus: Bus, word: str, live: list[str]
) -> None:
    history = open_universe()
    history.does(command("join_room", mode="edit"), caller("ann"))
    seat = next(iter(history.now.connections.values()))
    # It is of the version before.
    await gateway(bus, word, "elsewhere", 5)
    asked = await witnesses(bus, *([seat.gateway_id] if live else []))
    await bus.flush()
    assert await asked.furthest(word, history.now) == Seen(5, 0, 5)


async def test_no_answer_goes_where_the_bus_keeps_something(bus: Bus, word: str) -> None:
    heard: list[str] = []
    await bus.subscribe("hu.test.>", lambda message: heard.append(message.subject))
    await gateway(bus, word, "g1", 5)
    await bus.flush()
    bus.post(subjects.signal(word), b"", reply=f"hu.test.{word}")
    await bus.flush()
    await bus.flush()
    await bus.handled()
    assert heard == []

"""A command is carried out or refused within its deadline, however long its owner is silent."""

import asyncio
from typing import Any

from harness.client import Client
from harness.faults import frozen
from harness.world import World

COMMANDS = 30


async def _ask_all(client: Client, universe: str, **fields: Any) -> list[dict[str, Any]]:
    """The acks of many updates that are sent at once."""
    return await asyncio.gather(
        *(
            client.asks(
                "update_physics",
                universeId=universe,
                parameters={"gravity": number % 20},
                **{name: f"{value}-{number}" for name, value in fields.items()},
            )
            for number in range(COMMANDS)
        )
    )


async def test_no_command_is_carried_out_after_its_deadline(frail: World) -> None:
    universe, (ann,) = await frail.together("ann")
    before = (await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1}))[
        "seq"
    ]

    with frozen(*frail.stack.states):
        # All are refused while the owners are still silent: none waits for the one before it.
        acks = await _ask_all(ann, universe)

    assert [ack["ok"] for ack in acks] == [False] * COMMANDS
    reasons = [ack["error"]["details"]["reason"] for ack in acks]
    assert reasons[0] == "OUTCOME_UNKNOWN"
    assert set(reasons) <= {"OUTCOME_UNKNOWN", "OVERDUE"}
    after = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 2})
    assert (after["ok"], after.get("seq")) == (True, before + 1)


async def test_the_same_op_id_resolves_an_unknown_outcome(frail: World) -> None:
    universe, (ann, bob) = await frail.together("ann", "bob")

    with frozen(*frail.stack.states):
        acks = await _ask_all(ann, universe, opId="op")
        assert {ack["error"]["code"] for ack in acks} == {"INTERNAL_ERROR"}

    again = await _ask_all(ann, universe, opId="op")
    assert [ack["ok"] for ack in again] == [True] * COMMANDS
    seqs = sorted(ack["seq"] for ack in again)
    assert len(set(seqs)) == COMMANDS
    # Each was carried out once, whether at the first time or at the second.
    assert seqs == list(range(seqs[0], seqs[0] + COMMANDS))
    await bob.hears_up_to(seqs[-1])
    assert [event["seq"] for event in bob.all_heard("physics_updated")] == seqs

"""A command is carried out or refused within its deadline, however long its owner is silent."""

import asyncio
from pathlib import Path
from typing import Any

from harness.client import Client
from harness.faults import frozen
from harness.held_gateway import held_gateway
from harness.world import World

COMMANDS = 30
DEADLINE_S = 1.0


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


async def test_a_command_is_not_begun_once_the_one_before_it_took_all_its_time(
    world: World, tmp_path: Path
) -> None:
    universe = await world.universe()
    owner = await world.client("owner")
    await owner.joins(universe)
    hasty = held_gateway(world.stack, tmp_path, HARMONIC_REQUEST_TIMEOUT_S=str(DEADLINE_S))
    async with hasty as (url, bus):
        ann = await Client("ann").connect(url, world.token("ann"))
        await ann.joins(universe)
        joined = await owner.hears("participant_joined")

        with bus.hold(lambda subject: subject.endswith(".update_physics")):
            asked = asyncio.ensure_future(_ask_all(ann, universe))
            await ann.hears("error")
            # The others came a little later, and their time ends as much later.
            await asyncio.sleep(DEADLINE_S / 2)
        acks = await asked
        await ann.close()

    assert [ack["ok"] for ack in acks] == [False] * COMMANDS
    reasons = {ack["error"]["details"]["reason"] for ack in acks}
    assert reasons == {"OUTCOME_UNKNOWN", "OVERDUE"}
    after = await owner.asks("update_physics", universeId=universe, parameters={"gravity": 9})
    # Between, ann left the room.
    assert after["seq"] == joined["seq"] + 2

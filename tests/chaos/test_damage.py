"""Damaged stores: what is lost, what everybody sees, and that nobody is given another history."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos.damage import LOGS, RESTORED, SETTINGS, Plan, damages
from chaos.product import failures, product

#: One of each damage of a log, with owners that live and others that were killed.
EACH = ("cut_end", "flip_bytes", "lose_block", RESTORED, "lose_all", "lose_index")


def of_all(*names: str) -> dict[str, str]:
    return dict(zip(LOGS, names, strict=True))


PLANS = [
    Plan(of_all(*EACH[:4])),
    Plan(of_all(*EACH[2:]), leases="lose_all", kills_states=True, crashes=True),
    # All that services know of the loss is in the memory of gateways, ...
    Plan(of_all(*[RESTORED] * 4), RESTORED, RESTORED, kills_states=True, early=9),
    # ... or nobody knows but the client that was away.
    Plan(of_all(*[RESTORED] * 4), snapshots=RESTORED, kills_states=True, kills_gateways=True),
    Plan(of_all(*EACH[:4]), snapshots="lose_all", kills_states=True, outgrows=False),
]


# Each step has a bound of its own; on a busy machine, elections of three brokers take their time.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("brokers", "plans"),
    [(1, PLANS), (3, [Plan(of_all(*EACH[2:]), snapshots="lose_all", broker=1, crashes=True)])],
    ids=["one broker", "three brokers"],
)
async def test_nobody_is_given_another_history_and_what_is_intact_is_kept(
    logs: Path, brokers: int, plans: Sequence[Plan]
) -> None:
    damaged = 0
    async with product(logs, brokers=brokers, musics=1, settings=SETTINGS) as stack:
        async for _, outcome in damages(stack, 1, 0, plans):
            assert [f"{case}: {case.faults}" for case in outcome.cases if case.faults] == []
            assert outcome.died == []
            # A broker may not start on what is left: its stores are then put back.
            damaged += not outcome.put_back
    assert damaged
    assert failures(logs) == []

"""Everything is killed in turn, and the histories say that nothing came of it.

Then builds with a fault in them: each has its own, and each is found out.
"""

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from chaos.campaign import Campaign, run
from chaos.product import product
from chaos.rooms import SEATS, USERS, rush
from chaos.silence import SETTINGS, silences

#: What is lost, and who meets whom, is chance: a build with a fault has so many short campaigns to
#: break all rules that name its fault.
TRIES = 5


async def test_nothing_is_lost_doubled_or_disordered_while_everything_is_killed(
    logs: Path,
) -> None:
    """The gateways are hard of hearing besides, and do not agree on who owns what."""
    campaign = Campaign(
        seed=random.randrange(10**6),
        duration_s=8,
        writers=4,
        universes=8,
        victims=("state", "broker", "gateway"),
    )
    difficulties = {"gateway": ["deaf"], "gateway-2": ["contrary"]}
    async with product(logs, brokers=3, faults=difficulties) as stack:
        verdict = await run(campaign, stack)
    assert verdict.violations == [], (campaign, verdict.killed)
    assert len(verdict.killed) >= len(campaign.victims)
    assert verdict.counts["acknowledged"] > 0


@pytest.mark.timeout(TRIES * 60)
@pytest.mark.parametrize(
    ("faults", "rules"),
    [
        # Two owners at once are made by gateways that do not agree. Both number the same frames.
        (
            {"state": ["no_fencing"], "gateway-2": ["contrary"]},
            {"one order", "exactly once", "views"},
        ),
        ({"state": ["no_op_ids"]}, {"exactly once"}),
        ({"gateway": ["deaf", "no_chain", "no_heads"]}, {"views"}),
    ],
    ids=["no fencing", "no operation ids", "neither chain nor heads"],
)
async def test_a_build_with_a_fault_is_found_out(
    logs: Path, faults: Mapping[str, Sequence[str]], rules: set[str]
) -> None:
    broken: set[str] = set()
    for seed in range(TRIES):
        # A product of its own each: one in which nobody got into the rooms shows nothing more.
        async with product(logs / str(seed), faults=faults) as stack:
            campaign = Campaign(seed, duration_s=2, writers=3, universes=4)
            verdict = await run(campaign, stack)
        broken |= {violation.partition(":")[0] for violation in verdict.violations}
        if rules <= broken:
            return
    pytest.fail(f"{TRIES} campaigns broke {sorted(broken)}, and not all of {sorted(rules)}")


async def test_when_leaders_die_all_that_is_stored_is_seen_though_nobody_says_more(
    logs: Path,
) -> None:
    seed = random.randrange(10**6)
    async with product(logs, brokers=3, settings=SETTINGS) as stack:
        found, violations = await silences(stack, 2, seed)
    assert violations == [], seed
    assert all(math.isfinite(silence.lag_s) for silence in found), (seed, found)


async def test_a_room_takes_as_many_as_it_has_seats_however_many_come_at_once(logs: Path) -> None:
    """To owners at once, too: the gateways do not agree on who that is."""
    async with product(logs, states=3, faults={"gateway-2": ["contrary"]}, settings={}) as stack:
        found = await rush(stack)
    assert found.answers == {"ok": SEATS, "ROOM_FULL": USERS - SEATS}
    assert len(found.lists) == 1

"""Sessions that move to another gateway while something else happens, at every step of the way."""

import itertools
from pathlib import Path

import pytest

from peers.handovers import Event, Step, stage

#: What needs no gateway to be started again for each step.
QUICK_EVENTS = (Event.NOTHING, Event.CUT)
#: Where the session is its old gateway's, or about to be the new one's.
STEPS_OF_A_DEATH = (Step.ASKS, Step.HANDED, Step.SEATED, Step.TAKEN)


async def test_a_cut_at_any_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as racing:
        for step, event in itertools.product(Step, QUICK_EVENTS):
            await racing.race(step, event, members=1)
        outcome = await racing.playing.end()
    assert outcome.is_good, str(outcome)
    assert all(back.recovered for back in outcome.returns), str(outcome)


@pytest.mark.parametrize(
    "event", [Event.OLD_KILLED, Event.NEW_KILLED, Event.OLD_DRAINS, Event.NEW_DRAINS]
)
async def test_gateways_that_go_in_the_middle_of_it_lose_nobody_anything(
    tmp_path: Path, event: Event
) -> None:
    async with stage(tmp_path) as racing:
        for step in STEPS_OF_A_DEATH:
            await racing.race(step, event, members=1)
        outcome = await racing.playing.end()
    assert outcome.is_good, str(outcome)
    assert all(back.recovered for back in outcome.returns), str(outcome)

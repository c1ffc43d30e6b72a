"""Sessions that move to another gateway while one of the two goes."""

from pathlib import Path

import pytest

from peers.handovers import Event, Step, stage

#: Where the session is its old gateway's, or about to be the new one's.
STEPS_OF_A_DEATH = (Step.ASKS, Step.HANDED, Step.SEATED, Step.TAKEN)


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

"""The fuzzer in short: ``make fuzz`` is the long form."""

from pathlib import Path

from fuzz.campaign import campaign

INPUTS = 2_000
#: Raised, or drawn, to look elsewhere; a failure names the seed with which it comes again.
SEED = 20_240_321


async def test_whatever_is_sent_nothing_breaks_leaks_or_reaches_a_neighbour(logs: Path) -> None:
    report = await campaign(logs, INPUTS, seed=SEED, rounds=1, inputs_per_s=1_000, least_updates=20)

    assert report.faults == [], f"seed {SEED}"
    assert report.seen["physics_updated"] >= 2 * 40
    assert sum(report.tally.inputs.values()) >= INPUTS

"""``python -m chaos``: the long form, with a table of what was promised and what was seen."""

import argparse
import asyncio
import logging
import math
import random
import signal
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import structlog

from chaos.campaign import Campaign, run
from chaos.cases import Outcome
from chaos.damage import SETTINGS as DAMAGED
from chaos.damage import damages
from chaos.disks import NoFileSystem, full_disk
from chaos.failover import failover
from chaos.outage import outage
from chaos.product import failures, product
from chaos.promises import Options, Part, Row, check, say
from chaos.resync import SETTINGS as MANY_ROOMS
from chaos.resync import UNIVERSES, resyncs
from chaos.rooms import PARTICIPANTS, ROOMS, SEATS, USERS, departure, rush
from chaos.silence import SETTINGS as ALL_ROOMS
from chaos.silence import silences

SILENCES = 20
#: Restarts with damaged stores, of one broker and of three: four universes in each.
DAMAGED_ROUNDS, DAMAGED_ROUNDS_OF_THREE = 42, 10
#: Questions that a broker's restart may make a gateway ask: each is about up to 500 universes.
MAX_QUESTIONS = 20
#: Calls of JetStream's API that it may cause, of all services together.
MAX_API_CALLS = 100


async def everything_is_killed(options: Options) -> AsyncIterator[Row]:
    campaign = Campaign(options.seed, options.duration_s, victims=("state", "gateway", "broker"))
    async with product(options.logs / "chaos", brokers=3, states=3) as stack:
        verdict = await run(campaign, stack)
    _tell(verdict.violations)
    counts = ", ".join(f"{number} {what}" for what, number in verdict.counts.items())
    yield Row(
        f"{len(verdict.killed)} times kill -9 in {options.duration_s:g} s: {counts}",
        f"{len(verdict.violations)} violations",
        "0",
        not verdict.violations,
    )


async def faults_are_found(options: Options) -> AsyncIterator[Row]:
    faults: Mapping[str, Mapping[str, list[str]]] = {
        "without fencing": {"state": ["no_fencing"], "gateway-2": ["contrary"]},
        "without operation ids": {"state": ["no_op_ids"]},
        # Records are lost on their way seldom enough that a short run may not see it.
        "without chain and heads": {"gateway": ["deaf", "no_chain", "no_heads"]},
    }
    campaign = Campaign(options.seed, 40, victims=("state", "gateway", "broker"))
    for name, built_in in faults.items():
        logs = options.logs / name.replace(" ", "-")
        async with product(logs, brokers=3, states=3, faults=built_in) as stack:
            violations = (await run(campaign, stack)).violations
        rules = sorted({violation.partition(":")[0] for violation in violations})
        yield Row(
            f"a build {name} is found out",
            f"violations of {len(rules)} rules: {', '.join(rules)}",
            "at least 1",
            bool(rules),
        )


async def leaders_die(options: Options) -> AsyncIterator[Row]:
    async with product(options.logs / "silence", brokers=3, states=3, settings=ALL_ROOMS) as stack:
        found, violations = await silences(stack, SILENCES, options.seed)
    _tell(violations)
    lags = [silence.lag_s for silence in found]
    outages = [silence.outage_s for silence in found]
    yield Row(
        f"{SILENCES} leaders killed (new ones after {min(outages):.1f} to {max(outages):.1f} s):"
        " all that is stored is seen",
        f"after {statistics.median(lags):.1f} s (median), {max(lags):.1f} s (most)",
        "2 s",
        max(lags) <= 2,
    )
    yield Row(
        "and acknowledged is what is stored is what is seen",
        f"{len(violations)} violations",
        "0",
        not violations,
    )
    async with product(
        options.logs / "silence-without-heads",
        brokers=3,
        states=3,
        faults={"gateway": ["no_heads"]},
        settings=ALL_ROOMS,
    ) as stack:
        found, _ = await silences(stack, SILENCES, options.seed, until_unseen=True)
    unseen = [silence for silence in found if math.isinf(silence.lag_s)]
    yield Row(
        "a build without heads is found out",
        f"{len(unseen)} of {len(found)} times something remained unseen",
        "at least 1",
        bool(unseen),
    )


async def brokers_restart(options: Options) -> AsyncIterator[Row]:
    async with product(options.logs / "resync", brokers=3, states=3, settings=MANY_ROOMS) as stack:
        found = await resyncs(stack)
    questions = max(resync.head_questions for resync in found)
    calls = max((resync.api_calls for resync in found), key=Counter.total)
    kinds = ", ".join(f"{count} {name}" for name, count in calls.most_common())
    what = f"one of three brokers restarts, {UNIVERSES} universes on a gateway"
    yield Row(
        f"{what}: its questions", str(questions), str(MAX_QUESTIONS), questions <= MAX_QUESTIONS
    )
    yield Row(
        "calls of JetStream's API",
        f"{calls.total()}: {kinds}",
        str(MAX_API_CALLS),
        calls.total() <= MAX_API_CALLS,
    )


async def owners_go(options: Options) -> AsyncIterator[Row]:
    async with product(options.logs / "failover", states=3, settings={}) as stack:
        killed = await failover(stack, signal.SIGKILL)
        drained = await failover(stack, signal.SIGTERM)
    again_s = statistics.median(killed.again_after_s)
    yield Row(
        f"kill -9 of the owner of {killed.universes} universes: commands succeed again",
        f"after {again_s:.2f} s (median), {max(killed.again_after_s):.2f} s (most)",
        "1 s (median)",
        again_s <= 1,
    )
    p99_s = statistics.quantiles(drained.latencies_s, n=100)[-1]
    yield Row(
        f"SIGTERM of the owner of {drained.universes} universes: commands that fail",
        str(drained.failures),
        "0",
        drained.failures == 0,
    )
    yield Row("their latency", f"{p99_s * 1000:.0f} ms (p99)", "250 ms", p99_s < 0.25)


async def the_broker_is_away(options: Options) -> AsyncIterator[Row]:
    async with product(options.logs / "outage", settings={}) as stack:
        found = await outage(stack, options.seed)
    _tell(found.violations)
    what = f"the broker is away for 10 s, {found.acknowledged} updates acknowledged around it"
    yield Row(what, f"{len(found.violations)} violations", "0", not found.violations)
    yield Row(
        "after its return, commands succeed",
        f"after {found.again_after_s:.2f} s",
        "5 s",
        found.again_after_s <= 5,
    )
    yield Row("processes that ended", str(found.restarts), "0", found.restarts == 0)
    yield Row("participants who left", str(found.departures), "0", found.departures == 0)


async def a_room_is_full(options: Options) -> AsyncIterator[Row]:
    async with product(options.logs / "rush", states=3, settings={}) as stack:
        found = await rush(stack)
    yield Row(
        f"{USERS} users join a room of {SEATS} at once",
        ", ".join(f"{number} {what}" for what, number in sorted(found.answers.items())),
        f"{USERS - SEATS} ROOM_FULL, {SEATS} ok",
        found.answers == {"ok": SEATS, "ROOM_FULL": USERS - SEATS},
    )
    yield Row("lists of who is in", str(len(found.lists)), "1", len(found.lists) == 1)


async def a_gateway_dies(options: Options) -> AsyncIterator[Row]:
    async with product(options.logs / "departure", settings={}) as stack:
        found = await departure(stack)
    yield Row(
        f"a gateway dies with {ROOMS * PARTICIPANTS} participants: all are gone",
        f"after {found.gone_after_s:.1f} s",
        "15 s",
        found.gone_after_s <= 15,
    )
    yield Row(
        f"stored for that in {ROOMS} rooms",
        ", ".join(f"{each} in {rooms} rooms" for each, rooms in sorted(found.records.items())),
        "1 in each",
        found.records == {1: ROOMS},
    )
    yield Row(
        "seen of those who came back in time",
        f"{found.seen_of_those_who_returned} frames",
        "0",
        found.seen_of_those_who_returned == 0,
    )


async def stores_are_damaged(options: Options) -> AsyncIterator[Row]:
    for brokers, rounds in ((1, DAMAGED_ROUNDS), (3, DAMAGED_ROUNDS_OF_THREE)):
        logs = options.logs / f"damage-{brokers}"
        played: list[Outcome] = []
        async with product(logs, brokers=brokers, musics=1, settings=DAMAGED) as stack:
            async for plan, outcome in damages(stack, options.seed, rounds):
                played.append(outcome)
                _tell([f"{case}: {each}; {plan}" for case in outcome.cases for each in case.faults])
        cases = [case for outcome in played for case in outcome.cases]
        faults = [fault for case in cases for fault in case.faults]
        what = f"{len(cases)} damaged stores, copies: {brokers}"
        yield Row(
            f"{what}: what goes on answers, agrees, and gives nobody another history",
            f"{len(faults)} faults; {sum(case.is_refused for case in cases)} of them refused"
            f" as DAMAGED, {sum(outcome.hidden for outcome in played)} until the broker was"
            f" restarted, {sum(case.lost for case in cases)} updates lost",
            "0",
            not faults,
        )
        died = [name for outcome in played for name in outcome.died]
        failed = failures(logs)
        seen = f"{len(died)} died, {len(failed)} tracebacks"
        yield Row("replicas that died, or failed", seen, "0", not died and not failed)
        put_back = sum(outcome.put_back for outcome in played)
        yield Row(
            "times that the broker itself did not start with such a store",
            str(put_back),
            "any: it is the broker's",
            True,
        )
    async for row in a_disk_is_full(options):
        yield row


async def a_disk_is_full(options: Options) -> AsyncIterator[Row]:
    try:
        seen = await full_disk(options.logs / "disk")
    except NoFileSystem as error:
        yield Row("a disk fills up", f"not shown: {error}", "0", held=False)
        return
    _tell(seen.faults)
    yield Row(
        "a disk fills up, is freed, and is smaller after: acknowledged updates lost, or refusals"
        " for good",
        f"{len(seen.faults)}; refused meanwhile as {', '.join(sorted(seen.reasons))}",
        "0",
        not seen.faults,
    )


PARTS: Mapping[str, Part] = {
    "chaos": everything_is_killed,
    "faults": faults_are_found,
    "silence": leaders_die,
    "resync": brokers_restart,
    "failover": owners_go,
    "outage": the_broker_is_away,
    "rush": a_room_is_full,
    "departure": a_gateway_dies,
    "damage": stores_are_damaged,
}


def _tell(violations: list[str]) -> None:
    for violation in violations:
        say(f"  {violation}")


def main() -> int:
    """The exit status: 0 if all that was promised held."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--duration", type=float, default=200, help="seconds of killing in turn")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    # The brokers come and go, and it is not for the tests to tell of it.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logs = Path(tempfile.mkdtemp(prefix="chaos-"))
    say(f"seed {chosen.seed}, logs in {logs}")
    options = Options(chosen.seed, chosen.duration, logs)
    return 0 if asyncio.run(check([PARTS[name] for name in chosen.parts or PARTS], options)) else 1


if __name__ == "__main__":
    sys.exit(main())

"""``python -m recovery.campaign``: the long form, with a table of what was promised and seen."""

import argparse
import asyncio
import json
import logging
import random
import resource
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import structlog
import uvloop

from chaos.promises import Options, Part, Row, check, say
from recovery.checker import quantile
from recovery.crowds import crowd, jitter, restart
from recovery.cuts import Cutter
from recovery.failover import gone, rolled, ways_back
from recovery.proxy import Kind
from recovery.scene import QUICK, Cast, Outcome, scene

CUTS = 2000
STREAM_CUTS = 1000
#: Of the connections of those to whom others show what they drag, this share is cut in a second.
DRAG_CUTS, DRAG_CUT_SHARE_PER_S = 100, 0.05
CUTS_PER_S = 16.0
#: How long clients with their default settings are in for at most, p95.
KILLED_BACK_S, TERMINATED_BACK_S = 3.0, 2.0
RECOVERED_SHARE = 0.99
#: The field's own jitter test has ten times as many clients.
JITTER_ROOMS, JITTER_ROOM_SIZE = 20, 50
JITTER_S, STAY_S, AWAY_S = 60.0, 12.0, 3.0
JITTER_UPDATES_PER_S = 20.0
CATCH_UP_S = 1.0
LEFT_ALONE_ROOMS, LEFT_ALONE_ROOM_SIZE = 100, 50


async def clients_are_cut_off(options: Options) -> AsyncIterator[Row]:
    """Thousands of cuts at random bytes."""
    cast = Cast(options=QUICK, seed=options.seed)
    async for row in _cut_off(options, "cuts", cast):
        yield row


async def clients_of_round_robin_are_cut_off(options: Options) -> AsyncIterator[Row]:
    """The same where every request goes to the next gateway."""
    cast = Cast(options=QUICK, seed=options.seed, plain=True)
    async for row in _cut_off(options, "plain-cuts", cast):
        yield row


async def _cut_off(
    options: Options,
    name: str,
    cast: Cast,
    *,
    cuts: int = CUTS,
    told: str = "socket.recovered is true",
) -> AsyncIterator[Row]:
    async with scene(options.logs / name, cast) as playing:
        cutter = Cutter(playing.proxy, playing.chance, CUTS_PER_S, cuts)
        await cutter.work()
        outcome = await playing.end()
    _keep(options, name, outcome)
    kinds = ", ".join(f"{cutter.counts[kind]} {kind}" for kind in Kind)
    what = f"{cutter.cuts} cuts ({kinds})"
    for row in _nothing_lost(what, outcome):
        yield row
    recovered = sum(back.recovered for back in outcome.returns)
    share = recovered / len(outcome.returns)
    yield Row(
        told,
        f"in {recovered} of {len(outcome.returns)} returns",
        f"{RECOVERED_SHARE:.0%}",
        share >= RECOVERED_SHARE,
    )


async def streams_are_cut_off(options: Options) -> AsyncIterator[Row]:
    """The same for programs that follow by server-sent events."""
    cast = Cast(options=QUICK, seed=options.seed, members=0, readers=36)
    told = "the next event is the one after the last"
    async for row in _cut_off(options, "stream-cuts", cast, cuts=STREAM_CUTS, told=told):
        yield row


async def clients_are_cut_off_during_drags(options: Options) -> AsyncIterator[Row]:
    """Members see what somebody drags, and end on what is stored, whoever is cut off meanwhile."""
    cast = Cast(options=QUICK, seed=options.seed, drags=True, updates_per_s=10.0, musics=0)
    rate_per_s = cast.members * DRAG_CUT_SHARE_PER_S
    async with scene(options.logs / "drags", cast) as playing:
        cutter = Cutter(playing.proxy, playing.chance, rate_per_s, DRAG_CUTS)
        await cutter.work()
        outcome = await playing.end()
        previews = await playing.members.previews()
    _keep(options, "drags", outcome)
    drags = sum(len(log) for log in outcome.logs.values())
    what = (
        f"{cutter.cuts} cuts, {DRAG_CUT_SHARE_PER_S:.0%} of the members a second, in {drags} drags"
    )
    for row in _nothing_lost(what, outcome):
        yield row
    yield Row("previews that members were shown", f"{previews}", "some", previews > 0)


async def gateways_are_killed(options: Options) -> AsyncIterator[Row]:
    """kill -9 of each gateway in turn, clients as they come."""
    async for row in _gateways_go(options, signal.SIGKILL, KILLED_BACK_S):
        yield row


async def gateways_are_stopped(options: Options) -> AsyncIterator[Row]:
    """SIGTERM of each gateway in turn, clients as they come."""
    async for row in _gateways_go(options, signal.SIGTERM, TERMINATED_BACK_S):
        yield row


async def _gateways_go(
    options: Options, number: signal.Signals, bound_s: float
) -> AsyncIterator[Row]:
    async with scene(options.logs / number.name, Cast(seed=options.seed)) as playing:
        for gateway in playing.stack.gateways:
            await gone(playing, gateway, number)
        outcome = await playing.end()
    _keep(options, number.name, outcome)
    for row in _nothing_lost(f"{number.name} of each of 3 gateways", outcome):
        yield row
    yield _way_back(outcome, bound_s)


async def all_is_replaced(options: Options) -> AsyncIterator[Row]:
    """A rolling restart of everything but the broker."""
    cast = Cast(states=2, musics=2, seed=options.seed)
    async with scene(options.logs / "rolling", cast) as playing:
        stack = playing.stack
        await rolled([*stack.gateways, *stack.states, *stack.musics])
        outcome = await playing.end()
    _keep(options, "rolling", outcome)
    for row in _nothing_lost("a rolling restart of all gateways, states and musics", outcome):
        yield row
    yield _way_back(outcome, TERMINATED_BACK_S)


async def all_is_replaced_behind_round_robin(options: Options) -> AsyncIterator[Row]:
    """All gateways twice, where every request goes to the next one."""
    async with scene(options.logs / "plain", Cast(seed=options.seed, plain=True)) as playing:
        for _ in range(2):
            await rolled(playing.stack.gateways)
        outcome = await playing.end()
    _keep(options, "plain", outcome)
    for row in _nothing_lost("a rolling restart of all gateways, twice, in round robin", outcome):
        yield row
    yield _way_back(outcome, TERMINATED_BACK_S)


async def a_crowd_jitters(options: Options) -> AsyncIterator[Row]:
    """The jitter test of the field."""
    rooms, size = JITTER_ROOMS, JITTER_ROOM_SIZE
    async with crowd(options.logs / "jitter", gateways=3, rooms=rooms, room_size=size) as everybody:
        found = await jitter(
            everybody,
            duration_s=JITTER_S,
            stay_s=STAY_S,
            away_s=AWAY_S,
            updates_per_s=JITTER_UPDATES_PER_S,
        )
    counts, returns = found.verdict.counts, found.catch_ups_s
    yield Row(
        f"{found.clients} clients cut off {len(returns)} times: messages missing or doubled",
        f"{counts['missing']} and {counts['duplicated']} of {counts['sent']}",
        "0 and 0",
        found.verdict.is_good and not found.not_recovered,
    )
    p50_s, p99_s = quantile(returns, 0.5), quantile(returns, 0.99)
    yield Row(
        "all that was missed has come",
        f"{p50_s:.3f} s (p50), {p99_s:.3f} s (p99) after the return",
        f"{CATCH_UP_S:g} s (p99)",
        p99_s <= CATCH_UP_S,
    )


async def a_crowd_is_left_alone(options: Options) -> AsyncIterator[Row]:
    """The only gateway of thousands is restarted."""
    rooms, size = LEFT_ALONE_ROOMS, LEFT_ALONE_ROOM_SIZE
    async with crowd(options.logs / "alone", gateways=1, rooms=rooms, room_size=size) as everybody:
        found = await restart(everybody)
    yield Row(
        f"the only gateway of {found.clients} clients is restarted (it stops in"
        f" {found.stopped_in_s:.1f} s): clients that give up, or begin anew",
        f"{found.gave_up} and {found.not_recovered}",
        "0 and 0",
        not (found.gave_up or found.not_recovered),
    )
    p50_s, most_s = quantile(found.ways_back_s, 0.5), max(found.ways_back_s)
    cores = ", ".join(f"{name} {value:.2f}" for name, value in found.peak_cores.items())
    mib = ", ".join(f"{name} {value:.0f}" for name, value in found.peak_mib.items())
    yield Row("they are back", f"{p50_s:.1f} s (p50), {most_s:.1f} s (most)", "35 s", most_s <= 35)
    yield Row("cores at the most", cores, "", held=True)
    yield Row("MiB at the most", mib, "", held=True)


PARTS: Mapping[str, Part] = {
    "cuts": clients_are_cut_off,
    "kill": gateways_are_killed,
    "term": gateways_are_stopped,
    "rolling": all_is_replaced,
    "stream-cuts": streams_are_cut_off,
    "drag-cuts": clients_are_cut_off_during_drags,
    "plain-cuts": clients_of_round_robin_are_cut_off,
    "plain-rolling": all_is_replaced_behind_round_robin,
    "jitter": a_crowd_jitters,
    "alone": a_crowd_is_left_alone,
}


def _nothing_lost(what: str, outcome: Outcome) -> list[Row]:
    if not outcome.is_good:
        say(str(outcome))
    counts = outcome.verdict.counts
    wrong = [counts[kind] for kind in ("missing", "duplicated", "out of order", "unknown")]
    return [
        Row(
            f"{what}: events missing, doubled, out of order, unknown",
            f"{wrong} of {counts['sent']}",
            "0 each",
            outcome.verdict.is_good,
        ),
        Row(
            "clients that are told of an error, do not come to the end, know other values",
            f"{len(outcome.errors)}, {len(outcome.late)}, {len(outcome.stale)}",
            "0 each",
            not (outcome.errors or outcome.late or outcome.stale),
        ),
    ]


def _way_back(outcome: Outcome, bound_s: float) -> Row:
    ways = ways_back(outcome.notes.values())
    p50_s, p95_s = quantile(ways, 0.5), quantile(ways, 0.95)
    return Row(
        f"{len(ways)} clients are back in their rooms",
        f"{p50_s:.2f} s (p50), {p95_s:.2f} s (p95), {max(ways):.2f} s (most)",
        f"{bound_s:g} s (p95)",
        p95_s <= bound_s,
    )


def _keep(options: Options, name: str, outcome: Outcome) -> None:
    """Leave the evidence beside the logs."""
    logs = {name: [(f.seq, f.name, f.timestamp) for f in log] for name, log in outcome.logs.items()}
    evidence = {"notes": outcome.notes, "logs": logs}
    (options.logs / f"{name}.json").write_text(json.dumps(evidence))


def main() -> int:
    """The exit status: 0 if all that was promised held."""
    parser = argparse.ArgumentParser(prog="recovery.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Inherited by the product; the usual 1,024 would not do for thousands of clients.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    logs = Path(tempfile.mkdtemp(prefix="recovery-"))
    say(f"seed {chosen.seed}, logs in {logs}")
    options = Options(chosen.seed, 0, logs)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return (
            0 if runner.run(check([PARTS[name] for name in chosen.parts or PARTS], options)) else 1
        )


if __name__ == "__main__":
    sys.exit(main())

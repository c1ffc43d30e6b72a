"""Rounds of attack and rounds of peace in turn, with neighbours in the room all the time.

The attacker takes as much of the machine's CPU in peace as in an attack, so that the difference is
the product's.
"""

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
import jwt

from fuzz.attack import Plan, Tally, attack, be_nice
from fuzz.costs import MAX_MESSAGE_S
from fuzz.meter import Meter
from fuzz.neighbour import Neighbours
from fuzz.vitals import Vitals, complaints, growth, leaks, settled, vitals
from harness.world import SECRET, World, started

USERS = 40
#: By so much longer than in peace may neighbours wait, in the 99th of a hundred cases.
MAX_RATIO = 1.5
#: A round of peace is so much shorter than one of attack.
PEACE_SHARE = 2
#: What proves that a token is a service's.
SERVICE_SECRET = "the secret of services in the fuzzer"
#: So that neither allowances nor addresses stand in the way.
SETTINGS: dict[str, Any] = {
    "HARMONIC_CONNECTS_PER_S": "1000000",
    "HARMONIC_CONNECTS_BURST": "1000000",
    "HARMONIC_FAILED_CALLS_PER_S": "1000000",
    "HARMONIC_FAILED_CALLS_BURST": "1000000",
    # What anybody may ask for is to be cheap as well.
    "HARMONIC_GUEST_TOKENS": "true",
    "HARMONIC_SERVICE_SECRET": SERVICE_SECRET,
}


def service_tokens() -> list[str]:
    """Tokens that services might say: a good one, and others that are none."""
    hour = int(time.time()) + 3600
    good = {"sub": "the backend", "exp": hour, "harmonic_service": "fuzz"}
    return [
        jwt.encode({**good, **claims}, secret, "HS256")
        for secret, claims in (
            (SERVICE_SECRET, {}),
            (SERVICE_SECRET, {}),
            (SERVICE_SECRET, {"exp": 1}),
            (SERVICE_SECRET, {"exp": hour * 1000}),
            (SERVICE_SECRET, {"harmonic_service": "\u202e" * 40}),
            (SERVICE_SECRET, {"harmonic_service": {"a": 1}}),
            (SERVICE_SECRET, {"harmonic_service": None}),
            (SECRET, {}),
            (SECRET, {"sub": "service:fuzz"}),
            ("another secret, which is nobody's here", {}),
        )
    ]


@dataclass
class Report:
    """What a campaign saw. It went well if there are no ``faults``.

    ``cpu_s`` are the gateway's CPU seconds for an input, without what its neighbours take: a value
    a round of attack. Neighbours' waits are a value a round: of the first attack, in which the
    product and the attacker warm up, of peace, of attack, and of the last attack, in which clients
    come back, and are sent all that they missed.
    """

    cpu_s: list[float] = field(default_factory=list)
    warm_p99_s: list[float] = field(default_factory=list)
    peace_p99_s: list[float] = field(default_factory=list)
    attack_p99_s: list[float] = field(default_factory=list)
    returns_p99_s: list[float] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    seen: Counter[str] = field(default_factory=Counter)
    rounds: list[Vitals] = field(default_factory=list)
    held: Vitals | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How much longer neighbours wait while there is an attack: medians of rounds."""
        return median(self.attack_p99_s) / median(self.peace_p99_s)


async def campaign(
    folder: Path, inputs: int, *, seed: int, rounds: int, inputs_per_s: float, least_updates: int
) -> Report:
    """Attack a product of its own, which keeps its data and logs in ``folder``."""
    report = Report()
    async with (
        started(folder, gateways=1, **SETTINGS) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        neighbours = Neighbours(world)
        await neighbours.come()
        before = await vitals(stack, http)
        attacked = Plan(
            port=stack.gateway_ports[0],
            seed=seed,
            inputs=-(-inputs // (rounds + 2)),
            inputs_per_s=inputs_per_s,
            tokens=[world.token(f"user-{number}") for number in range(USERS)],
            services=service_tokens(),
        )
        with ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=be_nice
        ) as attacker:
            meter = Meter(world)
            for plan, waits in _rounds(attacked, rounds, report):
                began = meter.begin()
                over = asyncio.Event()
                attacking = asyncio.get_running_loop().run_in_executor(attacker, attack, plan)
                attacking.add_done_callback(partial(_tell, over))
                waits.append(p99(await neighbours.talk(over, least_updates)))
                tally = await attacking
                report.tally.add(tally)
                neighbours.check()
                if plan.peace:
                    meter.rests(began)
                elif waits is not report.warm_p99_s:
                    report.cpu_s.append(meter.since(began) / tally.inputs.total())
                    report.rounds.append(await vitals(stack, http))
        report.held = await settled(stack, http, before)
        neighbours.check()
        await neighbours.go()
        report.seen = neighbours.seen
        report.faults += report.tally.findings + neighbours.malformed
        if neighbours.unheard:
            report.faults.append(f"{neighbours.unheard} updates of neighbours were never heard")
        report.faults += [
            f"inputs cost {cpu_s * 1000:.2f} ms of the gateway's CPU each"
            for cpu_s in report.cpu_s
            if cpu_s > MAX_MESSAGE_S
        ]
        report.faults += leaks(before, report.held) + growth(report.rounds[0], report.held)
    report.faults += complaints(folder)
    return report


def _rounds(plan: Plan, rounds: int, report: Report) -> Iterator[tuple[Plan, list[float]]]:
    """Peace and attack in the order PAAP: what changes in the meantime counts for both alike."""
    yield replace(plan, seed=plan.seed + rounds + 1), report.warm_p99_s
    for number in range(rounds):
        own = replace(plan, seed=plan.seed + number)
        each_s = report.tally.cpu_s_each
        rest = replace(own, inputs=own.inputs // PEACE_SHARE, peace=True, cpu_s=each_s)
        pair = [(rest, report.peace_p99_s), (own, report.attack_p99_s)]
        yield from pair if number % 2 == 0 else reversed(pair)
    yield replace(plan, seed=plan.seed + rounds, returns=True), report.returns_p99_s


def _tell(over: asyncio.Event, _: object) -> None:
    over.set()


def p99(values: list[float]) -> float:
    """What 99 of 100 do not exceed."""
    return quantiles(values, n=100)[-1]

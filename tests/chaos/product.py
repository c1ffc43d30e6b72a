"""The product that is tormented, with faults built in where a test wants them."""

import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from harmonic_local.bus import CONFIG
from harmonic_local.stack import Stack, program
from harness.world import started

#: Builds faults in, in the process that it is to be in.
LAUNCHER = Path(__file__).with_name("launch.py")
#: Who does not come back is gone soon, so that it all ends soon.
SOON: Mapping[str, str] = {"HARMONIC_GATEWAY_LEASE_S": "5", "HARMONIC_DEPARTURE_GRACE_S": "1"}


@asynccontextmanager
async def product(
    logs: Path,
    *,
    brokers: int = 1,
    states: int = 2,
    gateways: int = 2,
    musics: int = 0,
    faults: Mapping[str, Sequence[str]] | None = None,
    settings: Mapping[str, str] = SOON,
) -> AsyncIterator[Stack]:
    """A product of its own, without music unless it is asked for."""
    async with started(
        logs,
        brokers=brokers,
        states=states,
        gateways=gateways,
        musics=musics,
        command=broken(faults or {}),
        broker_config=CONFIG,
        **settings,
    ) as stack:
        yield stack


def broken(faults: Mapping[str, Sequence[str]]) -> Callable[[str, str], Sequence[str]]:
    """How to run services with faults: by the name of the process, or of its kind."""

    def command(name: str, module: str) -> Sequence[str]:
        kind = name.partition("-")[0]
        built_in = [*faults.get(kind, ()), *faults.get(name, ())]
        if not built_in:
            return program(name, module)
        # Not by its own folder's modules: they are the tests', not the service's.
        return [sys.executable, "-P", str(LAUNCHER), ",".join(built_in), module]

    return command


def failures(logs: Path) -> list[str]:
    """What the product's processes logged of failures of their own."""
    lines = [line for file in logs.glob("*.log") for line in file.read_text().splitlines()]
    return [line for line in lines if "Traceback" in line]

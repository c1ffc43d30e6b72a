"""The product that is tormented, with faults built in where a test wants them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from chaos.launch import broken
from harmonic_local.stack import Stack
from harness.world import started

#: Who does not come back is gone soon, so that it all ends soon.
SOON: Mapping[str, str] = {"HARMONIC_GATEWAY_LEASE_S": "5", "HARMONIC_DEPARTURE_GRACE_S": "1"}


@asynccontextmanager
async def product(
    logs: Path,
    *,
    brokers: int = 1,
    states: int = 2,
    gateways: int = 2,
    faults: Mapping[str, Sequence[str]] | None = None,
    settings: Mapping[str, str] = SOON,
) -> AsyncIterator[Stack]:
    """A product of its own, without music."""
    async with started(
        logs,
        brokers=brokers,
        states=states,
        gateways=gateways,
        musics=0,
        command=broken(faults or {}),
        **settings,
    ) as stack:
        yield stack

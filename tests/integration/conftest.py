"""What the integration tests may ask for besides the shared product."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.world import World, started

#: As short as the settings allow, so that departures can be waited for.
DEPARTURE_GRACE_S = 0.5
GATEWAY_LEASE_S = 2.0
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ")


@pytest.fixture(scope="session")
async def fragile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product whose processes may be killed; whoever does so starts them again."""
    async with started(
        tmp_path_factory.mktemp("fragile"),
        states=2,
        musics=2,
        HARMONIC_DEPARTURE_GRACE_S=str(DEPARTURE_GRACE_S),
        HARMONIC_GATEWAY_LEASE_S=str(GATEWAY_LEASE_S),
        # What was under way to a process that was killed is given up after so long.
        HARMONIC_REQUEST_TIMEOUT_S="1.5",
    ) as running:
        yield running


@pytest.fixture
async def frail(fragile: Stack) -> AsyncIterator[World]:
    """A test's own universes and clients in the product whose processes may be killed."""
    with clean_logs_of(fragile):
        async with aiohttp.ClientSession() as http:
            view = World(fragile, http)
            yield view
            await view.close()


@pytest.fixture(autouse=True)
def clean_logs(stack: Stack) -> Iterator[None]:
    """Whatever clients do, the logs show no failure of the product's own code."""
    with clean_logs_of(stack):
        yield


@contextmanager
def clean_logs_of(stack: Stack) -> Iterator[None]:
    """What is logged meanwhile holds no traceback and no token."""
    read = {file: file.stat().st_size for file in _logs(stack)}
    yield
    for file in _logs(stack):
        with file.open() as lines:
            lines.seek(read.get(file, 0))
            news = lines.read()
        assert "Traceback" not in news, news
        assert not _JWT.search(news), news


def _logs(stack: Stack) -> list[Path]:
    return [*stack.plan.data.parent.glob("*.log")]

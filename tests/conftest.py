"""What all tests may ask for: a running product, a view of it, and brokers by themselves."""

import gc
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from hypothesis import HealthCheck, settings

from harmonic_local.stack import Stack
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.streams import Streams
from harness import leaks
from harness.broker import Broker, OpenBus, connected, running_broker
from harness.forked import fork
from harness.world import World, spawn_by, started

_words = itertools.count(1)


#: Examples may take as long as a busy machine lets them.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("hypothesis_profile") is None:
        settings.load_profile("untimed")
    leaks.watch_tokens()
    spawn_by(fork)


@pytest.fixture(scope="session", autouse=True)
def no_secret_leaks() -> Iterator[None]:
    """Whatever the tests do, no log, metric or process title holds a token or a secret."""
    yield
    assert leaks.find_leaks() == []


@pytest.fixture(scope="module", autouse=True)
def own_garbage() -> Iterator[None]:
    """A module's garbage is collected at its end, and not somewhere in the next one.

    What is collected may warn, with a traceback. CPython 3.11 parses code to write one, and fails
    if it was parsing already, as hypothesis does (``AST constructor recursion depth mismatch``).
    """
    yield
    gc.collect()


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Two gateways, a state and a music service around a broker, shared by all tests."""
    async with started(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    """A test's own universes and clients in the shared product."""
    async with aiohttp.ClientSession() as http:
        view = World(stack, http)
        yield view
        await view.close()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder for a product of the test's own."""
    return tmp_path / "stack"


@pytest.fixture(scope="session")
async def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """The broker of all tests that leave it in peace."""
    async with running_broker(tmp_path_factory.mktemp("jetstream")) as running:
        yield running


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """A broker that the test may stop, freeze and kill."""
    async with running_broker(tmp_path / "jetstream") as running:
        yield running


@pytest.fixture
async def bus(shared_broker: Broker) -> AsyncIterator[Bus]:
    async with connected(shared_broker.url) as connection:
        yield connection


@pytest.fixture
def streams(bus: Bus) -> Streams:
    return Streams(bus)


@pytest.fixture
def word() -> str:
    """A name that no other test uses."""
    return f"w{next(_words)}"


@pytest.fixture
def peer(shared_broker: Broker) -> OpenBus:
    """Opens further connections to the shared broker, as other processes have them."""
    return lambda **settings: connected(shared_broker.url, **settings)

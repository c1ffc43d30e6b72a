"""Journals for the state service's tests: on a real broker, and in memory."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeAlias

import pytest

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.streams import Streams
from harmonic_state.journal import Journal
from harmonic_state.service import record_ids
from harmonic_state.settings import StateSettings
from harmonic_state.storage import LAYOUT_VERSION, stream_configs
from harness.broker import Broker, connected
from state_service.builders import skipped_messages
from state_service.storing import Storing

OpenJournal: TypeAlias = Callable[..., Coroutine[Any, Any, Journal]]


async def set_up(streams: Streams, settings: StateSettings) -> Journal:
    for config in stream_configs(settings):
        await streams.ensure(config, version=LAYOUT_VERSION)
    return Journal(streams, settings, record_ids("test"), skipped_messages())


@pytest.fixture
async def own_bus(own_broker: Broker) -> AsyncIterator[Bus]:
    """A connection to a broker that nobody else uses."""
    async with connected(own_broker.url) as bus:
        yield bus


@pytest.fixture
def journal_with(own_bus: Bus) -> OpenJournal:
    """Makes a journal with the settings that are given, on streams of its own."""

    async def make(**chosen: object) -> Journal:
        return await set_up(Streams(own_bus), StateSettings.model_validate(chosen))

    return make


@pytest.fixture
def storing(monkeypatch: pytest.MonkeyPatch) -> Storing:
    """A universe stored in memory; an append of unknown outcome is tried again at once."""
    monkeypatch.setattr("harmonic_state.journal.RESOLVING_PAUSE_S", 0)
    return Storing()

"""How full the streams are, and how many jobs wait: polled from their leaders.

Every replica polls, so that the numbers are there whichever of them is scraped. The state service
does it because it sets the streams up, and so that jobs are counted while no music service runs.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.inspection import Inspection, Storage, StreamState
from harmonic_runtime.observability.metrics import Metrics
from harmonic_state import metrics as table

INTERVAL_S = 10.0
#: The label for the account's own limits.
_STORES: Mapping[Storage, str] = {"file": "store", "memory": "memory"}


class StreamWatch:
    """Polls all streams, and sets the metrics."""

    def __init__(self, inspection: Inspection, metrics: Metrics) -> None:
        self._inspection = inspection
        sizes = metrics.gauges(table.STREAM_BYTES)
        self._bytes = {name: sizes.of(name) for name in table.STREAMS}
        fills = metrics.gauges(table.STREAM_FILL)
        bounded = table.STREAM_FILL.labels.values_of("stream")
        self._fills = {name: fills.of(name) for name in bounded}
        self._missing = metrics.gauge(table.STREAMS_MISSING)
        self._music_pending = metrics.gauge(table.MUSIC_PENDING)

    async def keep_asking(self) -> None:
        """Poll until cancelled; without an answer, the metrics keep their last values."""
        while True:
            with suppress(BusUnavailable):
                await self._ask()
            await asyncio.sleep(INTERVAL_S)

    async def _ask(self) -> None:
        # All at once: so many questions take few reads and writes.
        states = await asyncio.gather(*map(self._inspection.stream, table.STREAMS))
        for name, state in zip(table.STREAMS, states, strict=True):
            self._show(name, state or StreamState())
        self._missing.set(sum(state is None for state in states))
        store = await self._inspection.store()
        for storage, name in _STORES.items():
            self._fills[name].set(max(each.fill for each in store if each.storage == storage))
        self._music_pending.set(
            await self._inspection.unfinished(subjects.JOBS_STREAM, subjects.JOBS_CONSUMER)
        )

    def _show(self, name: str, state: StreamState) -> None:
        self._bytes[name].set(state.bytes)
        if name in self._fills:
            self._fills[name].set(state.fill)

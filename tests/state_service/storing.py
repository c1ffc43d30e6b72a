"""A universe that a journal stores in streams in memory: for tests without a broker."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import AppendUnknown
from harmonic_runtime.observability.metrics import Metrics
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.journal import Journal
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.ring import RecentRecord
from harmonic_state.settings import StateSettings
from harmonic_state.storage import stream_configs
from harness.memory import MemoryStreams
from state_service.builders import UNIVERSE, caller, command, open_universe, skipped_messages

AT = "2024-03-21T10:30:00.000Z"
OWNER, ANN = caller("owner"), caller("ann")
LOG, SNAPSHOT = subjects.log(UNIVERSE), subjects.snapshot(UNIVERSE)
UNKNOWN, AWAY = AppendUnknown("no answer"), BusUnavailable("no leader")
NOTHING = Loaded(None, 0)


class Storing:
    """A journal on streams in memory, and a universe whose history it stores."""

    def __init__(self, **chosen: object) -> None:
        settings = StateSettings.model_validate(chosen)
        patterns = {
            str(config["name"]): list(config["subjects"])  # type: ignore[call-overload]
            for config in stream_configs(settings)
        }
        self.streams = MemoryStreams(patterns)
        numbers = count(1)
        self.metrics = Metrics()
        self.journal = Journal(
            self.streams, settings, lambda: f"r{next(numbers)}", skipped_messages(self.metrics)
        )
        self.history = open_universe()
        self.history.does(command("join_room", mode="edit"), ANN)
        self.loaded = NOTHING

    def changes(self) -> list[LogEvent]:
        tempo = 40 + self.history.milliseconds % 100
        return self.history.does(command("update_music", parameters={"tempo": tempo}), ANN)

    async def store(self, events: Sequence[LogEvent] | None = None) -> RecentRecord:
        """Append a record; all that happened before, if it is the first."""
        if events is None:
            events = self.changes() if self.loaded.position else self.history.events
        record, _ = await self.journal.append(UNIVERSE, AT, events, self.loaded.position)
        after = fold(self.loaded.universe, events)
        self.loaded = self.loaded.then(after, record.position, record.id)
        return record

    async def cover(self) -> Coverage:
        coverage = await self.journal.save_snapshot(UNIVERSE, self.loaded)
        self.loaded = replace(self.loaded, coverage=coverage)
        return coverage

    @property
    def records(self) -> list[int]:
        """The positions of the records that the log keeps."""
        return [message.sequence for message in self.streams.stored if message.subject == LOG]

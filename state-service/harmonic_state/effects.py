"""What follows from stored events outside the log: jobs, the listing, quotas, snapshots."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from harmonic_protocol.log import (
    ActionNoted,
    HistoryForgotten,
    MusicRequested,
    OwnerChanged,
    UniverseDeleted,
)
from harmonic_protocol.messages.endless import MusicStarted, MusicStopped
from harmonic_runtime.bus.client import BusUnavailable, MessageTooLarge
from harmonic_runtime.bus.streams import StreamFull
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_state import metrics as table
from harmonic_state.auditing import Auditing
from harmonic_state.domain.answers import requested_music
from harmonic_state.domain.events import LogEvent, forgets_history
from harmonic_state.domain.universe import Universe
from harmonic_state.jobs import MusicJobs
from harmonic_state.journal import Journal
from harmonic_state.lineage import UniverseLost
from harmonic_state.listing import CHANGES_LISTING, Listing
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.playing import EndlessPieces
from harmonic_state.quotas import Quotas

LISTING_ATTEMPTS = 3
LISTING_PAUSE_S = 0.2
#: Seconds between two looks for unfinished changes; one is finished if it is seen twice.
SETTLING_INTERVAL_S = 5.0
#: The events that :meth:`Effects.prepare` and :meth:`Effects.carry_out` look for.
_ASKING = frozenset(
    (
        *CHANGES_LISTING,
        MusicRequested,
        MusicStarted,
        MusicStopped,
        OwnerChanged,
        UniverseDeleted,
        HistoryForgotten,
        ActionNoted,
    )
)


class Effects:
    """Carries out what stored events demand outside the log."""

    def __init__(
        self,
        *,
        journal: Journal,
        listing: Listing,
        quotas: Quotas,
        jobs: MusicJobs,
        endless: EndlessPieces,
        auditing: Auditing,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._journal = journal
        self._listing = listing
        self._quotas = quotas
        self._jobs = jobs
        self._endless = endless
        self._auditing = auditing
        self._log = log
        #: Positions of the notes of listing changes that are under way, by universe.
        self._noted: dict[str, int] = {}
        snapshots = metrics.counters(table.SNAPSHOTS)
        self._snapshots_saved = snapshots.of("saved")
        self._snapshots_failed = snapshots.of("failed")
        self._settled = metrics.counter(table.LISTINGS_SETTLED)
        self._unsettled = metrics.counter(table.LISTING_FAILURES)

    def resume(self, universe: Universe) -> None:
        """Resume the effects that a universe that was just loaded still waits for."""
        for requested in universe.pending_music.values():
            self._jobs.begin(requested)
        self._endless.resume(universe.id, universe.endless)
        self._auditing.resume(universe)

    def concern(self, events: Sequence[LogEvent]) -> bool:
        """Whether any of the events has effects: most records have none that does."""
        for event in events:  # noqa: SIM110 -- any() takes a generator for each record
            if type(event) in _ASKING:
                return True
        return False

    async def prepare(self, universe_id: str, events: Sequence[LogEvent]) -> None:
        """Note what is to be done once the events are stored, so that any replica can finish it."""
        if any(isinstance(event, CHANGES_LISTING) for event in events):
            try:
                self._noted[universe_id] = await self._listing.unsettle(universe_id)
            except (BusUnavailable, StreamFull) as error:
                self._unlisted(universe_id, error)

    async def carry_out(
        self, universe_id: str, known: Loaded, events: Sequence[LogEvent]
    ) -> Coverage | None:
        """Carry out the effects of stored events, before their requests are answered.

        Return what is stored of the universe besides its log, if that has changed. The audit log is
        written later: no request waits for it.
        """
        self._auditing.note(universe_id, events)
        after = known.universe
        for requested in requested_music(events):
            self._jobs.begin(requested)
        if any(isinstance(event, CHANGES_LISTING) for event in events):
            noted_at = self._noted.pop(universe_id, None)
            await self.settle_listing(universe_id, after, noted_at=noted_at)
        for event in events:
            if isinstance(event, OwnerChanged):
                await self._count_for_another(universe_id, event)
            elif isinstance(event, MusicStopped):
                self._endless.over(universe_id, event.stream_id)
        if after is not None and any(isinstance(event, MusicStarted) for event in events):
            self._endless.resume(universe_id, after.endless)
        if after is not None and any(isinstance(event, UniverseDeleted) for event in events):
            # A user who deletes a universe may create another at once.
            await self._count_no_more(after)
        return await self._begin_anew(universe_id, known) if forgets_history(events) else None

    async def settle_listing(
        self, universe_id: str, universe: Universe | None, *, noted_at: int | None = None
    ) -> None:
        """Make the listing's entries of a universe what its log says.

        A failure is logged; the note remains, so it is tried again in the background.
        """
        for _ in range(LISTING_ATTEMPTS):
            try:
                if await self._listing.settle(universe_id, universe, noted_at=noted_at):
                    self._settled.inc()
                return
            except (BusUnavailable, StreamFull) as error:
                failure: Exception = error
                await asyncio.sleep(LISTING_PAUSE_S)
        self._unlisted(universe_id, failure)

    async def keep_settling(self) -> None:
        """Finish, until cancelled, listing changes that dead or failing replicas left undone."""
        known: dict[str, int] = {}
        while True:
            await asyncio.sleep(SETTLING_INTERVAL_S)
            try:
                noted = {
                    each.universe_id: each.noted_at for each in await self._listing.unsettled()
                }
                for universe_id, noted_at in noted.items():
                    # It was noted just now: its owner is finishing it.
                    if known.get(universe_id) == noted_at:
                        loaded, _ = await self._journal.load(universe_id)
                        await self.settle_listing(universe_id, loaded.universe, noted_at=noted_at)
                        self._log.warning("listing_settled", universe=universe_id)
                known = noted
            except (BusUnavailable, UniverseLost) as error:
                self._log.warning("listing_not_settled", reason=f"{type(error).__name__}: {error}")

    async def snapshot(self, universe_id: str, loaded: Loaded) -> Coverage | None:
        """Store a snapshot. Without one, loading reads more, and the log grows to its bound."""
        try:
            saved = await self._journal.save_snapshot(universe_id, loaded)
        except (BusUnavailable, StreamFull, MessageTooLarge) as error:
            self._snapshots_failed.inc()
            self._log.error(
                "snapshot_not_saved",
                universe=universe_id,
                reason=f"{type(error).__name__}: {error}",
            )
            return None
        self._snapshots_saved.inc()
        return saved

    async def make_room(self, universe_id: str, loaded: Loaded) -> Coverage | None:
        """Discard the history that a snapshot covers, for a log that is full."""
        try:
            coverage = await self._journal.make_room(universe_id, loaded)
        except (BusUnavailable, StreamFull) as error:
            self._log.error("log_full", universe=universe_id, reason=str(error))
            return None
        self._log.error("history_discarded", universe=universe_id, marks=list(coverage.marks))
        return coverage

    async def erase(self, universe_id: str, loaded: Loaded) -> None:
        """Remove what is left of a deleted universe. If that fails, the next load repeats it."""
        # The log must stay until the audit log has its entries.
        await self._auditing.settled(universe_id)
        try:
            if loaded.universe is not None:
                await self._quotas.release(loaded.universe.owner, universe_id)
            await self._journal.erase(universe_id, loaded)
        except (BusUnavailable, StreamFull):
            self._log.warning("universe_not_erased", universe=universe_id)

    async def _begin_anew(self, universe_id: str, known: Loaded) -> Coverage | None:
        """Remove all records of a log below its end; a failure is reported to the requester."""
        try:
            return await self._journal.make_room(universe_id, known)
        except (BusUnavailable, StreamFull) as error:
            self._log.warning("history_not_forgotten", universe=universe_id, reason=str(error))
            return None

    def _unlisted(self, universe_id: str, error: Exception) -> None:
        # The universe itself is stored in its log; only its listing may fail here.
        self._unsettled.inc()
        self._log.error(
            "listing_not_updated", universe=universe_id, reason=f"{type(error).__name__}: {error}"
        )

    async def _count_for_another(self, universe_id: str, change: OwnerChanged) -> None:
        # The second of two changes in a row may have run before the first was counted.
        with suppress(BusUnavailable):
            await self._quotas.release(change.former_owner, universe_id)
            await self._quotas.reserve(change.owner, universe_id)

    async def _count_no_more(self, universe: Universe) -> None:
        # A failure here is repaired when the rest of the universe is removed.
        with suppress(BusUnavailable):
            await self._quotas.release(universe.owner, universe.id)

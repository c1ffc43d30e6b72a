"""When a universe's next snapshot is due, and how much of its log no snapshot covers. Pure."""

from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.steps import Command, Instant, SaveSnapshot

#: Seconds until a failed snapshot, or an append that failed for want of space, is tried again.
RETRY_STORING_S = 5.0


class SnapshotPlan:
    """Counts the records since the latest snapshot; one snapshot is saved at a time.

    A log has space for ``uncovered_records`` besides its history. Beyond, its space is reserved for
    what makes the universe smaller.
    """

    def __init__(self, *, every_records: int, uncovered_records: int) -> None:
        self._every_records = every_records
        self._uncovered_records = uncovered_records
        self._being_saved: int | None = None
        self._retry_at_s = 0.0
        self.records = 0

    @property
    def saving(self) -> bool:
        """Whether a snapshot is being saved."""
        return self._being_saved is not None

    @property
    def almost_full(self) -> bool:
        """Whether only the space that is reserved for leaving and deletion is left."""
        return self.records >= self._uncovered_records

    def may_retry(self, now: Instant) -> bool:
        """Whether a failed append or snapshot may be tried again."""
        return now.s >= self._retry_at_s

    def wait(self, now: Instant) -> None:
        """Note a failure: nothing is tried again for a time."""
        self._retry_at_s = now.s + RETRY_STORING_S

    def due(self, known: Loaded | None, now: Instant) -> list[Command]:
        """The command to save a snapshot, if one is due."""
        if self.records < self._every_records or not self.may_retry(now):
            return []
        return self.begin(known)

    def begin(self, known: Loaded | None) -> list[Command]:
        """The command to save a snapshot, unless one is being saved or there is nothing to save."""
        if known is None or self._being_saved is not None:
            return []
        self._being_saved = self.records
        return [SaveSnapshot(known)]

    def saved(self, coverage: Coverage | None, now: Instant) -> None:
        """Note that saving has ended; without a ``coverage``, it failed."""
        records, self._being_saved = self._being_saved or 0, None
        if coverage is None:
            self.wait(now)
        else:
            self.records = max(0, self.records - records)

"""When a universe's next snapshot is due, and how much of its log none covers. Pure."""

from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.steps import Command, Instant, SaveSnapshot

#: How soon storing is tried again that failed for want of space, or a snapshot that failed at all.
RETRY_STORING_S = 5.0


class SnapshotPlan:
    """Counts the records since the latest snapshot; one snapshot is saved at a time.

    ``uncovered_records`` are as many as a log has space for besides its history: beyond, it is
    kept for what makes the universe smaller.
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
        """Whether the log's last records are kept for those who leave."""
        return self.records >= self._uncovered_records

    def may_retry(self, now: Instant) -> bool:
        """Whether storing that failed may be tried again."""
        return now.s >= self._retry_at_s

    def wait(self, now: Instant) -> None:
        """Try nothing again for a time."""
        self._retry_at_s = now.s + RETRY_STORING_S

    def due(self, known: Loaded | None, now: Instant) -> list[Command]:
        """Begin to save a snapshot, if it is time."""
        if self.records < self._every_records or not self.may_retry(now):
            return []
        return self.begin(known)

    def begin(self, known: Loaded | None) -> list[Command]:
        """Begin to save a snapshot, unless that is being done or there is nothing to save."""
        if known is None or self._being_saved is not None:
            return []
        self._being_saved = self.records
        return [SaveSnapshot(known)]

    def saved(self, coverage: Coverage | None, now: Instant) -> None:
        """Saving has ended, in vain without a ``coverage``."""
        records, self._being_saved = self._being_saved or 0, None
        if coverage is None:
            self.wait(now)
        else:
            self.records = max(0, self.records - records)

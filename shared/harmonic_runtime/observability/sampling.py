"""Logs of events that repeat: the first of a kind at once, the others as a count."""

from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock

#: How often a line of one kind is written.
INTERVAL_S = 10.0
#: Kinds that are told apart; beyond, all further ones count as one.
MAX_KINDS = 1000


class SampledLog:
    """Writes at most one line of a kind in ``interval_s``; ``repeated`` counts those left out."""

    def __init__(self, log: BoundLogger, clock: Clock, interval_s: float = INTERVAL_S) -> None:
        self._log = log
        self._clock = clock
        self._interval_s = interval_s
        self._written_at_s: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def info(self, event: str, *, kind: str = "", **fields: object) -> None:
        """Write a line of information, as :meth:`warning`."""
        if (repeated := self._due((event, kind))) is not None:
            self._log.info(event, **fields, **repeated)

    def warning(self, event: str, *, kind: str = "", **fields: object) -> None:
        """Write a warning, unless one of its event and kind was written lately."""
        if (repeated := self._due((event, kind))) is not None:
            self._log.warning(event, **fields, **repeated)

    def error(self, event: str, *, kind: str = "", **fields: object) -> None:
        """Write an error, as :meth:`warning`."""
        if (repeated := self._due((event, kind))) is not None:
            self._log.error(event, **fields, **repeated)

    def exception(self, event: str, *, kind: str = "", **fields: object) -> None:
        """Write an error with the exception that is being handled, as :meth:`warning`."""
        if (repeated := self._due((event, kind))) is not None:
            self._log.exception(event, **fields, **repeated)

    def _due(self, key: tuple[str, str]) -> dict[str, int] | None:
        """What a line that is due has to add; ``None`` if it is left out."""
        if key not in self._written_at_s and len(self._written_at_s) >= MAX_KINDS:
            key = ("", "")
        now_s = self._clock.monotonic()
        if now_s - self._written_at_s.get(key, -self._interval_s) < self._interval_s:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return None
        self._written_at_s[key] = now_s
        left_out = self._left_out.pop(key, 0)
        return {"repeated": left_out} if left_out else {}

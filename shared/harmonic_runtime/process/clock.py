"""The only module that reads the clock. Everything else is given a clock."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """Where a component learns the time."""

    def now(self) -> datetime:
        """The time of day, in UTC. It may be set back: measure durations by ``monotonic``."""

    def unix_s(self) -> float:
        """The same in seconds of Unix time, for what runs for every message."""

    def monotonic(self) -> float:
        """Seconds since some moment, never running backwards."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def unix_s(self) -> float:
        """The time of day in seconds of Unix time."""
        return time.time()

    #: Seconds since some moment, never running backwards.
    monotonic = staticmethod(time.monotonic)


def timestamp(at: datetime) -> str:
    """An aware time as clients read it: UTC with milliseconds, ``2024-03-21T10:30:00.000Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_ms(unix_ms: int) -> str:
    """Unix time in milliseconds as :func:`timestamp` writes it, but faster: for every message."""
    unix_s, ms = divmod(unix_ms, 1000)
    return f"{_to_the_second(unix_s)}.{ms:03}Z"


@lru_cache(maxsize=16)
def _to_the_second(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970, of an aware time."""
    return (at - _EPOCH) // _MILLISECOND

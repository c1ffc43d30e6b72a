"""Bars of endless pieces as composers store them."""

from datetime import UTC, datetime

from harmonic_protocol.pieces import StoredBar, StoredNote
from harmonic_runtime.process.clock import timestamp
from harness.memory import SetClock

#: When bar 0 begins, as Unix time.
BEGINS_S = SetClock().seconds + 20
NOTE = StoredNote(pitch=60, start_time=0, duration=1, velocity=80)


def moment(unix_s: float) -> str:
    """A time as it stands in messages."""
    return timestamp(datetime.fromtimestamp(unix_s, UTC))


def stored(number: int, *, universe: str = "u", notes: int = 1, stream: str = "s") -> bytes:
    return StoredBar(
        universe_id=universe,
        stream_id=stream,
        bar=number,
        starts_at=moment(BEGINS_S + number),
        duration=1,
        tempo=60,
        key="C",
        scale="major",
        as_of=7,
        notes=(NOTE,) * notes,
    ).to_json()

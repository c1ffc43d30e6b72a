"""How often something may be sent. Pure: the time is an argument."""

from dataclasses import dataclass, replace

#: The server counts in sliding windows: at exactly the limit, a message that arrives early is
#: refused.
SLACK = 1.05


@dataclass(frozen=True, slots=True)
class SendingPace:
    """At most one thing in ``interval_ms``; the next one may be sent at ``ready_at_ms``."""

    interval_ms: float
    ready_at_ms: float = 0.0


def pace_of(count: int, window_ms: float, earlier: SendingPace | None = None) -> SendingPace:
    """A pace of ``count`` in ``window_ms``, not before what was granted at an earlier pace."""
    interval_ms = SLACK * window_ms / max(1, count)
    return SendingPace(interval_ms, earlier.ready_at_ms if earlier else 0.0)


def turn(pace: SendingPace, now_ms: float) -> tuple[float, SendingPace]:
    """Reserve the next turn: in how many milliseconds it is, and the pace after it."""
    at_ms = max(now_ms, pace.ready_at_ms)
    return at_ms - now_ms, replace(pace, ready_at_ms=at_ms + pace.interval_ms)


def held_back(pace: SendingPace, now_ms: float, retry_after_ms: float) -> SendingPace:
    """The pace after the server asked to come again in ``retry_after_ms``."""
    return replace(pace, ready_at_ms=max(pace.ready_at_ms, now_ms + retry_after_ms))

"""What to do after a refusal, or without a connection. Pure."""

import math
from dataclasses import dataclass

from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused

MAX_ATTEMPTS = 5
FIRST_PAUSE_MS = 200.0
FIRST_RECONNECT_PAUSE_MS = 500.0
MAX_RECONNECT_PAUSE_MS = 5000.0
#: A pause before another connection is longer or shorter by up to this share, so that clients
#: that lost their connections together do not come back together.
SPREAD = 0.5
#: Refusals of the moment: nothing was done, or the same ``opId`` finds out what was.
_PASSING = frozenset(
    {
        Reason.BUSY,
        Reason.KEYS_UNAVAILABLE,
        Reason.OUTCOME_UNKNOWN,
        Reason.OVERDUE,
        Reason.QUEUE_FULL,
    }
)


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Send the command again after a pause."""

    pause_ms: float


@dataclass(frozen=True, slots=True)
class RenewToken:
    """Send the command again with a newer token."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Give the command up: another try would be refused, too."""


def is_passing(refused: Refused) -> bool:
    """Whether a refusal is of the moment: the same request may be granted on another connection."""
    return (
        refused.code is Code.INTERNAL_ERROR
        or "retryAfterMs" in refused.details
        or refused.reason is Reason.EXPIRED
        or refused.reason in _PASSING
    )


def after_refusal(
    reason: Reason | None, retry_after_ms: float | None, attempt: int, max_pause_ms: float
) -> SendAgain | RenewToken | GiveUp:
    """What to do with a command that was refused at this attempt, counted from 1."""
    if attempt >= MAX_ATTEMPTS:
        return GiveUp()
    if reason is Reason.EXPIRED:
        return RenewToken()
    if retry_after_ms is None and reason not in _PASSING:
        return GiveUp()
    pause = pause_ms(attempt) if retry_after_ms is None else retry_after_ms
    return SendAgain(pause) if pause <= max_pause_ms else GiveUp()


def pause_ms(attempt: int) -> float:
    """How long to wait after that many attempts failed."""
    return math.ldexp(FIRST_PAUSE_MS, attempt - 1)


def reconnect_pause_ms(failures: int, chance: float) -> float:
    """How long to wait after that many connections failed, or one ended; ``chance`` is 0 to 1."""
    exponent = min(max(failures - 1, 0), 10)
    pause = min(math.ldexp(FIRST_RECONNECT_PAUSE_MS, exponent), MAX_RECONNECT_PAUSE_MS)
    return pause * (1 + SPREAD * (2 * chance - 1))

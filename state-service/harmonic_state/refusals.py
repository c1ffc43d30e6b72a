"""The refusals that any request of a universe may meet."""

from harmonic_protocol import transient
from harmonic_protocol.causes import Cause
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, refused

UNAVAILABLE = transient.UNAVAILABLE.caused_by(Cause.STORE_UNAVAILABLE)
OUTCOME_UNKNOWN = transient.OUTCOME_UNKNOWN.caused_by(Cause.OUTCOME_UNKNOWN)
BROKEN = refused(Code.INTERNAL_ERROR, "The server failed to carry this out", cause=Cause.FAULT)
UNKNOWN = refused(Code.INTERNAL_ERROR, "Unknown request", cause=Cause.UNREADABLE)
MALFORMED = refused(Code.INTERNAL_ERROR, "Malformed request", cause=Cause.UNREADABLE)
FULL = refused(
    Code.INTERNAL_ERROR,
    "The server has no room to store this at the moment",
    reason=Reason.STORAGE_FULL,
    cause=Cause.STORE_FULL,
    retryAfterMs=5000,
)
HIDDEN = refused(
    Code.INTERNAL_ERROR,
    "The broker does not show what it has stored of this universe: it has to be restarted",
    reason=Reason.STORAGE_UNREADABLE,
    cause=Cause.STORE_UNAVAILABLE,
    retryAfterMs=5000,
)
BUSY = refused(
    Code.RATE_LIMITED,
    "Too many requests wait for this universe",
    reason=Reason.BUSY,
    retryAfterMs=1000,
)
NO_MODERATION = refused(
    Code.PERMISSION_DENIED,
    "Bans, transfers and erasures are not switched on here",
    reason=Reason.SWITCHED_OFF,
)
NO_BARS = refused(
    Code.PERMISSION_DENIED,
    "Endless pieces are not switched on here",
    reason=Reason.SWITCHED_OFF,
)
ENOUGH_PIECES = refused(
    Code.RATE_LIMITED,
    "The server plays as many endless pieces as it may",
    reason=Reason.BUSY,
    retryAfterMs=5000,
)
AHEAD = refused(
    Code.INVALID_PARAMETERS, "The log does not reach this position", reason=Reason.OFFSET
)
TRIMMED = refused(
    Code.NOT_FOUND, "The log does not reach back to this position", reason=Reason.TRIMMED
)
DAMAGED = refused(
    Code.INTERNAL_ERROR,
    "Stored data of this universe was lost, and what is left cannot be used alone:"
    " it has to be restored from a backup",
    reason=Reason.DAMAGED,
    cause=Cause.DAMAGED,
)

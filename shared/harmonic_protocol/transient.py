"""The refusals that are nobody's fault: the same request may be granted later.

Each service gives them, with the cause that it knows: ``UNAVAILABLE.caused_by(…)``.
"""

from harmonic_protocol.causes import Cause
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, refused

#: Milliseconds after which a client may ask again.
RETRY_AFTER_MS = 1000

UNAVAILABLE = refused(
    Code.INTERNAL_ERROR,
    "The universe cannot be reached at the moment",
    retryAfterMs=RETRY_AFTER_MS,
)
NO_BUS = refused(
    Code.INTERNAL_ERROR,
    "The server cannot do this at the moment",
    cause=Cause.BUS_UNAVAILABLE,
    retryAfterMs=RETRY_AFTER_MS,
)
OVERDUE = refused(
    Code.INTERNAL_ERROR,
    "The request could not be begun within its time",
    reason=Reason.OVERDUE,
    cause=Cause.OVERDUE,
    retryAfterMs=RETRY_AFTER_MS,
)
OUTCOME_UNKNOWN = refused(
    Code.INTERNAL_ERROR,
    "Whether the request was carried out is not known yet",
    reason=Reason.OUTCOME_UNKNOWN,
    retryAfterMs=RETRY_AFTER_MS,
)

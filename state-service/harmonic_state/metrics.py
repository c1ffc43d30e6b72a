"""The state service's metrics, each declared once."""

from harmonic_protocol import subjects
from harmonic_protocol.catalogue import OWNER_OPERATIONS, STATE_COMMANDS
from harmonic_protocol.causes import Cause
from harmonic_protocol.internal import INTERNAL_REQUESTS
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES
from harmonic_runtime.observability.specs import (
    CounterSpec,
    GaugeSpec,
    HistogramSpec,
    OperatorQuestion,
    labelled,
)

#: All streams of the product.
STREAMS = (
    *(subjects.log_stream(number) for number in range(subjects.LOG_STREAMS)),
    *(subjects.limit_stream(rate) for rate in (*GLOBAL_RATES, *SERVICE_RATES)),
    *(subjects.REVOCATIONS_STREAM, subjects.SNAPSHOT_STREAM, subjects.INDEX_STREAM),
    *(subjects.OWNED_STREAM, subjects.NOTES_STREAM, subjects.SESSIONS_STREAM),
    *(subjects.JOBS_STREAM, subjects.REPLICAS_STREAM, subjects.OPERATOR_STREAM),
    *(subjects.AUDIT_STREAM, subjects.LEASES_STREAM),
)

# Requests.

REQUESTS = CounterSpec(
    "requests",
    "requests of gateways and of the music service",
    OperatorQuestion.UPDATES,
    labelled(name=(*STATE_COMMANDS, *OWNER_OPERATIONS, *INTERNAL_REQUESTS)),
)
REQUESTS_GIVEN_UP = CounterSpec(
    "requests_given_up",
    "requests that were not carried out, by cause; queue_full: too many waited for the universe",
    OperatorQuestion.ERRORS,
    labelled(cause=(*(cause.value for cause in Cause), "queue_full")),
)
REPLIES_LOST = CounterSpec("replies_lost", "replies that could not be sent", OperatorQuestion.BUS)
REPLIES_MISDIRECTED = CounterSpec(
    "replies_misdirected",
    "replies that were asked for where no caller listens",
    OperatorQuestion.ERRORS,
)
WAITING_REQUESTS = GaugeSpec(
    "waiting_requests", "requests that wait for their universes", OperatorQuestion.UPDATES
)
BUSIEST_UNIVERSE = GaugeSpec(
    "busiest_universe_requests_per_second",
    "requests a second of the universe that has most of them here, in the last 5 seconds",
    OperatorQuestion.HOT,
)

# Logs.

APPENDS = CounterSpec(
    "appends",
    "appends to logs. conflict: another owner stored a record first; unknown: it was not learnt"
    " in time whether the record is stored",
    OperatorQuestion.UPDATES,
    labelled(outcome=("stored", "conflict", "full", "too_large", "unknown", "unavailable")),
)
APPEND_SECONDS = HistogramSpec(
    "append_seconds",
    "from an append to the broker's word that the record is stored",
    OperatorQuestion.UPDATES,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
)
SNAPSHOTS = CounterSpec(
    "snapshots",
    "snapshots of universes that were saved, or could not be",
    OperatorQuestion.STORAGE,
    labelled(outcome=("saved", "failed")),
)
HISTORIES_LOST = CounterSpec(
    "histories_lost", "logs that were found to have lost records", OperatorQuestion.STORAGE
)
STORED_MESSAGES_SKIPPED = CounterSpec(
    "stored_messages_skipped",
    "stored messages that count for nothing. unreadable: no version of this service wrote them;"
    " foreign: the broker has stored an answer of its own there, for a service that was taken over",
    OperatorQuestion.ERRORS,
    labelled(
        kind=("record", "snapshot", "listing", "quota"),
        reason=("unreadable", "foreign"),
    ),
)
OWNERS_CHANGED = CounterSpec(
    "owners_changed",
    "universes whose log another replica appended to last when they were loaded here",
    OperatorQuestion.UPDATES,
)
ADOPTIONS_DEFERRED = CounterSpec(
    "adoptions_deferred",
    "universes that gateways have to name again: as many as may be wait to be loaded",
    OperatorQuestion.UPDATES,
)
EVICTIONS = CounterSpec("evictions", "universes evicted from memory", OperatorQuestion.PROCESS)
CACHED_UNIVERSES = GaugeSpec("cached_universes", "universes in memory", OperatorQuestion.PROCESS)
CACHED_UNIVERSES_BYTES = GaugeSpec(
    "cached_universes_bytes", "memory that they take, roughly", OperatorQuestion.PROCESS
)

# Streams.

STREAM_BYTES = GaugeSpec(
    "stream_bytes",
    "bytes that a stream holds, asked every 10 seconds",
    OperatorQuestion.STORAGE,
    labelled(stream=STREAMS),
)
STREAM_FILL = GaugeSpec(
    "stream_fill_ratio",
    "how much of its bound a stream holds, from 0 to 1; of streams that refuse what is too much."
    " store, memory: of the files and of the memory that the account may use, where it has bounds;"
    " of several tiers, the fullest",
    OperatorQuestion.STORAGE,
    labelled(stream=(subjects.SNAPSHOT_STREAM, subjects.JOBS_STREAM, "store", "memory")),
)
STREAMS_MISSING = GaugeSpec(
    "streams_missing", "streams of the product that do not exist", OperatorQuestion.STORAGE
)

# Listings and quotas.

LISTINGS_SETTLED = CounterSpec(
    "listings_settled",
    "universes whose entries in the listing were changed",
    OperatorQuestion.STORAGE,
)
LISTING_FAILURES = CounterSpec(
    "listing_failures",
    "universes whose entries in the listing could not be changed",
    OperatorQuestion.STORAGE,
)
UNIVERSE_QUOTA_REFUSALS = CounterSpec(
    "universe_quota_refusals",
    "universes not created: the user owns as many as a user may",
    OperatorQuestion.LIMITS,
)
UNIVERSE_QUOTA_RECLAIMED = CounterSpec(
    "universe_quota_reclaimed",
    "universes that counted although they do not exist, and count no more",
    OperatorQuestion.LIMITS,
)

# The audit log.

AUDIT_ENTRIES = CounterSpec(
    "audit_entries",
    "entries of the audit log. late: written from a universe's log, since they were not before;"
    " failed: attempts, each of which is followed by another; deferred: too many waited, these are"
    " written when their universe is loaded; unwritable: given up, as the log tells",
    OperatorQuestion.STORAGE,
    labelled(outcome=("written", "late", "failed", "deferred", "unwritable")),
)
AUDIT_WAITING = GaugeSpec(
    "audit_waiting",
    "entries of the audit log that wait to be written, and universes that are looked through",
    OperatorQuestion.STORAGE,
)

# Music.

MUSIC_PENDING = GaugeSpec(
    "music_jobs_pending",
    "jobs that no replica of the music service has finished, as the queue's leader knows",
    OperatorQuestion.MUSIC,
)
MUSIC_OVERDUE = CounterSpec(
    "music_overdue", "pieces that were not composed in time", OperatorQuestion.MUSIC
)
ENDLESS_PIECES = GaugeSpec(
    "endless_pieces",
    "endless pieces that this replica knows of, whichever replica records their bars",
    OperatorQuestion.MUSIC,
)
PIECES_BYTES = GaugeSpec(
    "endless_pieces_bytes",
    "memory that their plans take, roughly; from 64 MiB on, no more pieces begin here",
    OperatorQuestion.MUSIC,
)
PIECES_RECORDED = GaugeSpec(
    "endless_pieces_recorded",
    "endless pieces whose bars this replica records",
    OperatorQuestion.MUSIC,
)
PIECES_SHARE = GaugeSpec(
    "endless_pieces_share",
    "endless pieces whose bars this replica records, as a share of HARMONIC_ENDLESS_PIECES",
    OperatorQuestion.MUSIC,
)
PIECES_REFUSED = CounterSpec(
    "endless_pieces_refused",
    "endless pieces that were not begun: this replica records the bars of as many as it may, or its"
    " plans take as much memory as they may",
    OperatorQuestion.MUSIC,
)
BARS_RECORDED = CounterSpec(
    "bars_recorded",
    "bars that this replica recorded, or tried to. late: one begins later than the one before ends;"
    " failed: the log could not be read or written, and it is tried again",
    OperatorQuestion.MUSIC,
    labelled(outcome=("in_time", "late", "failed")),
)
COMPOSERS_UNANSWERED = CounterSpec(
    "composers_unanswered",
    "times that no replica of the music service made a bar in time, so that another was asked",
    OperatorQuestion.MUSIC,
)

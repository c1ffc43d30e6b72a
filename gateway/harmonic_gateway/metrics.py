"""The gateway's metrics, each declared once; the sockets' own stand in ``sockets/metrics``.

Labels take codes, reasons, commands and rate classes from the contract, so that each addition to
the contract has its series here.
"""

from collections.abc import Iterator

from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.causes import Cause
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES
from harmonic_protocol.reasons import Reason, RecoveryReason
from harmonic_protocol.refusals import REASONS, Code
from harmonic_runtime.observability.specs import (
    CounterSpec,
    GaugeSpec,
    HistogramSpec,
    Labels,
    OperatorQuestion,
    SummarySpec,
    labelled,
)

#: The label's value where there is none, and where it is not a declared one.
NONE, OTHER = "none", "other"
#: Outcomes and reasons of connects: the client's token, its connections, or the server's state.
CONNECT_OUTCOMES = (
    ("accepted", NONE),
    *(("refused", reason.value) for reason in REASONS[Code.AUTH_ERROR]),
    ("refused", Reason.CONNECTIONS.value),
    ("refused", OTHER),
    ("turned_away", Reason.KEYS_UNAVAILABLE.value),
    ("turned_away", OTHER),
    ("abandoned", NONE),
)
#: Why a stream of server-sent events ends.
STREAM_ENDS = ("client", "refused", "unavailable", "overflow", "stalled", "draining")
RECOVERY_OUTCOMES = (
    ("recovered", NONE),
    ("pending", RecoveryReason.PENDING.value),
    *(("new", reason.value) for reason in RecoveryReason if reason is not RecoveryReason.PENDING),
    ("failed", NONE),
)


def _refusals() -> Iterator[tuple[str, str]]:
    for code in Code:
        yield from ((code.value, reason.value) for reason in REASONS[code])
        yield from ((code.value, NONE), (code.value, OTHER))


# Clients that connect.

CONNECTIONS = GaugeSpec(
    "connections", "connected clients, streams included", OperatorQuestion.CONNECT
)
STREAMS = GaugeSpec(
    "event_streams", "streams of server-sent events that are followed", OperatorQuestion.CONNECT
)
STREAMS_ENDED = CounterSpec(
    "event_streams_ended",
    "streams of server-sent events that ended, by why",
    OperatorQuestion.CLIENTS,
    labelled(reason=STREAM_ENDS),
)
CONNECTS = CounterSpec(
    "connects",
    "connects by what became of them, why, and over which transport",
    OperatorQuestion.CONNECT,
    Labels(
        ("outcome", "reason", "transport"),
        tuple(
            (outcome, reason, transport)
            for outcome, reason in CONNECT_OUTCOMES
            for transport in ("polling", "websocket")
        ),
    ),
)
NAMESAKES = GaugeSpec(
    "gateways_of_this_name",
    "other gateways with this one's instance name: balancers cannot tell them apart",
    OperatorQuestion.CONNECT,
)
CONNECT_SECONDS = HistogramSpec(
    "connect_seconds",
    "from a client's CONNECT to its acceptance",
    OperatorQuestion.CONNECT,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
ADDRESS_REFUSALS = CounterSpec(
    "address_refusals", "connects refused: the address is too busy", OperatorQuestion.CONNECT
)
UNKNOWN_SESSION_REFUSALS = CounterSpec(
    "unknown_session_refusals",
    "requests refused: the address asked for too many sessions that there are not",
    OperatorQuestion.CONNECT,
)
REQUESTS_PASSED_ON = CounterSpec(
    "requests_passed_on",
    "requests of other gateways' sessions; none where a proxy routes by the session id",
    OperatorQuestion.CONNECT,
    labelled(outcome=("answered", "unknown", "lost")),
)
TAKEOVERS = CounterSpec(
    "takeovers",
    "upgrades to a WebSocket of other gateways' sessions, which move here with it",
    OperatorQuestion.CONNECT,
    labelled(outcome=("moved", "failed")),
)
DEAD_TOKEN_REFUSALS = CounterSpec(
    "dead_token_refusals",
    "requests to open a session refused: their token was refused again and again",
    OperatorQuestion.CONNECT,
)
USER_CONNECTION_REFUSALS = CounterSpec(
    "user_connection_refusals",
    "connects refused: the user has enough connections here",
    OperatorQuestion.CONNECT,
)
USER_CONNECTIONS_REPLACED = CounterSpec(
    "user_connections_replaced",
    "connections closed: their client came back beside them",
    OperatorQuestion.RECOVERY,
)
JWKS_KEYS = GaugeSpec("jwks_keys", "public keys known", OperatorQuestion.CONNECT)
JWKS_KEYS_SKIPPED = GaugeSpec(
    "jwks_keys_skipped", "entries of the set of keys that cannot be used", OperatorQuestion.CONNECT
)
JWKS_FAILURES = CounterSpec(
    "jwks_failures", "times that the set of keys could not be read", OperatorQuestion.CONNECT
)
JWKS_AGE = GaugeSpec(
    "jwks_age_seconds",
    "time since the set of keys was read; 0 where none was",
    OperatorQuestion.CONNECT,
)
REVOCATIONS_MALFORMED = CounterSpec(
    "malformed_revocations",
    "revocations that say nothing that can be acted on",
    OperatorQuestion.ERRORS,
)

# Commands and their delivery to members.

COMMANDS_DONE = CounterSpec(
    "commands",
    "commands of clients; refused ones stand in harmonic_refusals_total by code and reason",
    OperatorQuestion.UPDATES,
    labelled(command=(*COMMANDS, OTHER), outcome=("ok", "refused")),
)
COMMAND_SECONDS = SummarySpec(
    "command_seconds",
    "from a command's arrival to its acknowledgement, waiting for earlier ones included",
    OperatorQuestion.UPDATES,
    labelled(command=tuple(COMMANDS)),
)
DELIVERY_SECONDS = HistogramSpec(
    "delivery_seconds",
    "an update's way. appended: from its arrival at this gateway to its owner's word that it is"
    " stored; written: from its record's arrival at this gateway to the last write to a member;"
    " total: from its arrival at any gateway to that write, by the time base that all share",
    OperatorQuestion.UPDATES,
    labelled(stage=("appended", "written", "total")),
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
DELIVERIES = CounterSpec("deliveries", "frames sent to members", OperatorQuestion.UPDATES)
LOG_LAG = GaugeSpec(
    "log_lag_seconds",
    "for how long the room that is furthest behind its log has waited for its next record",
    OperatorQuestion.UPDATES,
)
HEAD_QUESTIONS = CounterSpec(
    "head_questions", "questions to owners for the ends of logs", OperatorQuestion.UPDATES
)
SIGNALS_SUPERSEDED = CounterSpec(
    "signals_superseded", "live signals replaced by a newer one", OperatorQuestion.UPDATES
)
PRESENCE_STATES = GaugeSpec(
    "presence_states", "states of participants that are kept in memory", OperatorQuestion.HOT
)
PRESENCE_BYTES = GaugeSpec(
    "presence_bytes", "what these states take in memory", OperatorQuestion.HOT
)
PRESENCE_TURNED_AWAY = CounterSpec(
    "presence_turned_away",
    "states of participants that were not kept for want of space",
    OperatorQuestion.HOT,
)
PRESENCE_QUESTIONS = CounterSpec(
    "presence_questions",
    "questions to other gateways for the states of participants",
    OperatorQuestion.HOT,
    labelled(outcome=("answered", "failed")),
)
NOTES_MISSING = CounterSpec(
    "notes_missing",
    "pieces that members were not sent: their notes could not be had",
    OperatorQuestion.MUSIC,
    labelled(reason=("absent", "unreadable", "unavailable")),
)
ROOMS = GaugeSpec("rooms", "rooms with members or streams here", OperatorQuestion.HOT)
REFUSALS = CounterSpec(
    "refusals",
    "commands and connects refused, by the code and the reason that clients are told",
    OperatorQuestion.ERRORS,
    Labels(("code", "reason"), tuple(_refusals())),
)
INTERNAL_ERRORS = CounterSpec(
    "internal_errors",
    "answers INTERNAL_ERROR, by cause",
    OperatorQuestion.ERRORS,
    labelled(cause=[cause.value for cause in Cause]),
)

# Clients that reconnect.

RECOVERIES = CounterSpec(
    "recoveries",
    "what became of the earlier sessions of clients that connected",
    OperatorQuestion.RECOVERY,
    Labels(("outcome", "reason"), RECOVERY_OUTCOMES),
)
RECOVERY_SECONDS = HistogramSpec(
    "recovery_seconds",
    "time to find a client's earlier session, take its seats and read what it missed",
    OperatorQuestion.RECOVERY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
WAITING_CLIENTS = GaugeSpec(
    "waiting_clients", "clients whose earlier session is to be looked up", OperatorQuestion.RECOVERY
)
RETURN_REFUSALS = CounterSpec(
    "return_refusals", "returns put off: the user returns too often", OperatorQuestion.RECOVERY
)
MISSED_EVENTS = CounterSpec(
    "missed_events", "events sent again to clients that missed them", OperatorQuestion.RECOVERY
)
ROOMS_LOST = CounterSpec(
    "rooms_lost", "rooms whose missed records were trimmed from the log", OperatorQuestion.RECOVERY
)
LOST_ROOMS = GaugeSpec(
    "lost_rooms",
    "lost rooms of which owners are told what members saw, until they have answered",
    OperatorQuestion.RECOVERY,
)
FOREIGN_RECORDS = CounterSpec(
    "foreign_records",
    "messages of logs that no state service has stored, but the broker for somebody else: skipped",
    OperatorQuestion.ERRORS,
)
KEPT_BYTES = GaugeSpec(
    "kept_log_bytes", "missed events that are kept for others to return", OperatorQuestion.RECOVERY
)
OWED_BYTES = GaugeSpec(
    "owed_bytes", "missed events that clients have not read yet", OperatorQuestion.RECOVERY
)
OWED_REFUSALS = CounterSpec(
    "owed_refusals",
    "returns put off, or begun anew, since their user's clients were owed too much",
    OperatorQuestion.RECOVERY,
    labelled(outcome=("later", "never")),
)
SESSION_SAVES = CounterSpec(
    "session_saves",
    "sessions saved, so that another gateway can continue them",
    OperatorQuestion.RECOVERY,
    labelled(outcome=("saved", "replaced", "failed", "lost", "unreadable", "sign_failed")),
)

# Limits.

ALLOWANCES = CounterSpec(
    "allowances",
    "requests by allowance",
    OperatorQuestion.LIMITS,
    labelled(
        rate=[rate.value for rate in (*GLOBAL_RATES, *SERVICE_RATES)],
        outcome=("granted", "refused"),
    ),
)
ALLOWANCES_COUNTED_ALONE = CounterSpec(
    "allowances_counted_alone",
    "requests that this gateway counted by itself, without the limiter's word",
    OperatorQuestion.LIMITS,
)
ALLOWANCES_LEASED = CounterSpec(
    "allowances_leased",
    "requests granted from leases, without asking the limiter",
    OperatorQuestion.LIMITS,
)
LEASE_APPENDS = CounterSpec(
    "lease_appends",
    "leases of users' allowances asked for, or renewed. refused: another gateway holds them;"
    " unknown: the limiter did not answer",
    OperatorQuestion.LIMITS,
    labelled(outcome=("stored", "refused", "unknown")),
)
COMMAND_QUEUE_REFUSALS = CounterSpec(
    "command_queue_refusals",
    "commands refused: the connection's queue is full",
    OperatorQuestion.CLIENTS,
)
FLOOD_REFUSALS = CounterSpec(
    "flood_refusals", "events refused: the connection is too busy", OperatorQuestion.CLIENTS
)
FAILED_CALL_REFUSALS = CounterSpec(
    "failed_call_refusals",
    "API calls refused: none of the address had a good token",
    OperatorQuestion.CLIENTS,
)
LARGE_MESSAGES = CounterSpec("large_messages", "messages above 16 KiB", OperatorQuestion.CLIENTS)

# Endless pieces.

BARS = CounterSpec(
    "bars",
    "bars of endless pieces that came from the bus. again: known already; over: it has ended;"
    " unreadable: no bar of what the universe plays; unavailable: those that were missed cannot be"
    " read",
    OperatorQuestion.MUSIC,
    labelled(outcome=("sent", "again", "over", "unreadable", "unavailable")),
)
BAR_LEAD_SECONDS = HistogramSpec(
    "bar_lead_seconds",
    "how long before its beginning a bar was sent to members; 0 if later",
    OperatorQuestion.MUSIC,
    buckets=(0.0, 0.5, 1.0),
)
BARS_KEPT = GaugeSpec(
    "bars_kept", "bars that are kept for who enters until they end", OperatorQuestion.MUSIC
)
BARS_KEPT_BYTES = GaugeSpec("bars_kept_bytes", "what these take", OperatorQuestion.MUSIC)

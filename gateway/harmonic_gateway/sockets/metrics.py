"""The metrics of the sockets: the part of the gateway's table that is independent of messages."""

from harmonic_gateway.sockets.ended import EndReason
from harmonic_runtime.observability.specs import (
    CounterSpec,
    GaugeSpec,
    HistogramSpec,
    OperatorQuestion,
    labelled,
)

#: The transports of clients.
TRANSPORTS = ("polling", "websocket")

SOCKETS = GaugeSpec("sockets", "Engine.IO sessions", OperatorQuestion.CONNECT)
HANDSHAKES_TURNED_AWAY = CounterSpec(
    "handshakes_turned_away", "clients asked to come later", OperatorQuestion.CONNECT
)
HANDSHAKES_GIVEN_UP = CounterSpec(
    "handshakes_given_up",
    "clients closed: they connected to no namespace in time",
    OperatorQuestion.CONNECT,
)
LATE_CLIENTS = GaugeSpec(
    "late_clients",
    "clients that take long to connect to a namespace",
    OperatorQuestion.CONNECT,
)
DISCONNECTS = CounterSpec(
    "disconnects",
    "connections that ended, by why they ended",
    OperatorQuestion.CONNECT,
    labelled(reason=[reason.value for reason in EndReason]),
)
READING_SLOWED = CounterSpec(
    "reading_slowed_seconds",
    "time that clients' messages were read later, for what those before them cost",
    OperatorQuestion.CLIENTS,
)
SEND_QUEUE_BYTES = GaugeSpec(
    "send_queue_bytes",
    "bytes that wait for clients that are behind, or poll",
    OperatorQuestion.UPDATES,
)
CONFLATED_EVENTS = CounterSpec(
    "conflated_events",
    "superseded events that clients who were behind were not sent",
    OperatorQuestion.UPDATES,
)
DROPPED_SIGNALS = CounterSpec(
    "dropped_signals",
    "live signals that clients who were behind were not sent",
    OperatorQuestion.UPDATES,
)
SEND_BUFFER_OVERFLOWS = CounterSpec(
    "send_buffer_overflows",
    "clients closed since too much waited for them",
    OperatorQuestion.CLIENTS,
)
STALLED_READERS = CounterSpec(
    "stalled_readers",
    "clients closed since they read nothing of what waited for them",
    OperatorQuestion.CLIENTS,
)
HEARTBEAT_ROUND_TRIP = HistogramSpec(
    "heartbeat_round_trip_seconds",
    "from a ping to its answer, as clients meet it",
    OperatorQuestion.UPDATES,
    buckets=(0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
HEARTBEATS_MISSED = CounterSpec(
    "heartbeats_missed", "clients that left a ping unanswered", OperatorQuestion.CONNECT
)
MALFORMED_PACKETS = CounterSpec(
    "malformed_packets", "clients closed for not speaking the protocol", OperatorQuestion.CLIENTS
)

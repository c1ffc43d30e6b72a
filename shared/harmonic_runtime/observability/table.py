"""The metrics that every service has: of its process, of its bus, and of its clock."""

from harmonic_runtime.observability.specs import (
    CounterSpec,
    GaugeSpec,
    HistogramSpec,
    Labels,
    OperatorQuestion,
    labelled,
)

# The process.

BUILD_INFO = GaugeSpec(
    "build_info",
    "always 1; which version of the service runs, of which commit, and the contract it serves",
    OperatorQuestion.PROCESS,
    Labels(("service", "version", "commit", "contract"), ()),
)
READY = GaugeSpec("ready", "1 while the process wants new work", OperatorQuestion.PROCESS)
WAITING_TO_START = GaugeSpec(
    "waiting_to_start", "1 while the start waits for something", OperatorQuestion.PROCESS
)
EVENT_LOOP_LAG = GaugeSpec(
    "event_loop_lag_seconds",
    "worst delay of a callback in the last 15 to 30 seconds",
    OperatorQuestion.UPDATES,
)
EVENT_LOOP_LATE = CounterSpec(
    "event_loop_late_seconds",
    "time by which callbacks were late, of those later than 0.25 seconds: near the time that passes"
    " where the process is overloaded, and next to nothing after a single pause",
    OperatorQuestion.UPDATES,
)
TASKS = GaugeSpec("tasks", "tasks of the event loop that are not done", OperatorQuestion.PROCESS)
FILE_ROTATIONS = CounterSpec(
    "file_rotations",
    "secrets and certificates that were replaced in their files",
    OperatorQuestion.PROCESS,
    labelled(outcome=("rotated", "failed")),
)
CERTIFICATE_NOT_AFTER = GaugeSpec(
    "certificate_not_after_timestamp_seconds",
    "when a certificate in use ends, in Unix time; 0 where there is none. clients: what the gateway"
    " shows them; bus: what brokers are shown; bus_authority: the last one to end of those that"
    " brokers are verified with",
    OperatorQuestion.PROCESS,
    labelled(certificate=("clients", "bus", "bus_authority")),
)

# The bus.

BROKER_CERTIFICATE_NOT_AFTER = GaugeSpec(
    "broker_certificate_not_after_timestamp_seconds",
    "when the first of the certificates ends that the brokers show, in Unix time; 0 while none is"
    " shown. All brokers are looked at every 10 minutes",
    OperatorQuestion.BUS,
)
BUS_CONNECTED = GaugeSpec("bus_connected", "1 while the bus is there", OperatorQuestion.BUS)
BUS_SUBSCRIPTIONS = GaugeSpec("bus_subscriptions", "subscriptions", OperatorQuestion.BUS)
BUS_RECONNECTS = CounterSpec(
    "bus_reconnects", "times the bus was found again", OperatorQuestion.BUS
)
BUS_ERRORS = CounterSpec(
    "bus_errors",
    "errors told by the broker or the network, denials among them",
    OperatorQuestion.BUS,
)
BUS_REQUESTS = CounterSpec(
    "bus_requests",
    "requests made over the bus",
    OperatorQuestion.BUS,
    labelled(outcome=("answered", "no_responders", "timeout", "disconnected")),
)
BUS_ROUND_TRIP = HistogramSpec(
    "bus_round_trip_seconds",
    "from a question to the leader of a stream to its answer, asked every 5 seconds",
    OperatorQuestion.BUS,
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5),
)
BUS_MESSAGES = CounterSpec("bus_messages", "messages received", OperatorQuestion.BUS)
BUS_PENDING_BYTES = GaugeSpec(
    "bus_pending_bytes", "bytes of messages that wait to be handled", OperatorQuestion.UPDATES
)
BUS_OUTBOUND_BYTES = GaugeSpec(
    "bus_outbound_bytes", "bytes that wait for the broker to read them", OperatorQuestion.BUS
)
BUS_DROPPED = CounterSpec(
    "bus_dropped_messages", "messages dropped on overflow", OperatorQuestion.BUS
)
BUS_ANSWERS_MISDIRECTED = CounterSpec(
    "bus_answers_misdirected",
    "answers of the broker to another's request that came to a subscription: dropped",
    OperatorQuestion.ERRORS,
)
BUS_GAPS = CounterSpec(
    "bus_gaps", "times that messages were dropped, one or more in a row", OperatorQuestion.BUS
)
BUS_HANDLER_ERRORS = CounterSpec(
    "bus_handler_errors",
    "messages whose handler failed: a fault of the program",
    OperatorQuestion.ERRORS,
)

# The clock.

CLOCK_SKEW = GaugeSpec(
    "clock_skew_seconds",
    "the host's clock minus the time base that services share",
    OperatorQuestion.BUS,
)
CLOCK_FAILURES = CounterSpec(
    "clock_failures", "measurements of the shared time base that failed", OperatorQuestion.BUS
)

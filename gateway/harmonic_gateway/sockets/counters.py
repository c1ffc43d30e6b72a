"""Counts what happens at the sockets, for operators."""

from collections.abc import Mapping

from harmonic_gateway.sockets import metrics as table
from harmonic_gateway.sockets.ended import EndReason
from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.lateness import LateClients
from harmonic_runtime.observability.metrics import Metrics


class SocketCounters:
    """The sockets' metrics. ``sockets`` are all sessions; ``late`` counts their late clients."""

    def __init__(
        self, metrics: Metrics, sockets: Mapping[str, EngineSocket], late: LateClients
    ) -> None:
        ends = metrics.counters(table.DISCONNECTS)
        self._ends = {reason: ends.of(reason.value) for reason in EndReason}
        self.conflated = metrics.counter(table.CONFLATED_EVENTS)
        self.dropped = metrics.counter(table.DROPPED_SIGNALS)
        self.overflows = metrics.counter(table.SEND_BUFFER_OVERFLOWS)
        self.stalled_readers = metrics.counter(table.STALLED_READERS)
        self.round_trips = metrics.histogram(table.HEARTBEAT_ROUND_TRIP)
        self.missed = metrics.counter(table.HEARTBEATS_MISSED)
        self.malformed = metrics.counter(table.MALFORMED_PACKETS)
        self.turned_away = metrics.counter(table.HANDSHAKES_TURNED_AWAY)
        self.slowed_s = 0.0
        metrics.counter_from(table.READING_SLOWED, lambda: self.slowed_s)
        metrics.counter_from(table.HANDSHAKES_GIVEN_UP, lambda: late.given_up)
        metrics.gauge_from(table.LATE_CLIENTS, lambda: len(late))
        metrics.gauge_from(table.SOCKETS, lambda: len(sockets))
        metrics.gauge_from(
            table.SEND_QUEUE_BYTES,
            lambda: sum(socket.outbox.backlog_bytes for socket in sockets.values()),
        )

    def disconnected(self, why: EndReason) -> None:
        """Count a client whose connection ended."""
        self._ends[why].inc()

    def spared(self, events: int, signals: int) -> None:
        """Count superseded events and live signals that a client that is behind is not sent."""
        self.conflated.inc(events)
        self.dropped.inc(signals)

    def overflowed(self) -> None:
        """Count a client for which too many bytes wait."""
        self.overflows.inc()

    def stalled(self) -> None:
        """Count a client that is behind and does not read."""
        self.stalled_readers.inc()

    def slowed(self, seconds: float) -> None:
        """Count a delay before a client's next message is read."""
        self.slowed_s += seconds

    def heartbeat_missed(self) -> None:
        """Count a ping that was not answered in time."""
        self.missed.inc()

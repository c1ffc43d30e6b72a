"""What operators see of the sockets."""

from collections.abc import Callable

from harmonic_runtime.observability.metrics import Metrics


class Counters:
    """The sockets' metrics; ``sockets`` tells how many sessions there are."""

    def __init__(self, metrics: Metrics, sockets: Callable[[], int]) -> None:
        self.conflated = metrics.counter(
            "conflated_events", "superseded events that clients who were behind were not sent"
        )
        self.dropped = metrics.counter(
            "dropped_signals", "live signals that clients who were behind were not sent"
        )
        self.overflows = metrics.counter(
            "send_buffer_overflows", "clients closed since too much waited for them"
        )
        self.stalled = metrics.counter(
            "stalled_readers", "clients closed since they read nothing of what waited for them"
        )
        self.round_trips = metrics.histogram(
            "heartbeat_round_trip_seconds", "from a ping to its answer, as clients meet it"
        )
        self.missed = metrics.counter("heartbeats_missed", "clients that left a ping unanswered")
        self.malformed = metrics.counter(
            "malformed_packets", "clients closed for not speaking the protocol"
        )
        self.exhausted = metrics.counter(
            "clients_closed_for_refusals", "clients closed: their messages were refused on and on"
        )
        self.slowed_s = 0.0
        metrics.counter_from(
            "reading_slowed_seconds",
            "time that messages were read later, for what others before them cost",
            lambda: self.slowed_s,
        )
        self.turned_away = metrics.counter("handshakes_turned_away", "clients asked to come later")
        metrics.gauge("sockets", "Engine.IO connections").set_function(sockets)

"""Latencies as they are measured, and their summaries. Pure."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

#: The latest latencies that are kept of each kind.
MAX_KEPT = 1_000_000
#: The latest latencies that the progress display uses.
SHOWN = 500


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed; 0 if there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass
class Latencies:
    """Seconds from a cause to its effect."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT))
    count: int = 0

    def add(self, seconds: float) -> None:
        """Add one latency, in seconds."""
        self.seconds.append(seconds)
        self.count += 1

    def summary(self) -> dict[str, float]:
        """Median, 95th and 99th percentile and maximum, in milliseconds, and the number."""
        ordered = sorted(self.seconds)
        found = {f"p{int(q * 100)}Ms": 1000 * quantile(ordered, q) for q in (0.5, 0.95, 0.99)}
        most = 1000 * ordered[-1] if ordered else 0.0
        rounded = {name: round(value, 2) for name, value in {**found, "maxMs": most}.items()}
        return {**rounded, "count": self.count}

    def lately(self, share: float) -> float:
        """A quantile of the latest, in milliseconds."""
        latest = sorted(list(self.seconds)[-SHOWN:])
        return 1000 * quantile(latest, share)


@dataclass
class Measured:
    """The results of a load."""

    connects: Latencies = field(default_factory=Latencies)
    acks: Latencies = field(default_factory=Latencies)
    deliveries: Latencies = field(default_factory=Latencies)
    expected_deliveries: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    #: Updates that a client merged with another: a limit, or one under way, held both back.
    merged: int = 0
    #: Clients that lost their connection and reconnected, counted each time.
    reconnects: int = 0
    #: Clients that were not in their rooms at the end.
    lost: int = 0
    not_connected: int = 0
    took_s: float = 0.0

    @property
    def missing(self) -> int:
        """Deliveries that never arrived."""
        return max(0, self.expected_deliveries - self.deliveries.count)

    def summary(self) -> dict[str, object]:
        """All results, by plain names."""
        rate = self.acks.count / self.took_s if self.took_s else 0.0
        return {
            "connects": self.connects.summary(),
            "acks": self.acks.summary(),
            "deliveries": self.deliveries.summary(),
            "missingDeliveries": self.missing,
            "refusals": dict(self.refusals),
            "merged": self.merged,
            "reconnects": self.reconnects,
            "lost": self.lost,
            "notConnected": self.not_connected,
            "updatesPerS": round(rate, 1),
            "seconds": round(self.took_s, 1),
        }

"""Seven things that go wrong, and what shows it: named here, before anything runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from operate.series import Scrape


@dataclass(frozen=True, slots=True)
class Sign:
    """A metric that moves: by ``at_least`` since the beginning, or to that where it is a level.

    It has moved if it has in any process of its kind.
    """

    kind: str
    metric: str
    at_least: float
    labels: Mapping[str, str] = field(default_factory=dict)
    is_level: bool = False

    def moved(self, before: Mapping[str, Scrape], after: Mapping[str, Scrape]) -> bool:
        """Whether it has, in what the processes show; one that does not answer shows nothing."""
        return any(
            self._value(scrape) - (0 if self.is_level else self._value(before[process]))
            >= self.at_least
            for process, scrape in after.items()
            if process.startswith(self.kind)
        )

    def _value(self, scrape: Scrape) -> float:
        return scrape.value(self.metric, **self.labels)


@dataclass(frozen=True, slots=True)
class Question:
    """What an operator asks, the metrics that answer, and what ``harmonic status`` says."""

    signs: tuple[Sign, ...]
    says: str


QUESTIONS: Mapping[str, Question] = {
    "clients cannot connect": Question(
        (
            Sign(
                "gateway",
                "harmonic_connects_total",
                1,
                {"outcome": "turned_away", "reason": "KEYS_UNAVAILABLE"},
            ),
            Sign("gateway", "harmonic_jwks_failures_total", 1),
        ),
        r"keys of tokens cannot be read",
    ),
    "updates are slow": Question(
        (
            Sign("gateway", "harmonic_internal_errors_total", 1, {"cause": "no_answer"}),
            Sign("gateway", "harmonic_bus_requests_total", 1, {"outcome": "timeout"}),
        ),
        r"state state-\d does not answer",
    ),
    "recoveries fail": Question(
        (Sign("gateway", "harmonic_recoveries_total", 1, {"reason": "TRIMMED"}),),
        r"the log was trimmed below them",
    ),
    "one universe is hot": Question(
        (Sign(*("state", "harmonic_busiest_universe_requests_per_second", 200), is_level=True),),
        r"Universe \S+ has \d+ requests a second",
    ),
    "JetStream fills up": Question(
        (
            Sign(
                *("state", "harmonic_stream_fill_ratio", 0.85),
                labels={"stream": "store"},
                is_level=True,
            ),
        ),
        r"The brokers' file store is 9\d% full",
    ),
    "music lags": Question(
        (
            Sign("state", "harmonic_music_overdue_total", 1),
            Sign("state", "harmonic_music_jobs_pending", 3, is_level=True),
        ),
        r"No replica of the music service answers",
    ),
    "the limiter is away": Question(
        (
            Sign("gateway", "harmonic_allowances_counted_alone_total", 1),
            Sign("state", "harmonic_streams_missing", 1, is_level=True),
        ),
        r"The limiter's stream HU_LIMIT_\w+",
    ),
}
SIGNS: tuple[Sign, ...] = tuple(sign for each in QUESTIONS.values() for sign in each.signs)


def moved(
    before: Mapping[str, Scrape], after: Mapping[str, Scrape], signs: Iterable[Sign] = SIGNS
) -> set[str]:
    """The metrics that have moved."""
    return {sign.metric for sign in signs if sign.moved(before, after)}

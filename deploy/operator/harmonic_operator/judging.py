"""The problems of a product, from the reports of its replicas and its streams. Pure.

Each rule is a line of a table, or a function if no single number shows the problem. An operator
reads the rule's sentence, which names the replica, stream or universe concerned.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from harmonic_operator.brokers import of_brokers, of_disks, when
from harmonic_operator.monitoring import BrokerStore
from harmonic_operator.replicas import Replicas
from harmonic_operator.streams import LIMITS, StreamReport
from harmonic_protocol.messages.declaration import Switch
from harmonic_protocol.operating import SERVICES, Description
from harmonic_runtime.bus.greeting import BrokerGreeting
from harmonic_runtime.bus.inspection import StoreShare

#: The share of its bytes from which on a stream, or the whole store, is nearly full.
NEARLY_FULL = 0.85
#: Requests per second above which a universe is busier than people make one.
BUSY_REQUESTS_PER_S = 200.0
#: Seconds after its start in which a process may be busy with itself.
SETTLING_S = 60.0
#: A quarter of the time: pauses of garbage collection, or of the machine, are far below it.
LATE_S_A_MINUTE = 15.0
#: Messages that a copy of a stream may be behind its leader for a moment.
TOLERATED_LAG = 1000


@dataclass(frozen=True, slots=True)
class Overview:
    """A product at time ``at``. A certificate that ends before ``renewed_until`` is a problem."""

    replicas: Replicas
    streams: tuple[StreamReport, ...]
    store: tuple[StoreShare, ...] | None
    at: datetime
    renewed_until: datetime
    brokers: tuple[BrokerGreeting, ...] = ()
    disks: tuple[BrokerStore, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A metric that should be below a bound; ``sentence`` is formatted with ``value``.

    If ``recent``, the metric is a counter, and its increase in the last minute is compared. All
    series of the metric that have ``labels`` are added up. The rule applies to a replica from
    ``after_s`` seconds after its start. If ``provider`` is set, it applies only to replicas with
    keys of an identity provider, or only to those without.
    """

    metric: str
    at_least: float
    sentence: str
    labels: Mapping[str, str] = field(default_factory=dict)
    recent: bool = True
    after_s: float = 0.0
    provider: bool | None = None


NOT_AFTER = "harmonic_certificate_not_after_timestamp_seconds"
#: What a replica uses a certificate for that ends.
CERTIFICATES: Mapping[str, str] = {
    "clients": "shows clients a certificate that",
    "bus": "shows NATS a certificate that",
    "bus_authority": "verifies NATS with an authority whose certificate",
}

PROVIDER_KEYS = "harmonic_jwks_keys"
#: The secrets that all gateways must share, and the settings that contain them.
SECRETS: Mapping[str, str] = {
    "tokens": "HARMONIC_JWT_SECRET",
    "services": "HARMONIC_SERVICE_SECRET",
    "sessions": "HARMONIC_SESSION_SECRET",
}

RULES = (
    Rule(
        "harmonic_jwks_failures_total",
        1,
        "could not read the identity provider's keys, {value:.0f} times in the last minute",
    ),
    Rule(
        "harmonic_connects_total",
        3,
        "refused {value:.0f} tokens in the last minute that no key of the identity provider"
        " proves: its keys have expired or were replaced, or somebody guesses",
        {"outcome": "refused", "reason": "INVALID"},
        provider=True,
    ),
    Rule(
        "harmonic_connects_total",
        3,
        "refused {value:.0f} tokens in the last minute that its shared secret does not prove:"
        " whoever signs them has another one, or somebody guesses",
        {"outcome": "refused", "reason": "INVALID"},
        provider=False,
    ),
    Rule(
        "harmonic_connects_total",
        1,
        "turned {value:.0f} clients away in the last minute: the keys of tokens cannot be read",
        {"outcome": "turned_away", "reason": "KEYS_UNAVAILABLE"},
    ),
    Rule(
        "harmonic_recoveries_total",
        1,
        "could not give {value:.0f} clients in the last minute what they had missed:"
        " the log was trimmed below them",
        {"reason": "TRIMMED"},
    ),
    Rule(
        "harmonic_rooms_lost_total",
        1,
        "began {value:.0f} rooms anew in the last minute: records that it needed were trimmed",
    ),
    Rule(
        "harmonic_allowances_counted_alone_total",
        1,
        "granted {value:.0f} requests in the last minute by its own count: the limiter is away",
    ),
    Rule(
        "harmonic_snapshots_total",
        1,
        "could not store {value:.0f} snapshots in the last minute: logs grow",
        {"outcome": "failed"},
    ),
    Rule(
        "harmonic_histories_lost_total",
        1,
        "found {value:.0f} logs in the last minute that had lost records",
    ),
    Rule(
        "harmonic_music_overdue_total",
        1,
        "got {value:.0f} pieces in the last minute too late or never: music lags",
    ),
    Rule(
        "harmonic_bars_recorded_total",
        1,
        "began {value:.0f} bars of endless pieces in the last minute late",
        {"outcome": "late"},
    ),
    Rule(
        "harmonic_composers_unanswered_total",
        10,
        "asked for {value:.0f} bars in the last minute that no replica of the music service made"
        " in time",
    ),
    Rule(
        "harmonic_endless_pieces_refused_total",
        1,
        "refused to begin {value:.0f} endless pieces in the last minute: it plays as many as"
        " HARMONIC_ENDLESS_PIECES allows",
    ),
    Rule(
        "harmonic_requests_given_up_total",
        10,
        "gave up {value:.0f} requests in the last minute: see their causes in its log",
    ),
    Rule(
        "harmonic_internal_errors_total",
        10,
        "answered {value:.0f} clients INTERNAL_ERROR in the last minute: `harmonic explain`"
        " tells the cause",
    ),
    Rule("harmonic_bus_errors_total", 1, "met {value:.0f} errors at the broker: see its log"),
    Rule(
        "harmonic_bus_dropped_messages_total",
        1,
        "dropped {value:.0f} messages in the last minute: it cannot keep up",
    ),
    Rule(
        "harmonic_event_loop_lag_seconds",
        2.0,
        "is overloaded: its event loop was {value:.1f} s late",
        recent=False,
        after_s=SETTLING_S,
    ),
    Rule(
        "harmonic_event_loop_late_seconds_total",
        LATE_S_A_MINUTE,
        "is overloaded: its event loop was late for {value:.0f} s of the last minute",
        after_s=SETTLING_S,
    ),
    Rule(
        "harmonic_clock_skew_seconds",
        1.0,
        "has a clock that is {value:.1f} s ahead of the time base",
        recent=False,
    ),
)


def problems(overview: Overview) -> list[str]:
    """The problems, one sentence each."""
    return [
        *_of_replicas(overview.replicas),
        *_of_secrets(overview.replicas.of("gateway")),
        *of_brokers(overview.brokers, at=overview.at, renewed_until=overview.renewed_until),
        *_of_streams(overview.streams),
        *_of_store(overview.store),
        *of_disks(overview.disks),
        *(each for described in overview.replicas.described for each in _of_replica(described)),
        *(
            each
            for described in overview.replicas.described
            for each in _of_certificates(described, overview)
        ),
    ]


def notes(overview: Overview) -> list[str]:
    """Facts that an operator should know and probably intended, one sentence each."""
    described = overview.replicas.described
    found = [
        f"{switch.value} is switched off."
        for switch in Switch
        if any(switch in each.switched_off for each in described)
    ]
    versions = sorted({each.version for each in described})
    if len(versions) > 1:
        found.append(f"Replicas of several versions run: {', '.join(versions)}.")
    return found


def _of_replicas(replicas: Replicas) -> Iterator[str]:
    for silent in replicas.silent:
        yield (
            f"{silent.service} {silent.instance} does not answer:"
            f" it said for the last time that it lives at {silent.at}."
        )
    for service in SERVICES:
        if not replicas.of(service):
            yield f"No replica of the {service} service answers."


def _of_secrets(gateways: Sequence[Description]) -> Iterator[str]:
    """Gateways whose secret differs from most others': they refuse what the others issued."""
    for what, setting in SECRETS.items():
        names: dict[str, list[str]] = {}
        for each in gateways:
            if what in each.secrets:
                names.setdefault(each.secrets[what], []).append(each.instance)
        groups = sorted(names.values(), key=len)
        for others in groups[:-1]:
            yield (
                f"gateway {', '.join(others)}: another secret of {what} than at"
                f" {', '.join(groups[-1])}; {setting} must be the same at all gateways."
            )


def _of_replica(described: Description) -> Iterator[str]:
    name = f"{described.service} {described.instance}"
    if described.state != "ready":
        waits = f", waiting for {described.waiting_for}" if described.waiting_for else ""
        yield f"{name} is {described.state}{waits}."
    has_provider = total(described.values, PROVIDER_KEYS) > 0
    for rule in RULES:
        if rule.provider not in {None, has_provider}:
            continue
        samples = described.increases if rule.recent else described.values
        value = total(samples, rule.metric, rule.labels)
        if value >= rule.at_least and described.uptime_s >= rule.after_s:
            yield f"{name} {rule.sentence.format(value=value)}."
    for busy in described.busiest:
        if busy.requests_per_s >= BUSY_REQUESTS_PER_S:
            yield f"Universe {busy.universe_id} has {busy.requests_per_s:.0f} requests a second."


def _of_certificates(described: Description, overview: Overview) -> Iterator[str]:
    for certificate, what in CERTIFICATES.items():
        ends_s = total(described.values, NOT_AFTER, {"certificate": certificate})
        # A replica that reports no secrets has none to compare.
        if 0 < ends_s <= overview.renewed_until.timestamp():
            name = f"{described.service} {described.instance}"
            yield f"{name} {what} {when(ends_s, overview.at)}."


def _of_streams(streams: tuple[StreamReport, ...]) -> Iterator[str]:
    for stream in streams:
        if stream.problem is not None:
            what = "The limiter's stream" if stream.name in LIMITS else "The stream"
            yield f"{what} {stream.name} {stream.problem}."
        # If the oldest messages are dropped, a full stream is normal.
        if stream.fill is not None and stream.fill >= NEARLY_FULL and not stream.drops:
            yield f"The stream {stream.name} is {stream.fill:.0%} full."
        for copy in stream.copies:
            if not copy.current or copy.behind > TOLERATED_LAG:
                behind = f"{copy.behind} messages behind" if copy.behind else "not current"
                yield f"The copy of {stream.name} at broker {copy.broker} is {behind}."


def _of_store(store: tuple[StoreShare, ...] | None) -> Iterator[str]:
    if store is None:
        yield "The broker does not tell how much is stored."
        return
    for share in store:
        if share.fill >= NEARLY_FULL:
            tier = f" for {share.tier}" if share.tier else ""
            yield f"The brokers' {share.storage} store{tier} is {share.fill:.0%} full."


def total(
    samples: Mapping[str, float], metric: str, labels: Mapping[str, str] | None = None
) -> float:
    """A metric's value, over all of its series that have these labels."""
    wanted = [f'{name}="{value}"' for name, value in (labels or {}).items()]
    return sum(
        value
        for key, value in samples.items()
        if key.partition("{")[0] == metric and all(each in key for each in wanted)
    )

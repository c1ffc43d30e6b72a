"""Grafana's dashboards: one for the whole product, and one for each service, as code.

A panel is a question an operator has, and the expressions that answer it. ``dashboards`` builds the
JSON that Grafana reads; ``make settings`` writes it to ``deploy/watch/dashboards``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT, _COLUMNS = 8, 7, 3
_SOURCE = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True)
class Panel:
    """A question, its unit in Grafana's words, and expressions by their legends."""

    title: str
    unit: str
    queries: Mapping[str, str]


@dataclass(frozen=True)
class Dashboard:
    """Panels, in the order of reading."""

    uid: str
    title: str
    panels: Sequence[Panel]


def rate(metric: str, by: str = "", match: str = "") -> str:
    """What a counter grows by in a second, over all replicas."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{match}}}[$__rate_interval]))"


def quantile(share: float, histogram: str) -> str:
    """A quantile of a histogram, over all replicas."""
    return f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket[$__rate_interval])))"


def of(service: str, metric: str) -> str:
    """A metric that all processes have, of one service."""
    return f'{metric}{{job="harmonic-{service}"}}'


def times(histogram: str) -> Mapping[str, str]:
    """The median and the 99th percentile of a histogram."""
    return {"median": quantile(0.5, histogram), "p99": quantile(0.99, histogram)}


def kept(share_that_failed: str) -> str:
    """The share of an objective that was met in the last five minutes, as the rules record it."""
    return f"1 - harmonic:{share_that_failed}:ratio_rate5m"


WHOLE = Dashboard(
    "harmonic",
    "Harmonic Universe",
    (
        Panel(
            "Promises kept",
            "percentunit",
            {
                "connects": kept("connects_failed"),
                "updates heard within 250 ms": kept("updates_late"),
                "recoveries": kept("recoveries_failed"),
            },
        ),
        Panel(
            "What the probe does",
            "ops",
            {"{{step}} {{outcome}}": rate("harmonic_probe_steps_total", "step, outcome")},
        ),
        Panel(
            "How long the probe takes",
            "s",
            {
                "{{step}}": "sum by (step) (rate(harmonic_probe_seconds_sum[$__rate_interval]))"
                " / sum by (step) (rate(harmonic_probe_seconds_count[$__rate_interval]))"
            },
        ),
        Panel("Connected clients", "short", {"clients": "sum(harmonic_connections)"}),
        Panel(
            "Connects",
            "cps",
            {"{{outcome}} {{reason}}": rate("harmonic_connects_total", "outcome, reason")},
        ),
        Panel("Time to connect", "s", times("harmonic_connect_seconds")),
        Panel("Commands", "ops", {"{{outcome}}": rate("harmonic_commands_total", "outcome")}),
        Panel("Time to store an update", "s", times("harmonic_append_seconds")),
        Panel("Frames sent", "ops", {"frames": rate("harmonic_deliveries_total")}),
        Panel(
            "Recoveries",
            "ops",
            {"{{outcome}} {{reason}}": rate("harmonic_recoveries_total", "outcome, reason")},
        ),
        Panel(
            "Answers INTERNAL_ERROR",
            "ops",
            {"{{cause}}": rate("harmonic_internal_errors_total", "cause")},
        ),
        Panel("Music that waits", "short", {"jobs": "max(harmonic_music_jobs_pending)"}),
        Panel(
            "Streams against their bounds",
            "percentunit",
            {"{{stream}}": "max by (stream) (harmonic_stream_fill_ratio)"},
        ),
        Panel(
            "Busiest universe",
            "reqps",
            {"requests": "max(harmonic_busiest_universe_requests_per_second)"},
        ),
        Panel(
            "Versions",
            "short",
            {"{{service}} {{version}}": "count by (service, version) (harmonic_build_info)"},
        ),
        Panel(
            "Brokers' disks",
            "percentunit",
            {
                "{{instance}}": "nats_varz_jetstream_stats_storage"
                " / nats_varz_jetstream_config_max_storage"
            },
        ),
        Panel("Brokers' clients", "short", {"{{instance}}": "nats_varz_connections"}),
    ),
)

CPU_OF_GATEWAYS = of("gateway", "process_cpu_seconds_total")
GATEWAY = Dashboard(
    "harmonic-gateway",
    "Harmonic Universe: gateways",
    (
        Panel("Clients by gateway", "short", {"{{instance}}": "harmonic_connections"}),
        Panel("Sockets", "short", {"{{instance}}": "harmonic_sockets"}),
        Panel("Rooms", "short", {"{{instance}}": "harmonic_rooms"}),
        Panel(
            "Ended connections",
            "cps",
            {"{{reason}}": rate("harmonic_disconnects_total", "reason")},
        ),
        Panel("Heartbeats", "s", times("harmonic_heartbeat_round_trip_seconds")),
        Panel(
            "Commands by name",
            "ops",
            {"{{command}}": rate("harmonic_commands_total", "command")},
        ),
        Panel(
            "Refusals",
            "ops",
            {"{{code}} {{reason}}": rate("harmonic_refusals_total", "code, reason")},
        ),
        Panel("Time to recover", "s", times("harmonic_recovery_seconds")),
        Panel("Missed events sent again", "ops", {"events": rate("harmonic_missed_events_total")}),
        Panel(
            "Waiting for clients to read", "bytes", {"{{instance}}": "harmonic_send_queue_bytes"}
        ),
        Panel(
            "Clients closed for being behind",
            "cps",
            {
                "overflow": rate("harmonic_send_buffer_overflows_total"),
                "stalled": rate("harmonic_stalled_readers_total"),
            },
        ),
        Panel(
            "Allowances",
            "ops",
            {
                "{{rate}} {{outcome}}": rate("harmonic_allowances_total", "rate, outcome"),
                "from leases": rate("harmonic_allowances_leased_total"),
                "leases {{outcome}}": rate("harmonic_lease_appends_total", "outcome"),
                "counted alone": rate("harmonic_allowances_counted_alone_total"),
            },
        ),
        Panel(
            "Bars sent less than 0.5 s ahead",
            "percentunit",
            {
                "share": rate("harmonic_bar_lead_seconds_bucket", match='le="0.5"')
                + " / "
                + rate("harmonic_bar_lead_seconds_count")
            },
        ),
        Panel(
            "Event loop lag",
            "s",
            {"{{instance}}": of("gateway", "harmonic_event_loop_lag_seconds")},
        ),
        Panel(
            "CPU",
            "percentunit",
            {"{{instance}}": f"rate({CPU_OF_GATEWAYS}[$__rate_interval])"},
        ),
        Panel("Memory", "bytes", {"{{instance}}": of("gateway", "process_resident_memory_bytes")}),
    ),
)

STATE = Dashboard(
    "harmonic-state",
    "Harmonic Universe: state service",
    (
        Panel("Requests by name", "reqps", {"{{name}}": rate("harmonic_requests_total", "name")}),
        Panel("Waiting requests", "short", {"{{instance}}": "harmonic_waiting_requests"}),
        Panel(
            "Requests given up",
            "ops",
            {"{{cause}}": rate("harmonic_requests_given_up_total", "cause")},
        ),
        Panel("Appends", "ops", {"{{outcome}}": rate("harmonic_appends_total", "outcome")}),
        Panel("Time of an append", "s", times("harmonic_append_seconds")),
        Panel("Snapshots", "ops", {"{{outcome}}": rate("harmonic_snapshots_total", "outcome")}),
        Panel("Owners changed", "ops", {"universes": rate("harmonic_owners_changed_total")}),
        Panel("Universes in memory", "short", {"{{instance}}": "harmonic_cached_universes"}),
        Panel("What they take", "bytes", {"{{instance}}": "harmonic_cached_universes_bytes"}),
        Panel(
            "What plans of endless pieces take",
            "bytes",
            {"{{instance}}": "harmonic_endless_pieces_bytes"},
        ),
        Panel(
            "Endless pieces",
            "short",
            {
                "all": "max(harmonic_endless_pieces)",
                "recorded by {{instance}}": "harmonic_endless_pieces_recorded",
            },
        ),
        Panel(
            "Endless pieces against their bound",
            "percentunit",
            {"{{instance}}": "harmonic_endless_pieces_share"},
        ),
        Panel(
            "Bars recorded",
            "ops",
            {
                "{{outcome}}": rate("harmonic_bars_recorded_total", "outcome"),
                "not composed in time": rate("harmonic_composers_unanswered_total"),
                "pieces refused": rate("harmonic_endless_pieces_refused_total"),
            },
        ),
        Panel("Streams", "bytes", {"{{stream}}": "max by (stream) (harmonic_stream_bytes)"}),
        Panel("Round trip to the broker", "s", times("harmonic_bus_round_trip_seconds")),
        Panel(
            "Clock against the time base",
            "s",
            {"{{instance}}": of("state", "harmonic_clock_skew_seconds")},
        ),
    ),
)

CPU_OF_COMPOSERS = of("music", "process_cpu_seconds_total")
MUSIC = Dashboard(
    "harmonic-music",
    "Harmonic Universe: music service",
    (
        Panel("Pieces", "ops", {"{{outcome}}": rate("harmonic_pieces_total", "outcome")}),
        Panel("Time to compose", "s", times("harmonic_composing_seconds")),
        Panel("Waiting in the queue", "short", {"jobs": "max(harmonic_pieces_pending)"}),
        Panel("Waiting at a replica", "short", {"{{instance}}": "harmonic_pieces_waiting"}),
        Panel("Being composed", "short", {"{{instance}}": "harmonic_pieces_composing"}),
        Panel(
            "Bars of endless pieces",
            "ops",
            {"{{outcome}}": rate("harmonic_bars_total", "outcome", 'job="harmonic-music"')},
        ),
        Panel("Time to a bar", "s", times("harmonic_bar_seconds")),
        Panel("Bars under way", "short", {"{{instance}}": "harmonic_bars_composing"}),
        Panel(
            "CPU",
            "percentunit",
            {"{{instance}}": f"rate({CPU_OF_COMPOSERS}[$__rate_interval])"},
        ),
        Panel(
            "Event loop lag", "s", {"{{instance}}": of("music", "harmonic_event_loop_lag_seconds")}
        ),
    ),
)

ALL = (WHOLE, GATEWAY, STATE, MUSIC)


def built(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["harmonic-universe"],
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": [
            {
                "id": number,
                "type": "timeseries",
                "title": panel.title,
                "datasource": _SOURCE,
                "gridPos": {
                    "x": number % _COLUMNS * _WIDTH,
                    "y": number // _COLUMNS * _HEIGHT,
                    "w": _WIDTH,
                    "h": _HEIGHT,
                },
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "targets": [
                    {
                        "refId": chr(ord("A") + index),
                        "datasource": _SOURCE,
                        "expr": expression,
                        "legendFormat": legend,
                    }
                    for index, (legend, expression) in enumerate(panel.queries.items())
                ],
            }
            for number, panel in enumerate(dashboard.panels)
        ],
    }


def dashboards() -> Mapping[str, str]:
    """Each dashboard's file name and text."""
    return {
        f"{dashboard.uid}.json": json.dumps(built(dashboard), indent=2, ensure_ascii=False) + "\n"
        for dashboard in ALL
    }

"""Documents for operators, generated from the code: references, dashboards, variables.

``python -m harmonic_local.reference`` writes them; with ``--check`` it says whether they are stale.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import harmonic_gateway.metrics
import harmonic_gateway.sockets.metrics
import harmonic_music.metrics
import harmonic_operator.probe_metrics
import harmonic_state.metrics
from harmonic_gateway.settings import GatewaySettings
from harmonic_local.chart_readme import CHART, README, readme
from harmonic_local.dashboards import dashboards
from harmonic_music.settings import MusicSettings
from harmonic_operator.reference import describe_commands
from harmonic_operator.settings import OperatorSettings
from harmonic_runtime.observability import table
from harmonic_runtime.observability.reference import describe_metrics
from harmonic_runtime.observability.specs import declared_in
from harmonic_runtime.process.reference import describe_settings, variables_of
from harmonic_runtime.process.settings import ServiceSettings
from harmonic_state.settings import StateSettings

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "deploy" / "docs" / "settings.md"
METRICS_PAGE = ROOT / "deploy" / "docs" / "metrics.md"
COMMANDS_PAGE = ROOT / "deploy" / "docs" / "commands.md"
DASHBOARDS = ROOT / "deploy" / "watch" / "dashboards"
VARIABLES = ROOT / "shared" / "harmonic_runtime" / "process" / "variables.txt"
SERVICES: tuple[type[ServiceSettings], ...] = (
    GatewaySettings,
    StateSettings,
    MusicSettings,
    OperatorSettings,
)
_TITLES = {
    "gateway": "Gateway",
    "state": "State service",
    "music": "Music service",
    "operator": "Operator's command",
}

_HEAD = """\
# Settings

Every service is set by environment variables, and refuses to start with a sentence that names the
variable where one cannot be used. `harmonic-gateway check`, `harmonic-state check` and
`harmonic-music check` print what is in force where they are run, with secrets masked. The shipped
systemd units do so before each start, into the journal.

A secret can also be read from a file: the variable's name with `_FILE` after it names the file.
This page is made from the code by `make settings`.

"""

_METRICS_HEAD = """\
# Metrics

Every service serves its metrics at `/metrics` of its operations port, in Prometheus' text format.
All series are there from the start, and none is added later: no label names a user, a universe or
a connection. Times are in seconds. Beside these, each process has the usual `process_…` and
`python_…` metrics. This page is made from the code by `make settings`.

"""
_COMMANDS_HEAD = """\
# Commands

`harmonic` sees and steers a running product, over its bus, as the user `operator`. Where the bus
is, and the password, are told by the same variables as to the services; see
[Operating](operating.md) for which command answers which question. This page is made from the code
by `make settings`.

"""
_EXPORTER_HEAD = """
## Brokers

What the alerts and dashboards read of the brokers is told by prometheus-nats-exporter, run beside
each broker with `-varz -jsz=all -prefix=nats`. The official chart installs it.

| Metric | Type | What it is |
|---|---|---|
"""
#: Metrics of the brokers' exporter that are read here, and what each is.
EXPORTER_METRICS: Mapping[str, str] = {
    "nats_varz_slow_consumers": "clients that the broker has closed, since they did not read",
    "nats_varz_connections": "connected clients",
    "nats_varz_jetstream_stats_storage": "bytes that the streams of this broker take",
    "nats_varz_jetstream_config_max_storage": "bytes that they may take: `max_file_store`",
    "nats_varz_jetstream_stats_reserved_storage": "bytes that they reserve, by their own bounds",
    "nats_server_total_streams": "streams of this broker; `meta_leader` names the cluster's leader",
}
#: The tables of the metrics, by the titles of their chapters.
METRICS = {
    "All services": (table,),
    "Gateway": (harmonic_gateway.metrics, harmonic_gateway.sockets.metrics),
    "State service": (harmonic_state.metrics,),
    "Music service": (harmonic_music.metrics,),
    "Probe": (harmonic_operator.probe_metrics,),
}


def documents() -> Mapping[Path, str]:
    """Each file's path and what it should hold."""
    shared = set(ServiceSettings.model_fields)
    parts = [_HEAD, "## All services\n\n", describe_settings(ServiceSettings)]
    for service in SERVICES:
        parts.append(f"\n## {_TITLES[service.service]}\n\n")
        parts.append(describe_settings(service, without=shared))
    names = "".join(f"{name}\n" for name in variables_of(*SERVICES))
    chapters = (
        f"## {title}\n\n{describe_metrics(declared_in(*tables))}"
        for title, tables in METRICS.items()
    )
    exported = (f"| `{name}` | gauge | {text} |\n" for name, text in EXPORTER_METRICS.items())
    metrics = _METRICS_HEAD + "\n".join(chapters) + _EXPORTER_HEAD + "".join(exported)
    boards = {DASHBOARDS / name: text for name, text in dashboards().items()}
    return {
        PAGE: "".join(parts),
        METRICS_PAGE: metrics,
        COMMANDS_PAGE: _COMMANDS_HEAD + describe_commands(),
        VARIABLES: names,
        README: readme((CHART / "values.yaml").read_text()),
        **boards,
    }


def main(arguments: list[str]) -> int:
    """Write the documents, or check them; the exit status."""
    stale = [
        path for path, text in documents().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make settings`.\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(documents()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

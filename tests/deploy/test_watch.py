"""Alerts and dashboards read metrics that exist; each alert has a runbook and tests."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harmonic_local import dashboards
from ladder import units, watching


def with_unknown_metric(rule: dict[str, Any]) -> dict[str, Any]:
    return {**rule, "expr": rule["expr"].replace("harmonic_", "harmonic_no_")}


@pytest.mark.parametrize(
    "rule", watching.alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)
def test_an_alert_lacks_nothing(rule: dict[str, Any]) -> None:
    assert list(watching.faults_of(rule)) == []


def test_what_an_alert_lacks_is_seen() -> None:
    rule = next(rule for rule in watching.alerts() if rule["alert"] == "HarmonicBusAway")

    assert "HarmonicBusAway reads harmonic_no_bus_connected, which nothing gives" in list(
        watching.faults_of(with_unknown_metric(rule))
    )
    nameless = {**rule, "alert": "HarmonicNobodyKnows"}
    assert list(watching.faults_of(nameless)) == [
        "HarmonicNobodyKnows has no case that fires",
        "HarmonicNobodyKnows has no case that is silent",
        "HarmonicNobodyKnows does not name its runbook",
        "HarmonicNobodyKnows has no runbook",
    ]


@pytest.mark.parametrize("dashboard", dashboards.ALL, ids=lambda board: board.uid)
def test_a_dashboard_reads_metrics_that_exist(dashboard: dashboards.Dashboard) -> None:
    for panel in dashboard.panels:
        for expression in panel.queries.values():
            assert watching.unknown(expression) == set(), panel.title


def test_a_recorded_name_reads_metrics_that_exist() -> None:
    for rule in watching.rules():
        if "record" in rule:
            assert watching.unknown(rule["expr"]) == set(), rule["record"]


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    names = {rule["alert"] for rule in watching.alerts()}

    assert {page.stem for page in watching.RUNBOOKS.glob("*.md")} == names


def test_what_is_muted_is_an_alert() -> None:
    names = {rule["alert"] for rule in watching.alerts()}

    assert set(re.findall(r"Harmonic\w+", watching.ALERTMANAGER.read_text())) <= names


def test_prometheus_asks_machines_what_it_asks_in_the_composition() -> None:
    assert watching.targets(watching.MACHINES).keys() == (
        watching.targets(watching.COMPOSITION).keys()
    )


@pytest.mark.parametrize("service", ["gateway", "state", "music"])
def test_prometheus_asks_the_ports_that_units_serve(service: str) -> None:
    asked = watching.targets(watching.MACHINES)[f"harmonic-{service}"]
    (unit,) = units.SHIPPED.glob(f"harmonic-{service}*.service")
    (port,) = re.findall(r"HARMONIC_OPS_PORT=(\S+)", unit.read_text())

    assert [each.partition(":")[2] for each in asked] == [port.replace("%i", "8000")] * 3


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("command", watching.CHECKS, ids=lambda each: " ".join(each[:2]))
def test_prometheus_agrees(command: tuple[str | Path, ...]) -> None:
    said = subprocess.run(command, check=False, capture_output=True, text=True)

    assert said.returncode == 0, said.stdout + said.stderr

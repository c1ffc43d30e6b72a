"""Alerts and dashboards read metrics that exist; each alert has a runbook and tests."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harmonic_local import dashboards
from harmonic_local.reference import METRICS
from harmonic_runtime.observability.specs import declared_in

ROOT = Path(__file__).resolve().parents[2]
WATCH = ROOT / "deploy" / "watch"
RUNBOOKS = ROOT / "deploy" / "docs" / "runbooks"
RULES = sorted((WATCH / "rules").glob("*.yaml"))
#: Metrics that prometheus-client and Prometheus itself give.
FOREIGN = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}

_NAME = re.compile(r"\b(harmonic_[a-z0-9_]+|process_[a-z_]+|up)\b(?!\")")


def metrics() -> set[str]:
    """The names of all series that services serve."""
    names = set(FOREIGN)
    for tables in METRICS.values():
        for spec in declared_in(*tables):
            full = spec.full_name
            names |= {full, *(f"{full}_{part}" for part in ("bucket", "count", "sum"))}
    return names


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def names_in(expression: str) -> set[str]:
    """The metrics that an expression reads: words outside of strings and recorded names."""
    return set(_NAME.findall(re.sub(r'"[^"]*"', "", expression)))


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_reads_metrics_that_exist(rule: dict[str, Any]) -> None:
    assert names_in(rule["expr"])
    assert names_in(rule["expr"]) <= metrics()


@pytest.mark.parametrize("dashboard", dashboards.ALL, ids=lambda board: board.uid)
def test_a_dashboard_reads_metrics_that_exist(dashboard: dashboards.Dashboard) -> None:
    for panel in dashboard.panels:
        for expression in panel.queries.values():
            assert names_in(expression), panel.title
            assert names_in(expression) <= metrics(), panel.title


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_has_a_runbook_with_every_part(rule: dict[str, Any]) -> None:
    page = (RUNBOOKS / f"{rule['alert']}.md").read_text()
    for part in ("Meaning", "Impact", "First look", "Mend", "How it was tested"):
        assert f"**{part}.**" in page


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in alerts()}


def test_each_alert_is_tested_firing_and_silent() -> None:
    tested = [
        (test["alertname"], bool(test["exp_alerts"]))
        for path in sorted((WATCH / "tests").glob("*.yaml"))
        for case in yaml.safe_load(path.read_text())["tests"]
        for test in case["alert_rule_test"]
    ]

    for rule in alerts():
        assert (rule["alert"], True) in tested
        assert (rule["alert"], False) in tested


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("arguments", [["check", "rules", *RULES], ["test", "rules"]])
def test_prometheus_agrees(arguments: list[str | Path]) -> None:
    paths = sorted((WATCH / "tests").glob("*.yaml")) if arguments[0] == "test" else []

    said = subprocess.run(
        ["promtool", *arguments, *paths], check=False, capture_output=True, text=True
    )

    assert said.returncode == 0, said.stdout + said.stderr

"""What is shipped to watch the product: rules, their tests, runbooks, and the metrics they read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from harmonic_local.reference import EXPORTER_METRICS, METRICS
from harmonic_runtime.observability.specs import declared_in
from ladder import tools

WATCH = tools.ROOT / "deploy" / "watch"
RULES = sorted((WATCH / "rules").glob("*.yaml"))
RULE_TESTS = sorted((WATCH / "tests").glob("*.yaml"))
ALERTMANAGER = WATCH / "alertmanager.yaml"
#: What Prometheus asks on three machines, and in the composition.
MACHINES = tools.ROOT / "deploy" / "vm" / "prometheus.yaml"
COMPOSITION = tools.ROOT / "deploy" / "compose" / "prometheus.yaml"
#: What Prometheus' own tools are asked.
CHECKS: tuple[tuple[str | Path, ...], ...] = (
    ("promtool", "check", "rules", *RULES),
    ("promtool", "test", "rules", *RULE_TESTS),
    ("promtool", "check", "config", "--syntax-only", MACHINES),
    ("amtool", "check-config", ALERTMANAGER),
)
RUNBOOKS = tools.ROOT / "deploy" / "docs" / "runbooks"
PARTS = ("Meaning", "Impact", "First look", "Mend", "How it was tested")
#: Metrics that prometheus-client and Prometheus itself give.
FOREIGN = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}

_NAME = re.compile(r"\b(harmonic_[a-z0-9_]+|nats_[a-z_]+|process_[a-z_]+|up)\b")
_RECORDED = re.compile(r"\bharmonic:[a-z0-9_:]+")
_COMMAND = re.compile(r"`harmonic [a-z]+")


def metrics() -> set[str]:
    """The names of all series that services, the probe and the brokers' exporter serve."""
    names = FOREIGN | set(EXPORTER_METRICS)
    for tables in METRICS.values():
        for spec in declared_in(*tables):
            full = spec.full_name
            names |= {full, *(f"{full}_{part}" for part in ("bucket", "count", "sum"))}
    return names


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every file."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """The rules that are alerts; one of two severities stands twice."""
    return [rule for rule in rules() if "alert" in rule]


def targets(path: Path) -> dict[str, list[str]]:
    """What a configuration of Prometheus asks: hosts and ports by jobs."""
    return {
        job["job_name"]: [each for group in job["static_configs"] for each in group["targets"]]
        for job in yaml.safe_load(path.read_text())["scrape_configs"]
    }


def recorded() -> set[str]:
    """The names that recording rules give."""
    return {rule["record"] for rule in rules() if "record" in rule}


def unknown(expression: str) -> set[str]:
    """What an expression reads that nothing gives: metrics and recorded names."""
    bare = re.sub(r'"[^"]*"', "", expression)
    read = set(_RECORDED.findall(bare))
    names = set(_NAME.findall(_RECORDED.sub("", bare)))
    if not names | read:
        return {"nothing"}
    return (names - metrics()) | (read - recorded())


def tested() -> set[tuple[str, str | None]]:
    """Alerts that have a case which fires, by severity, and a silent one, by ``None``."""
    found: set[tuple[str, str | None]] = set()
    for path in RULE_TESTS:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for test in case["alert_rule_test"]:
                severities = [each["exp_labels"]["severity"] for each in test["exp_alerts"]]
                found |= {(test["alertname"], severity) for severity in severities or [None]}
    return found


def faults_of(rule: dict[str, Any]) -> Iterator[str]:
    """What an alert lacks: known metrics, tests, its runbook and the link to it."""
    name = rule["alert"]
    for metric in sorted(unknown(rule["expr"])):
        yield f"{name} reads {metric}, which nothing gives"
    for severity in (rule["labels"]["severity"], None):
        if (name, severity) not in tested():
            yield f"{name} has no case that {'fires' if severity else 'is silent'}"
    page = RUNBOOKS / f"{name}.md"
    if rule["annotations"].get("runbook_url") != str(page.relative_to(tools.ROOT)):
        yield f"{name} does not name its runbook"
    if not page.exists():
        yield f"{name} has no runbook"
        return
    text = page.read_text()
    yield from (f"{page.name} lacks {part}" for part in PARTS if f"**{part}.** " not in text)
    look = text.partition("**First look.**")[2].partition("\n")[0]
    if not _COMMAND.search(look):
        yield f"{page.name}: the first look is no command"

"""A real Prometheus with a real Alertmanager, on rules whose times are divided."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from harmonic_local.processes import Managed, free_port
from ladder import watching
from ladder.programs import Program

#: The programs, by Debian's names.
PROGRAMS = (
    Program("prometheus", "prometheus"),
    Program("promtool", "prometheus"),
    Program("prometheus-alertmanager", "prometheus-alertmanager"),
    Program("amtool", "prometheus-alertmanager"),
)
#: What all durations of the rules are divided by, so that hours are minutes.
DIVISOR = 20
SCRAPE_S = 2
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WINDOW = re.compile(r"\[([0-9]+)(ms|s|m|h|d)\]")
_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d)")


def divided(duration: str) -> str:
    """A duration that is :data:`DIVISOR` times shorter."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"not a duration: {duration}")
    return f"{int(found[1]) * _UNITS_MS[found[2]] // DIVISOR}ms"


def hastened(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule with all of its durations divided; names of series stay as they are."""
    expression = _WINDOW.sub(lambda found: f"[{divided(found[1] + found[2])}]", rule["expr"])
    waits = {"for": divided(rule["for"])} if "for" in rule else {}
    return {**rule, "expr": expression, **waits}


def hastened_rules(folder: Path) -> None:
    """Write all rules that are shipped into a folder, hastened."""
    folder.mkdir(parents=True)
    for path in watching.RULES:
        groups = yaml.safe_load(path.read_text())["groups"]
        made = [{**group, "rules": [hastened(rule) for rule in group["rules"]]} for group in groups]
        (folder / path.name).write_text(yaml.safe_dump({"groups": made}, sort_keys=False))


@dataclass(frozen=True)
class Prometheus:
    """Where both listen."""

    url: str
    alertmanager: str
    http: aiohttp.ClientSession

    async def firing(self) -> set[str]:
        """The names of the alerts that fire and that Alertmanager does not mute."""
        url = f"{self.alertmanager}/api/v2/alerts?active=true&inhibited=false&silenced=false"
        async with self.http.get(url) as response:
            return {each["labels"]["alertname"] for each in await response.json()}

    async def ask(self, expression: str, *, began_s: float, ended_s: float) -> list[float]:
        """All values that a query had in a range of time, over all of its series."""
        asked: dict[str, str | float] = {
            "query": expression,
            "start": began_s,
            "end": ended_s,
            "step": SCRAPE_S,
        }
        async with self.http.get(f"{self.url}/api/v1/query_range", params=asked) as response:
            answer = await response.json()
        if answer["status"] != "success":
            raise ValueError(f"{expression}: {answer['error']}")
        return [float(value) for each in answer["data"]["result"] for _, value in each["values"]]


@asynccontextmanager
async def running(folder: Path, targets: Mapping[str, Sequence[str]]) -> AsyncIterator[Prometheus]:
    """Both, scraping ``targets`` by their jobs."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 -- before anything runs
    hastened_rules(folder / "rules")
    port, alerting_port = free_port(), free_port()
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump(_configuration(folder, targets, alerting_port)))
    log = folder / "log"

    def output(name: str, line: str) -> None:
        with log.open("a") as file:
            file.write(f"{name} {line}\n")

    alertmanager = Managed(
        "alertmanager",
        [
            *("prometheus-alertmanager", f"--config.file={watching.ALERTMANAGER}"),
            *(f"--storage.path={folder}/alertmanager", "--cluster.listen-address="),
            f"--web.listen-address=127.0.0.1:{alerting_port}",
        ],
        {},
        output,
        lambda line: "Listening on" in line,
    )
    prometheus = Managed(
        "prometheus",
        [
            *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb"),
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        {},
        output,
        lambda line: "Server is ready" in line,
    )
    try:
        await alertmanager.start()
        await prometheus.start()
        async with aiohttp.ClientSession() as http:
            yield Prometheus(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{alerting_port}", http)
    finally:
        await prometheus.stop()
        await alertmanager.stop()


def _configuration(
    folder: Path, targets: Mapping[str, Sequence[str]], alerting_port: int
) -> Mapping[str, Any]:
    return {
        "global": {
            "scrape_interval": f"{SCRAPE_S}s",
            "scrape_timeout": f"{SCRAPE_S}s",
            "evaluation_interval": "1s",
        },
        "rule_files": [f"{folder}/rules/*.yaml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerting_port}"]}]}]
        },
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(places)}]}
            for job, places in targets.items()
        ],
    }

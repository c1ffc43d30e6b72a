"""Reads the compose file with a parser of its specification. Run among the ladder's tools.

    python -m ladder.composition FILE

Prints what was looked at, and what is wrong: as JSON.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from compose_spec import PyCompose

#: What a proxy's or Prometheus's file says of where services are.
_ADDRESS = re.compile(r"\b((?:gateway|state|music|nats|probe|alertmanager)-?\d*):(\d+)\b")
#: What rules and dashboards read, by Prometheus' jobs, and how many of each are scraped.
_SCRAPED = {
    "harmonic-gateway": 2,
    "harmonic-state": 2,
    "harmonic-music": 2,
    "harmonic-probe": 1,
    "nats": 3,
}
_DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")
_NETWORK = re.compile(r"service:([a-z0-9-]+)")
_TLS = re.compile(r"tls://([a-z0-9-]+):")


def _mounted(services: dict[str, Any], folder: Path) -> Iterator[Path]:
    """Files and folders of the repository that services mount."""
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                yield folder / volume.partition(":")[0]


def _document(path: Path) -> dict[str, Any]:
    """The file with its merges made, and each variable replaced by its default."""
    document: dict[str, Any] = yaml.safe_load(_DEFAULT.sub(r"\1", path.read_text()))
    return document


def _dangling(services: dict[str, Any]) -> Iterator[str]:
    """Services that others name, and that are not there."""
    for name, service in services.items():
        named = {*service.get("depends_on", [])}
        named |= {*_NETWORK.findall(service.get("network_mode", ""))}
        named |= {*_TLS.findall(json.dumps(service.get("environment", {})))}
        yield from (f"{name} names {other}, which is not there" for other in named - {*services})


def faults(path: Path) -> Iterator[str]:
    """What is wrong with the file and with those that it mounts."""
    document = _document(path)
    try:
        PyCompose.from_json(json.dumps(document)).validate()
    except ValueError as error:
        yield f"{path.name}: {error}"
        return
    services = document["services"]
    yield from _dangling(services)
    for mounted in _mounted(services, path.parent):
        if not mounted.exists():
            yield f"{mounted} is mounted and not there"
    for mounted in (path.parent / "compose").glob("*.*"):
        for host, _port in _ADDRESS.findall(mounted.read_text()):
            if host not in services:
                yield f"{mounted.name} names {host}, which is not there"


def shape(path: Path) -> Iterator[str]:
    """What the composition lacks of the shape that it has in common with virtual machines."""
    services = _document(path)["services"]
    kinds = (("nats", 3), ("exporter", 3), ("gateway", 2), ("state", 2), ("music", 2))
    for kind, wanted in kinds:
        found = sum(re.fullmatch(rf"{kind}-\d+", name) is not None for name in services)
        if found < wanted:
            yield f"there are {found} of {kind}, and should be {wanted}"
    single = ("proxy", "probe", "prometheus", "alertmanager", "grafana")
    yield from (f"there is no {name}" for name in single if name not in services)
    watcher = yaml.safe_load((path.parent / "compose" / "prometheus.yaml").read_text())
    scraped = {
        job["job_name"]: sum(len(group["targets"]) for group in job["static_configs"])
        for job in watcher["scrape_configs"]
    }
    if scraped != _SCRAPED:
        yield f"Prometheus scrapes {scraped}, and should {_SCRAPED}"
    if not watcher.get("alerting"):
        yield "Prometheus tells nobody of alerts"


def main() -> int:
    """Write what was found to standard output."""
    path = Path(sys.argv[1])
    services = _document(path)["services"]
    sys.stdout.write(
        json.dumps(
            {
                "looked_at": {"services of compose": len(services)},
                "faults": [*faults(path), *shape(path)],
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
_ADDRESS = re.compile(r"\b((?:gateway|state|music|nats|probe)-?\d*):(\d+)\b")
_DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")
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
    for kind, wanted in (("nats", 3), ("gateway", 2), ("state", 2), ("music", 2)):
        found = sum(re.fullmatch(rf"{kind}-\d+", name) is not None for name in services)
        if found < wanted:
            yield f"there are {found} of {kind}, and should be {wanted}"
    yield from (
        f"there is no {name}" for name in ("proxy", "prometheus", "grafana") if name not in services
    )


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

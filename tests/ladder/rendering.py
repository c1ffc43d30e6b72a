"""Renders the chart in every shape, and checks what comes of it. Run among the ladder's tools.

    python -m ladder.rendering CHART OUTPUT [SCHEMAS]

CHART is a folder of the chart, its dependency in ``charts/`` where that is at hand; the manifests
are written to OUTPUT, a file a shape; SCHEMAS are those of custom resources. Prints findings.
"""

import copy
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from helm_python import Chart, HelmError
from jsonschema import Draft7Validator

from ladder.references import Cluster, Manifest, named

OLDEST_MINOR = 30
NAMESPACE = "music"
RELEASE = "harmonic"

#: Values that must be refused, put into the values of a small production, by their paths.
WRONG: tuple[tuple[str, Any], ...] = (
    ("gateway.replicas", "three"),
    ("gateway.replica", 3),
    ("streamReplicas", 2),
    ("streamReplicas", 1),
    ("image.pullPolicy", "Sometimes"),
    ("bus.url", "http://nats:4222"),
    ("gateway.secret.name", ""),
    ("gateway.secret.sessionSecretKey", ""),
    ("gateway.secret.serviceOldSecretsKey", "old"),
    ("gateway.secret.serviceSecret", "x" * 32),
    ("state.replicas", 1),
    ("bus.tls.enabled", False),
    ("nats.config.cluster.enabled", False),
    ("nats.config.cluster.replicas", 1),
    ("nats.config.jetstream.fileStore.pvc.size", "4Gi"),
    ("nats.config.jetstream.fileStore.pvc.size", "lots"),
    ("nats.config.jetstream.memoryStore.enabled", False),
    ("nats.config.jetstream.memoryStore.maxSize", "64Mi"),
    ("gateway.settings.HARMONIC_JWT_SECRET", "x" * 32),
    ("settings.harmonic", "x"),
    ("ingress.host", "Live Example"),
    ("ingress.host", ""),
    ("httpRoute.parentRefs", "public"),
    ("gateway.stopTimeoutSeconds", 2),
    ("gateway.drainStaggerSeconds", 44),
    ("music.autoscaling.minReplicas", 30),
    ("music.autoscaling.prometheus", "prometheus:9090"),
    ("gateway.service.type", "Cluster"),
    ("monitoring.rules.runbookUrl", "ftp://wiki"),
    ("gateway.resources.limits.cpus", "1"),
    ("probe.enabled", True),
    ("probe.everySeconds", 2),
    ("probe.url", "live.example"),
)
#: Secrets that the examples name, and that the installation must have.
BY_REFERENCE = {
    "harmonic-gateway",
    "harmonic-probe",
    "live-example",
    *(f"harmonic-bus-{name}" for name in ("gateway", "state", "music", "broker")),
}
#: What the message names where it is another value than the wrong one.
NAMED = {
    "probe.enabled": "probe.tokensSecret",
    "gateway.drainStaggerSeconds": "gateway.stopTimeoutSeconds",
    "gateway.settings.HARMONIC_JWT_SECRET": "settings.HARMONIC_JWT_SECRET",
}


def render(chart: Path, values: Mapping[str, Any]) -> dict[str, str]:
    """The rendered templates, by their paths. Rendering alters a chart: each loads its own."""
    with Chart.load(chart) as loaded:
        loaded.validate_schema(dict(values))
        rendered: dict[str, str] = loaded.render(
            values=dict(values), name=RELEASE, namespace=NAMESPACE
        )
        return rendered


def manifests(rendered: Mapping[str, str]) -> list[Manifest]:
    """The objects of a rendering."""
    return [
        document
        for path, text in sorted(rendered.items())
        if not path.endswith("NOTES.txt")
        for document in yaml.safe_load_all(text)
        if document
    ]


def invalid(objects: list[Manifest], schemas: Path | None) -> Iterator[str]:
    """What Kubernetes of any supported version, or a custom resource's schema, would refuse."""
    versions = [
        version
        for version in kubernetes_validate.utils.all_versions()
        if int(version.split(".")[1]) >= OLDEST_MINOR
    ]
    for thing in objects:
        group, _, api = thing["apiVersion"].rpartition("/")
        custom = group.count(".") and not group.endswith("k8s.io")
        custom = custom or group == "gateway.networking.k8s.io"
        if custom:
            if schemas is None:
                continue
            path = schemas / group / f"{thing['kind'].lower()}_{api}.json"
            if not path.exists():
                yield f"{named(thing)}: there is no schema {path.name}"
                continue
            for error in Draft7Validator(json.loads(path.read_text())).iter_errors(thing):
                yield f"{named(thing)}: {'.'.join(map(str, error.path))}: {error.message}"
            continue
        for version in versions:
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except (
                kubernetes_validate.ValidationError,
                kubernetes_validate.SchemaNotFoundError,
            ) as error:
                yield f"{named(thing)}: {version}: {str(error)[:200]}"


def with_value(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of ``values`` with one of them replaced."""
    changed = copy.deepcopy(dict(values))
    inner = changed
    *folders, name = path.split(".")
    for folder in folders:
        inner = inner.setdefault(folder, {})
    inner[name] = value
    return changed


def shape(chart: Path, example: Path, schemas: Path | None) -> tuple[list[Manifest], list[str]]:
    """An example's objects, and what is wrong with them."""
    values = yaml.safe_load(example.read_text())
    rendered = render(chart, values)
    objects = manifests(rendered)
    complaints = list(invalid(objects, schemas))
    if render(chart, values) != rendered:
        complaints.append("rendered twice, it differs")
    if any((chart / "charts").glob("*")):
        complaints += Cluster(objects, BY_REFERENCE).dangling()
    return objects, complaints


def refused(chart: Path, values: Mapping[str, Any], path: str, value: object) -> str | None:
    """What is wrong with how a wrong value is met; nothing if it is refused by its path."""
    try:
        render(chart, with_value(values, path, value))
    except HelmError as error:
        said = str(error).replace("/", ".")
        parent = path.rpartition(".")[0]
        if NAMED.get(path, path) in said or f"'.{parent}'" in said:
            return None
        return f"{path} = {value!r} is refused without its path: {said[-200:]}"
    return f"{path} = {value!r} is accepted"


def main() -> int:
    """Check everything, and write what was found to standard output."""
    chart, output, *rest = map(Path, sys.argv[1:])
    schemas = rest[0] if rest else None
    output.mkdir(parents=True, exist_ok=True)
    looked_at = {"shapes": 0, "objects": 0, "wrong values": len(WRONG)}
    faults: list[str] = []
    for example in sorted((chart / "examples").glob("*.yaml")):
        objects, complaints = shape(chart, example, schemas)
        (output / example.name).write_text(yaml.safe_dump_all(objects, sort_keys=False))
        faults += [f"{example.name}: {complaint}" for complaint in complaints]
        looked_at["shapes"] += 1
        looked_at["objects"] += len(objects)
    small = yaml.safe_load((chart / "examples" / "small.yaml").read_text())
    faults += filter(None, (refused(chart, small, path, value) for path, value in WRONG))
    sys.stdout.write(json.dumps({"looked_at": looked_at, "faults": faults}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Renders the chart in every shape, and checks what comes of it. Run among the ladder's tools.

    python rendering.py CHART OUTPUT [SCHEMAS]

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
    ("state.replicas", 1),
    ("bus.tls.enabled", False),
    ("nats.config.cluster.enabled", False),
    ("nats.config.cluster.replicas", 1),
    ("nats.config.jetstream.fileStore.pvc.size", "4Gi"),
    ("nats.config.jetstream.fileStore.pvc.size", "lots"),
    ("gateway.settings.HARMONIC_JWT_SECRET", "x" * 32),
    ("settings.harmonic", "x"),
    ("ingress.host", "Live Example"),
    ("ingress.host", ""),
    ("httpRoute.parentRefs", "public"),
    ("gateway.stopTimeoutSeconds", 2),
    ("gateway.drainStaggerSeconds", 44),
    ("music.autoscaling.minReplicas", 30),
    ("gateway.service.type", "Cluster"),
    ("monitoring.rules.runbookUrl", "ftp://wiki"),
    ("gateway.resources.limits.cpus", "1"),
)
#: What the message names where it is another value than the wrong one.
NAMED = {
    "gateway.drainStaggerSeconds": "gateway.stopTimeoutSeconds",
    "gateway.settings.HARMONIC_JWT_SECRET": "settings.HARMONIC_JWT_SECRET",
}

Manifest = dict[str, Any]


def render(chart: Path, values: Mapping[str, Any]) -> dict[str, str]:
    """The rendered templates, by their paths. A chart is loaded anew for each: rendering alters it."""
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


def named(thing: Manifest) -> str:
    """What a message calls an object."""
    return f"{thing['kind']} {thing['metadata']['name']}"


def pods(objects: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """The pods' templates, with what makes them."""
    for thing in objects:
        if thing["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
            yield thing, thing["spec"]["template"]
        elif thing["kind"] == "Pod":
            yield thing, thing


def selected(selector: Mapping[str, str], objects: list[Manifest]) -> list[Manifest]:
    """The pods that carry all labels of a selector."""
    return [
        pod
        for _, pod in pods(objects)
        if selector.items() <= pod["metadata"].get("labels", {}).items()
    ]


def ports(pod: Manifest) -> set[Any]:
    """The ports of a pod's containers, by name and number."""
    return {
        value
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
        for value in (port.get("name"), port["containerPort"])
    }


def dangling(objects: list[Manifest], by_reference: set[str]) -> Iterator[str]:
    """References of one object to another, a port or a key that is not there.

    ``by_reference`` are the names of secrets that the installation must have.
    """
    by_kind: dict[str, dict[str, Manifest]] = {}
    for thing in objects:
        by_kind.setdefault(thing["kind"], {})[thing["metadata"]["name"]] = thing
    secrets = set(by_kind.get("Secret", {})) | by_reference
    secrets |= {c["spec"]["secretName"] for c in by_kind.get("Certificate", {}).values()}
    for thing in objects:
        for problem in _dangling(thing, objects, by_kind, secrets):
            yield f"{named(thing)}: {problem}"


def _dangling(
    thing: Manifest,
    objects: list[Manifest],
    by_kind: dict[str, dict[str, Manifest]],
    secrets: set[str],
) -> Iterator[str]:
    spec = thing.get("spec", {})
    services = by_kind.get("Service", {})
    match thing["kind"]:
        case "Service":
            chosen = selected(spec["selector"], objects)
            if not chosen:
                yield f"selects no pod: {spec['selector']}"
            for port in spec["ports"]:
                wanted = port.get("targetPort", port["port"])
                if not all(wanted in ports(pod) for pod in chosen):
                    yield f"no pod has the port {wanted}"
        case "PodDisruptionBudget" if not selected(spec["selector"]["matchLabels"], objects):
            yield "selects no pod"
        case "NetworkPolicy":
            chosen = selected(spec["podSelector"].get("matchLabels", {}), objects)
            if not chosen:
                yield "selects no pod"
            for rule in spec.get("ingress", []):
                for port in rule.get("ports", []):
                    if not any(port["port"] in ports(pod) for pod in chosen):
                        yield f"no pod has the port {port['port']}"
        case "HorizontalPodAutoscaler" | "ScaledObject":
            if spec["scaleTargetRef"]["name"] not in by_kind.get("Deployment", {}):
                yield f"scales no deployment: {spec['scaleTargetRef']['name']}"
        case "Ingress":
            for rule in spec["rules"]:
                for path in rule["http"]["paths"]:
                    backend = path["backend"]["service"]
                    yield from _backend(services, backend["name"], backend["port"]["name"])
        case "HTTPRoute":
            for rule in spec["rules"]:
                for backend in rule["backendRefs"]:
                    yield from _backend(services, backend["name"], backend["port"])
        case "ServiceMonitor":
            labels = spec["selector"]["matchLabels"].items()
            found = [s for s in services.values() if labels <= s["metadata"]["labels"].items()]
            if not found:
                yield "selects no service"
            for endpoint in spec["endpoints"]:
                for service in found:
                    yield from _backend(
                        services, service["metadata"]["name"], endpoint["port"]
                    )
        case "Deployment" | "StatefulSet":
            yield from _of_pod(spec["template"]["spec"], by_kind, secrets)
        case _:
            pass


def _backend(services: dict[str, Manifest], name: str, port: Any) -> Iterator[str]:
    if name not in services:
        yield f"there is no service {name}"
    elif not any(port in (p.get("name"), p["port"]) for p in services[name]["spec"]["ports"]):
        yield f"service {name} has no port {port}"


def _of_pod(
    spec: Manifest, by_kind: dict[str, dict[str, Manifest]], secrets: set[str]
) -> Iterator[str]:
    account = spec.get("serviceAccountName")
    if account is not None and account not in by_kind.get("ServiceAccount", {}):
        yield f"there is no service account {account}"
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    for container in spec["containers"]:
        own = {port.get("name") for port in container.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if isinstance(port, str) and port not in own:
                yield f"{container['name']}: {probe} asks a port that is not there: {port}"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes | {
                claim["metadata"]["name"]
                for thing in by_kind.get("StatefulSet", {}).values()
                for claim in thing["spec"].get("volumeClaimTemplates", [])
            }:
                yield f"{container['name']}: there is no volume {mount['name']}"
    for volume in spec.get("volumes", []):
        match volume:
            case {"secret": {"secretName": name, **rest}}:
                if name not in secrets:
                    yield f"there is no secret {name}"
                given = by_kind.get("Secret", {}).get(name, {}).get("stringData")
                for item in rest.get("items", []):
                    if given is not None and item["key"] not in given:
                        yield f"secret {name} has no key {item['key']}"
            case {"configMap": {"name": name}} if name not in by_kind.get("ConfigMap", {}):
                yield f"there is no config map {name}"
            case _:
                pass


def with_value(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of ``values`` with one of them replaced."""
    changed = copy.deepcopy(dict(values))
    inner = changed
    *folders, name = path.split(".")
    for folder in folders:
        inner = inner.setdefault(folder, {})
    inner[name] = value
    return changed


def main() -> int:
    """Check everything, and print what was found."""
    chart, output = Path(sys.argv[1]), Path(sys.argv[2])
    schemas = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    output.mkdir(parents=True, exist_ok=True)
    looked_at = {"shapes": 0, "objects": 0, "wrong values refused": 0}
    faults: list[str] = []
    for example in sorted((chart / "examples").glob("*.yaml")):
        values = yaml.safe_load(example.read_text())
        rendered = render(chart, values)
        if render(chart, values) != rendered:
            faults.append(f"{example.name}: rendered twice, it differs")
        objects = manifests(rendered)
        (output / example.name).write_text(yaml.safe_dump_all(objects, sort_keys=False))
        by_reference = {
            "harmonic-gateway", "live-example", "harmonic-passwords",
            *(f"harmonic-bus-{name}" for name in ("gateway", "state", "music", "broker")),
        }
        if (chart / "charts").exists():
            complaints = [*invalid(objects, schemas), *dangling(objects, by_reference)]
        else:
            complaints = list(invalid(objects, schemas))
        faults += [f"{example.name}: {complaint}" for complaint in complaints]
        looked_at["shapes"] += 1
        looked_at["objects"] += len(objects)
    small = yaml.safe_load((chart / "examples" / "small.yaml").read_text())
    for path, value in WRONG:
        try:
            render(chart, with_value(small, path, value))
        except HelmError as error:
            said = str(error).replace("/", ".")
            parent = path.rpartition(".")[0]
            if NAMED.get(path, path) not in said and f"'.{parent}'" not in said:
                faults.append(f"{path} = {value!r} is refused without its path: {said[-200:]}")
            looked_at["wrong values refused"] += 1
        else:
            faults.append(f"{path} = {value!r} is accepted")
    print(json.dumps({"looked_at": looked_at, "faults": faults}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

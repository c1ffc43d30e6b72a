"""References of one Kubernetes object to another, a port or a key: whether each is there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Manifest = dict[str, Any]


def named(thing: Manifest) -> str:
    """What a message calls an object."""
    return f"{thing['kind']} {thing['metadata']['name']}"


class Cluster:
    """The objects of an installation; ``secrets`` are those that it must have besides."""

    def __init__(self, objects: list[Manifest], secrets: set[str]) -> None:
        self._objects = objects
        self._by_kind: dict[str, dict[str, Manifest]] = {}
        for thing in objects:
            self._by_kind.setdefault(thing["kind"], {})[thing["metadata"]["name"]] = thing
        issued = {c["spec"]["secretName"] for c in self._of("Certificate").values()}
        self._secrets = {*secrets, *self._of("Secret"), *issued}
        self._claims = {
            claim["metadata"]["name"]
            for thing in self._of("StatefulSet").values()
            for claim in thing["spec"].get("volumeClaimTemplates", [])
        }
        self._pods = [
            thing["spec"]["template"]
            for kind in ("Deployment", "StatefulSet")
            for thing in self._of(kind).values()
        ]
        self._pods += self._of("Pod").values()

    def dangling(self) -> list[str]:
        """What refers to something that is not there."""
        checks: Mapping[str, Callable[[Manifest], Iterator[str]]] = {
            "Service": self._service,
            "PodDisruptionBudget": self._budget,
            "NetworkPolicy": self._policy,
            "HorizontalPodAutoscaler": self._scaler,
            "ScaledObject": self._scaler,
            "Ingress": self._ingress,
            "HTTPRoute": self._route,
            "ServiceMonitor": self._monitor,
            "Deployment": self._workload,
            "StatefulSet": self._workload,
            "Pod": self._pod,
        }
        return [
            f"{named(thing)}: {problem}"
            for thing in self._objects
            if thing["kind"] in checks
            for problem in checks[thing["kind"]](thing["spec"])
        ]

    def _of(self, kind: str) -> dict[str, Manifest]:
        return self._by_kind.get(kind, {})

    def _selected(self, selector: Mapping[str, str]) -> list[Manifest]:
        return [
            pod
            for pod in self._pods
            if selector.items() <= pod["metadata"].get("labels", {}).items()
        ]

    def _service(self, spec: Manifest) -> Iterator[str]:
        chosen = self._selected(spec["selector"])
        if not chosen:
            yield f"selects no pod: {spec['selector']}"
        for port in spec["ports"]:
            wanted = port.get("targetPort", port["port"])
            if not all(wanted in _ports(pod) for pod in chosen):
                yield f"no pod has the port {wanted}"

    def _budget(self, spec: Manifest) -> Iterator[str]:
        if not self._selected(spec["selector"]["matchLabels"]):
            yield "selects no pod"

    def _policy(self, spec: Manifest) -> Iterator[str]:
        chosen = self._selected(spec["podSelector"].get("matchLabels", {}))
        if not chosen:
            yield "selects no pod"
        for rule in spec.get("ingress", []):
            for port in rule.get("ports", []):
                if not any(port["port"] in _ports(pod) for pod in chosen):
                    yield f"no pod has the port {port['port']}"

    def _scaler(self, spec: Manifest) -> Iterator[str]:
        if spec["scaleTargetRef"]["name"] not in self._of("Deployment"):
            yield f"scales no deployment: {spec['scaleTargetRef']['name']}"

    def _ingress(self, spec: Manifest) -> Iterator[str]:
        for rule in spec["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                yield from self._backend(backend["name"], backend["port"]["name"])

    def _route(self, spec: Manifest) -> Iterator[str]:
        for rule in spec["rules"]:
            for backend in rule["backendRefs"]:
                yield from self._backend(backend["name"], backend["port"])

    def _monitor(self, spec: Manifest) -> Iterator[str]:
        labels = spec["selector"]["matchLabels"].items()
        found = [
            name
            for name, service in self._of("Service").items()
            if labels <= service["metadata"]["labels"].items()
        ]
        if not found:
            yield "selects no service"
        for endpoint in spec["endpoints"]:
            for name in found:
                yield from self._backend(name, endpoint["port"])

    def _backend(self, name: str, port: object) -> Iterator[str]:
        service = self._of("Service").get(name)
        if service is None:
            yield f"there is no service {name}"
        elif not any(port in (p.get("name"), p["port"]) for p in service["spec"]["ports"]):
            yield f"service {name} has no port {port}"

    def _workload(self, spec: Manifest) -> Iterator[str]:
        yield from self._pod(spec["template"]["spec"])

    def _pod(self, pod: Manifest) -> Iterator[str]:
        account = pod.get("serviceAccountName")
        if account is not None and account not in self._of("ServiceAccount"):
            yield f"there is no service account {account}"
        volumes = {volume["name"] for volume in pod.get("volumes", [])} | self._claims
        for container in pod["containers"]:
            yield from _probes(container)
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{container['name']}: there is no volume {mount['name']}"
        for volume in pod.get("volumes", []):
            yield from self._volume(volume)

    def _volume(self, volume: Manifest) -> Iterator[str]:
        config_map = volume.get("configMap", {}).get("name")
        if config_map is not None and config_map not in self._of("ConfigMap"):
            yield f"there is no config map {config_map}"
        secret = volume.get("secret", {})
        name = secret.get("secretName")
        if name is not None and name not in self._secrets:
            yield f"there is no secret {name}"
        given = self._of("Secret").get(name, {}).get("stringData")
        for item in secret.get("items", []):
            if given is not None and item["key"] not in given:
                yield f"secret {name} has no key {item['key']}"


def _ports(pod: Manifest) -> set[object]:
    """The ports of a pod's containers, by name and number."""
    return {
        value
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
        for value in (port.get("name"), port["containerPort"])
    }


def _probes(container: Manifest) -> Iterator[str]:
    own = {port.get("name") for port in container.get("ports", [])}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port")
        if isinstance(port, str) and port not in own:
            yield f"{container['name']}: {probe} asks a port that is not there: {port}"

"""The brokers of the rendered chart, run as a cluster with what their pods would be given."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from structlog.testing import capture_logs

from harmonic_local.processes import Managed, NotReadyError, free_port
from harmonic_runtime.bus.client import open_bus
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings
from harmonic_state.settings import StateSettings
from harmonic_state.storage import LAYOUT_VERSION, hint, stream_configs
from ladder import templates, tools
from ladder.references import Manifest
from ladder.rungs import Findings
from security.permissions import (
    MAY_PUBLISH,
    MAY_SUBSCRIBE,
    SERVICES,
    due,
    may_publish,
    may_subscribe,
)

#: Seconds that a new cluster may take until a stream is set up.
STREAMS_PATIENCE_S = 20.0
_SHAPE = "small.yaml"
_SERVER = tools.ROOT / ".venv" / "bin" / "nats-server"
_CERTIFICATES = tools.ROOT / "deploy" / "vm" / "certificates"
#: Whom the brokers' certificate is for, as the page on Kubernetes says, and this machine.
_BROKER_NAMES = "harmonic-nats,*.harmonic-nats-headless,127.0.0.1"
_PORT = re.compile(r'"(port|http_port)": (\d+)')


class _Pods:
    """The brokers' stateful set, with what its pods mount put into folders."""

    def __init__(self, objects: Sequence[Manifest], folder: Path) -> None:
        by_name = {(thing["kind"], thing["metadata"]["name"]): thing for thing in objects}
        self._set = by_name["StatefulSet", "harmonic-nats"]
        self._maps = {
            name: thing["data"] for (kind, name), thing in by_name.items() if kind == "ConfigMap"
        }
        self._folder = folder
        self._pod = self._set["spec"]["template"]["spec"]
        self.names = [f"harmonic-nats-{n}" for n in range(self._set["spec"]["replicas"])]
        self.ports = {name: {"port": free_port(), "http_port": free_port()} for name in self.names}
        self._routes = {name: free_port() for name in self.names}
        hosts = "".join(f"127.0.0.1 {name}.harmonic-nats-headless\n" for name in self.names)
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")

    def process(self, name: str, certificate: Mapping[str, Path]) -> Managed:
        """A pod's broker, with the names of its pods known to it."""
        root = self._folder / name
        container = next(c for c in self._pod["containers"] if c["name"] == "nats")
        places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in self._pod["volumes"]}
        for volume, place in places.items():
            target = root / place.removeprefix("/")
            target.mkdir(parents=True)
            self._fill(target, volumes.get(volume, {}), certificate)
        config = root / container["args"][1].removeprefix("/")
        config.write_text(self._placed(config.read_text(), name, root, places.values()))
        variables = {each["name"]: each.get("value", "") for each in container["env"]}
        return Managed(
            name=name,
            command=[
                *("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"'),
                *(str(self._folder / "hosts"), str(_SERVER), "--config", str(config)),
                *("--addr", "127.0.0.1"),
            ],
            environment={**variables, "SERVER_NAME": name},
            output=lambda _name, _line: None,
            sign=lambda line: "Server is ready" in line,
        )

    def _fill(self, target: Path, volume: Manifest, certificate: Mapping[str, Path]) -> None:
        if "configMap" in volume:
            for file, text in self._maps[volume["configMap"]["name"]].items():
                (target / file).write_text(text)
        elif "secret" in volume:
            for key, path in certificate.items():
                shutil.copy(path, target / key)

    def _placed(self, text: str, name: str, root: Path, places: Any) -> str:
        """The configuration with this machine's folders and ports; nothing else is changed."""
        for place in places:
            text = text.replace(f'"{place}', f'"{root}{place}')
        for other, port in self._routes.items():
            text = text.replace(
                f"{other}.harmonic-nats-headless:6222", f"{other}.harmonic-nats-headless:{port}"
            )
        own = {
            "6222": self._routes[name],
            "4222": self.ports[name]["port"],
            "8222": self.ports[name]["http_port"],
        }
        return _PORT.sub(lambda found: f'"{found[1]}": {own[found[2]]}', text)


def check(found: Findings, folder: Path) -> None:
    """Start the rendered brokers, and see that each service may do what it needs and no more."""
    missing = templates.assemble()
    if missing:
        found.missing.append(missing)
        return
    tools.python("ladder.rendering", str(templates.CHART), str(templates.RENDERED))
    objects = list(yaml.safe_load_all((templates.RENDERED / _SHAPE).read_text()))
    certificates = folder / "certificates"
    subprocess.run([_CERTIFICATES, certificates, _BROKER_NAMES], check=True, capture_output=True)
    asyncio.run(_check(found, _Pods(objects, folder), certificates))


async def _check(found: Findings, pods: _Pods, certificates: Path) -> None:
    own = {
        "ca.crt": certificates / "ca.crt",
        "tls.crt": certificates / "broker-harmonic-nats.crt",
        "tls.key": certificates / "broker-harmonic-nats.key",
    }
    processes = [pods.process(name, own) for name in pods.names]
    try:
        await asyncio.gather(*(process.start() for process in processes))
        found.count("brokers of the chart", len(processes))
        url = ",".join(f"tls://127.0.0.1:{ports['port']}" for ports in pods.ports.values())
        await _streams(found, url, certificates)
        for name in SERVICES:
            await _permissions(found, name, url, certificates)
    except NotReadyError as error:
        found.faults.append(f"{error}, with the chart's configuration")
    finally:
        await asyncio.gather(*(process.stop() for process in processes))


async def _streams(found: Findings, url: str, certificates: Path) -> None:
    """Set up all streams, as a state service does that starts."""
    async with open_bus(
        _settings("state", url, certificates),
        name="ladder",
        log=get_log(),
        metrics=Metrics(),
        on_closed=lambda: None,
    ) as bus:
        for config in stream_configs(StateSettings(stream_replicas=3)):
            found.count("streams")
            try:
                await Streams(bus, patience_s=STREAMS_PATIENCE_S).ensure(
                    config, version=LAYOUT_VERSION, hint=hint(config)
                )
            except CannotStart as error:
                found.faults.append(f"{error}, with the chart's configuration")


async def _permissions(found: Findings, name: str, url: str, certificates: Path) -> None:
    """Compare what a service may do, known by its certificate, with what it should."""
    # What is denied is logged, and is most of it.
    with capture_logs():
        await _compare(found, name, _settings(name, url, certificates), Metrics())


def _settings(name: str, url: str, certificates: Path) -> ServiceSettings:
    """The settings of a service that the broker knows by its certificate."""
    return ServiceSettings.model_validate(
        {
            "nats_url": url,
            "nats_inbox_prefix": f"_INBOX.{name}",
            "nats_ca_file": str(certificates / "ca.crt"),
            "nats_cert_file": str(certificates / f"{name}.crt"),
            "nats_key_file": str(certificates / f"{name}.key"),
        }
    )


async def _compare(found: Findings, name: str, settings: ServiceSettings, metrics: Metrics) -> None:
    async with open_bus(
        settings, name="ladder", log=get_log(), metrics=metrics, on_closed=lambda: None
    ) as bus:
        for verb, table, may in (
            ("say", MAY_PUBLISH, may_publish),
            ("hear", MAY_SUBSCRIBE, may_subscribe),
        ):
            allowed = await may(bus, metrics)
            found.count("permissions", len(table))
            found.faults += [
                f"{name}: {subject}: may {'' if subject in allowed else 'not '}{verb} it"
                for subject in sorted(allowed ^ due(table, name))
            ]

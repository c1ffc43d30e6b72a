"""Each secret that a gateway reads has its place in the chart, the VM's files and compose."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.alias_generators import to_camel

from harmonic_gateway.settings import GatewaySettings

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "chart"
#: What only gateways have: the bus's password is every service's.
SECRETS = sorted(name for name in GatewaySettings.model_fields if "secret" in name)


def read(path: Path) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_the_chart_has_a_key_for_each() -> None:
    keys = sorted(f"{to_camel(name)}Key" for name in SECRETS)
    values = read(CHART / "values.yaml")["gateway"]["secret"]
    assert sorted(values.keys() - {"name"}) == keys
    schema = read(CHART / "values.schema.json")["properties"]["gateway"]["properties"]["secret"]
    assert sorted(schema["properties"].keys() - {"name"}) == keys
    readme = (CHART / "README.md").read_text()
    assert all(f"`gateway.secret.{key}`" in readme for key in keys)


def test_services_tokens_are_off_unless_they_are_asked_for() -> None:
    values = read(CHART / "values.yaml")["gateway"]
    assert not values["secret"]["serviceSecretKey"]
    assert not values["settings"]
    unit = (DEPLOY / "vm" / "systemd" / "harmonic-gateway@.service").read_text()
    compose = (DEPLOY / "compose.yaml").read_text()
    assert not any("service-secret" in text or "SERVICE_" in text for text in (unit, compose))


def test_a_drop_in_gives_gateways_on_virtual_machines_the_services_secret() -> None:
    drop_in = (DEPLOY / "vm" / "service-tokens.conf").read_text()
    (credential,) = re.findall(r"^LoadCredential=([\w-]+):(\S+)$", drop_in, re.MULTILINE)
    assert credential == ("service-secret", "/etc/harmonic/secrets/service-secret")
    assert "\nEnvironment=HARMONIC_SERVICE_SECRET_FILE=%d/service-secret\n" in drop_in


def test_a_file_gives_the_gateways_of_compose_the_services_secret() -> None:
    whole, added = read(DEPLOY / "compose.yaml"), read(DEPLOY / "compose" / "service-tokens.yaml")
    gateways = {name for name in whole["services"] if name.startswith("gateway")}
    assert added["services"].keys() == gateways
    for gateway in added["services"].values():
        (secret,) = gateway["secrets"]
        assert gateway["environment"] == {"HARMONIC_SERVICE_SECRET_FILE": f"/run/secrets/{secret}"}
        beside = whole["secrets"]["jwt-secret"]["file"].replace("jwt-secret", secret)
        assert added["secrets"] == {secret: {"file": beside}}

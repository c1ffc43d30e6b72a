"""Where the repositories are that a person has added to Helm."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def file(environment: Mapping[str, str]) -> Path:
    """Helm's own file of them, by its variables or where it is without any."""
    named = environment.get("HELM_REPOSITORY_CONFIG")
    if named:
        return Path(named)
    helm, general = environment.get("HELM_CONFIG_HOME"), environment.get("XDG_CONFIG_HOME")
    if helm:
        return Path(helm) / "repositories.yaml"
    return Path(general or Path.home() / ".config") / "helm" / "repositories.yaml"


def address(alias: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Where the repository is that a chart calls ``@name``, if it was added."""
    path = file(environment)
    if not path.exists():
        return None
    added: list[dict[str, Any]] = yaml.safe_load(path.read_text()).get("repositories") or []
    return next((each["url"] for each in added if f"@{each['name']}" == alias), None)

"""Rung 1: the chart renders in every shape, and refuses what cannot work."""

import os
import shutil
from pathlib import Path

from ladder import tools
from ladder.rungs import Findings

_CHART = tools.ROOT / "deploy" / "chart"
#: The schemas of custom resources, a folder a group.
_SCHEMAS = Path(os.environ.get("CRD_SCHEMAS", tools.ROOT.parent / "shared" / "crd-schemas"))
#: The official chart of the brokers: a folder or an archive, where it is at hand.
_BROKERS = "NATS_CHART"

CHART = tools.CACHE / "chart"
RENDERED = tools.CACHE / "rendered"


def assemble() -> bool:
    """Copy the chart with its links followed; whether its dependency is in it."""
    shutil.rmtree(CHART, ignore_errors=True)
    shutil.copytree(_CHART, CHART)
    brokers = os.environ.get(_BROKERS)
    if brokers is None:
        # As `helm dependency build` leaves it.
        return (CHART / "charts").exists()
    target = CHART / "charts"
    target.mkdir(exist_ok=True)
    if Path(brokers).is_dir():
        shutil.copytree(brokers, target / "nats")
    else:
        shutil.copy(brokers, target)
    return True


def check() -> Findings:
    """Render, validate against each version of Kubernetes, follow references, try wrong values."""
    found = Findings()
    if not assemble():
        found.missing.append(f"the brokers' chart is not at hand: {_BROKERS} names it")
    schemas = [str(_SCHEMAS)] if _SCHEMAS.exists() else []
    if not schemas:
        found.missing.append("the schemas of custom resources are not at hand")
    said = tools.python("ladder.rendering", str(CHART), str(RENDERED), *schemas)
    found.looked_at.update(said["looked_at"])
    found.faults += said["faults"]
    return found

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


def assemble() -> str | None:
    """Copy the chart with its links followed, and its dependency into it; why that is missing.

    It is the one that the variable names, or that `helm dependency build` left in the chart, or
    that is in the repository which was added to Helm under the name in ``Chart.yaml``.
    """
    shutil.rmtree(CHART, ignore_errors=True)
    shutil.copytree(_CHART, CHART)
    target = CHART / "charts"
    brokers = os.environ.get(_BROKERS)
    if brokers is None:
        if any(target.glob("nats*")):
            return None
        said = tools.python("ladder.brokers_chart", str(CHART), str(target))
        if said["archive"]:
            return None
        return f"the brokers' chart is not at hand: {_BROKERS} names none, and {said['reason']}"
    if not Path(brokers).exists():
        return f"{_BROKERS} names {brokers}, which is not there"
    # Else there would be two.
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    if Path(brokers).is_dir():
        shutil.copytree(brokers, target / "nats")
    else:
        shutil.copy(brokers, target)
    return None


def check() -> Findings:
    """Render, validate against each version of Kubernetes, follow references, try wrong values."""
    found = Findings()
    missing = assemble()
    if missing:
        found.missing.append(missing)
    schemas = [str(_SCHEMAS)] if _SCHEMAS.exists() else []
    if not schemas:
        found.missing.append("the schemas of custom resources are not at hand")
    said = tools.python("ladder.rendering", str(CHART), str(RENDERED), *schemas)
    found.looked_at.update(said["looked_at"])
    found.faults += said["faults"]
    return found

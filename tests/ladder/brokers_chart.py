"""Fetches the brokers' chart, as `helm dependency build` does. Run among the ladder's tools.

    python -m ladder.brokers_chart CHART TARGET

The dependency of CHART names its repository by the name under which the user added it; Helm's own
file says where that is. Prints the archive that was put into TARGET, or null, and why: as JSON.
"""

import json
import sys
from pathlib import Path

import yaml
from helm_python import HelmError, pull

from ladder.repositories import address

NAME = "nats"


def fetched(chart: Path, target: Path) -> tuple[Path | None, str]:
    """The chart's archive in ``target``; else nothing, and why."""
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    wanted = next(each for each in metadata["dependencies"] if each["name"] == NAME)
    url = address(wanted["repository"])
    if url is None:
        return None, f"no repository {wanted['repository']} was added to Helm"
    try:
        pull(NAME, repo_url=url, version=wanted["version"], destination=target)
    except HelmError as error:
        return None, f"Helm could not fetch it: {str(error)[:200]}"
    return next(target.glob(f"{NAME}-*.tgz")), ""


def main() -> int:
    """Fetch it, and write what came of it to standard output."""
    chart, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    archive, reason = fetched(chart, target)
    sys.stdout.write(json.dumps({"archive": archive and str(archive), "reason": reason}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

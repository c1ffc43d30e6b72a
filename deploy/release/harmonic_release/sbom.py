"""Lists what is in an image, and compares the list with the lock."""

import json
import os
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harmonic_release.images import ROOT, run

#: Where an image has its packages.
PACKAGES = "opt/harmonic"
_OWN = "harmonic-"
#: What the lock's conditions are asked of: Debian 12's Python.
_IMAGE = {
    "python_version": "3.11",
    "python_full_version": "3.11.2",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "os_name": "posix",
}


def write(syft: Path, root: Path, target: Path, name: str, version: str) -> None:
    """Write the CycloneDX list of the packages in an image's root file system."""
    os.environ["SYFT_CHECK_FOR_APP_UPDATE"] = "false"
    said = run(
        *(syft, "scan", f"dir:{root}", "--quiet", "--output", "cyclonedx-json"),
        *("--source-name", name, "--source-version", version),
    )
    target.write_text(json.dumps(json.loads(said), indent=1, sort_keys=True))


def listed(bill: Path) -> set[tuple[str, str]]:
    """The Python packages of a list, by name and version; the project's own left out."""
    return {
        (str(canonicalize_name(part["name"])), part["version"])
        for part in json.loads(bill.read_text()).get("components", [])
        if part.get("purl", "").startswith("pkg:pypi/") and not part["name"].startswith(_OWN)
    }


def locked(service: str) -> set[tuple[str, str]]:
    """The packages that a service's lock has for an image."""
    path = ROOT / "deploy" / "images" / f"requirements-{service}.txt"
    found = set()
    for line in path.read_text().replace("\\\n", " ").splitlines():
        requirement = Requirement(line.partition(" --hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(_IMAGE):
            (version,) = (each.version for each in requirement.specifier)
            found.add((str(canonicalize_name(requirement.name)), version))
    return found

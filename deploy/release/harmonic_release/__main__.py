"""``python -m harmonic_release``: make a release of the committed tree, or say why it is none."""

import argparse
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

from harmonic_release import deciding, parts, sbom
from harmonic_release.images import IMAGES, ROOT, Builder, BuiltVersion, NotBuilt, run

_CACHE = ROOT / ".cache" / "release"
_SYFT = ROOT / ".cache" / "ladder" / "venv" / "bin" / "syft"
_CHART_VERSION = re.compile(r'^(?:version|appVersion): "?([^"\n]+)"?$', re.MULTILINE)


def _versions() -> dict[str, str]:
    """What each distribution, each of npm's packages and the chart say that their version is."""
    found = {
        f"{folder}/pyproject.toml": tomllib.loads((ROOT / folder / "pyproject.toml").read_text())[
            "project"
        ]["version"]
        for folder in parts.DISTRIBUTIONS
    }
    for path in (f"{folder}/package.json" for folder in parts.PACKAGES):
        found[path] = json.loads((ROOT / path).read_text())["version"]
    own, app = _CHART_VERSION.findall((parts.CHART / "Chart.yaml").read_text())[:2]
    return {**found, "Chart.yaml version": own, "Chart.yaml appVersion": app}


def _candidate() -> deciding.Candidate:
    last = deciding.last((ROOT / "deploy" / "releases.toml").read_text())
    changed = run("git", "diff", "--name-only", last.commit, "HEAD", "--", "shared/contract")
    return deciding.Candidate(
        versions=_versions(),
        changelog=(ROOT / "CHANGELOG.md").read_text(),
        last=last,
        contract_changed=bool(changed.strip()),
        clean=not run("git", "status", "--porcelain").strip(),
    )


def _brokers(given: str | None) -> Path:
    """The brokers' chart: as given, or as `helm dependency build` leaves it."""
    if given:
        return Path(given)
    found = sorted((parts.CHART / "charts").glob("nats*"))
    if not found:
        raise NotBuilt("The brokers' chart is missing: run `helm dependency build deploy/chart`.")
    return found[0]


def _make(candidate: deciding.Candidate, arguments: argparse.Namespace) -> Path:
    """Build all parts, sum them up and sign them; the version's folder is there whole or not."""
    parts.check_key(arguments.key)
    version = next(iter(candidate.versions.values()))
    release = BuiltVersion(version, run("git", "rev-parse", "HEAD").strip())
    made = Path(arguments.out) / version
    if made.exists():
        raise NotBuilt(f"{made} is there already.")
    target = made.with_name(f".{version}.new")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    parts.chart(target, version, _brokers(arguments.brokers))
    parts.wheels(target, int(run("git", "show", "-s", "--format=%ct", "HEAD")))
    parts.packages(target)
    builder = Builder(_CACHE, debian=arguments.debian)
    builder.prepare()
    for service in IMAGES:
        name = builder.build(service, release)
        builder.save(name, target / f"harmonic-{service}-{version}.tar")
        with builder.mounted(name) as root:
            bill = target / f"harmonic-{service}-{version}.cdx.json"
            sbom.write(_SYFT, root / sbom.PACKAGES, bill, f"harmonic-{service}", version)
    notes = deciding.notes(candidate.changelog, version, candidate.last.version)
    (target / "UPGRADING.md").write_text(notes)
    parts.sums(target)
    parts.sign(target, Path(arguments.key))
    return target.rename(made)


def main() -> int:
    """Make the release; the exit status."""
    parser = argparse.ArgumentParser(prog="make release")
    parser.add_argument("--key", required=True, help="an Ed25519 private key, PEM")
    parser.add_argument("--out", default=str(ROOT / "dist"))
    parser.add_argument("--brokers", help="the brokers' chart, a folder or an archive")
    parser.add_argument("--debian", action="store_true", help="make the base of Debian's packages")
    arguments = parser.parse_args()
    try:
        candidate = _candidate()
        reasons = deciding.refusals(candidate)
        if reasons:
            print("No release:", *reasons, sep="\n  ", file=sys.stderr)
            return 1
        target = _make(candidate, arguments)
    except NotBuilt as error:
        print(f"No release: {error}", file=sys.stderr)
        return 1
    print(f"Released into {target}. Its entry for deploy/releases.toml:\n\n[[release]]")
    print(f'version = "{target.name}"\ncommit = "{run("git", "rev-parse", "HEAD").strip()}"')
    return 0


if __name__ == "__main__":
    sys.exit(main())

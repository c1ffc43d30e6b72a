"""The parts of a release beside images: packages, the chart's archive, checksums, the signature."""

import asyncio
import gzip
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from harmonic_local.node import InstallError, pack
from harmonic_release.images import ROOT, NotBuilt, run

#: The folders of the distributions.
DISTRIBUTIONS = (
    *("shared", "gateway", "state-service", "music-service", "deploy/operator"),
    *("shared/client-python", "shared/test-kit-python"),
)
#: The folders of npm's packages.
PACKAGES = ("shared/client-ts", "shared/test-kit-ts")
CHART = ROOT / "deploy" / "chart"
SUMS = "SHA256SUMS"
SIGNATURE = f"{SUMS}.sig"


def wheels(target: Path, written_at_s: int) -> None:
    """Build a wheel of each distribution. The same commit gives the same bytes."""
    os.environ["SOURCE_DATE_EPOCH"] = str(written_at_s)
    run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-build-isolation", "--wheel-dir", target),
        *(f"./{folder}" for folder in DISTRIBUTIONS),
    )


def packages(target: Path) -> None:
    """Build an archive of each of npm's packages."""
    try:
        for folder in PACKAGES:
            asyncio.run(pack(ROOT / folder, target))
    except InstallError as error:
        raise NotBuilt(str(error)) from error


def chart(target: Path, version: str, brokers: Path) -> Path:
    """Pack the chart, with links followed and the brokers' chart in it, as Helm does.

    ``brokers`` is a folder or an archive.
    """
    files = {path.relative_to(CHART): path for path in _committed(_files(CHART))}
    if brokers.is_dir():
        inside = Path("charts") / "nats"
        files |= {inside / path.relative_to(brokers): path for path in _files(brokers)}
    else:
        files[Path("charts") / brokers.name] = brokers
    archive = target / f"harmonic-universe-{version}.tgz"
    # No times: the same files give the same bytes.
    with (
        gzip.GzipFile(archive, "wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, path in sorted(files.items()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"harmonic-universe/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive


def _files(folder: Path) -> list[Path]:
    # Links lead to folders as well: rules and dashboards are kept beside the chart.
    return [
        Path(place) / name
        for place, _folders, names in os.walk(folder, followlinks=True)
        for name in names
    ]


def _committed(paths: Sequence[Path]) -> list[Path]:
    """Those that git has: what it ignores makes no tree dirty, and belongs to no release."""
    known = {ROOT / name for name in run("git", "ls-files", "-z").split("\0")}
    return [path for path in paths if path.resolve() in known]


def sums(folder: Path) -> None:
    """Write the SHA-256 of every other file in ``folder``, as `sha256sum --check` reads it."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name not in {SUMS, SIGNATURE}
    ]
    (folder / SUMS).write_text("".join(lines))


def check_key(key: str) -> None:
    """Raise :class:`NotBuilt` unless that is the file of an Ed25519 private key."""
    said = run("openssl", "pkey", "-in", key, "-noout", "-text") if key else ""
    if not said.startswith("ED25519 Private-Key"):
        raise NotBuilt(
            f"{key or 'no file'} is no Ed25519 private key: see deploy/docs/releasing.md."
        )


def sign(folder: Path, key: Path) -> None:
    """Sign the checksums with an Ed25519 key, so that `openssl pkeyutl -verify` can tell."""
    run(
        *("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key),
        *("-in", folder / SUMS, "-out", folder / SIGNATURE),
    )

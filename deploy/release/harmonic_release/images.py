"""Builds the images with buildah, which needs no daemon, from wheels fetched beforehand by hash."""

import hashlib
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: The images, each a target of the Dockerfile.
IMAGES = ("gateway", "state", "music", "operator")
_IMAGES = ROOT / "deploy" / "images"
#: The name of a base that was made here.
_BASE = "localhost/harmonic-base"
_DEBIAN = "bookworm"
#: Where the build finds wheels. Nothing else is asked for them.
_PIP = "[global]\nno-index = true\nfind-links = /wheelhouse\n"


#: What Debian 12 on amd64 can run.
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")


#: Packages of a stage are not written to the disk one by one.
_HASTY = ("--dpkgopt=force-unsafe-io",)


class NotBuilt(Exception):
    """A tool of the build failed; its last lines say why."""


@dataclass(frozen=True)
class BuiltVersion:
    """What is built: its version, and the commit it is built from."""

    version: str
    revision: str


def run(*command: str | Path) -> str:
    """A command's standard output; raise :class:`NotBuilt` if it fails."""
    done = subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise NotBuilt(f"{command[0]} failed:\n{last}")
    return done.stdout


class Builder:
    """Images in a ``store`` of their own in ``folder``, where wheels and the base are kept.

    With ``debian``, the base is made of Debian's packages, for where no registry can be reached;
    otherwise it is the one that the Dockerfile names by its digest.
    """

    def __init__(self, folder: Path, *, store: str = "store", debian: bool = False) -> None:
        self._folder = folder
        self._debian = debian
        self._wheels = folder / "wheels"
        self._store = folder / store
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pip.conf").write_text(_PIP)

    def prepare(self) -> None:
        """Fetch the wheels of the lock, and make the base if it is made here.

        What the store held is removed: every step is taken anew, once.
        """
        self._buildah("rm", "--all")
        self._buildah("rmi", "--all", "--force")
        for name in (*IMAGES, "build"):
            self._fetch(_IMAGES / f"requirements-{name}.txt")
        if self._debian:
            archive = self._folder / "base.tar"
            if not archive.exists():
                made = archive.with_suffix(".new.tar")
                run("mmdebstrap", "--variant=minbase", "--quiet", *_HASTY, _DEBIAN, made)
                made.rename(archive)
            container = self._buildah("from", "scratch").strip()
            self._buildah("add", "--quiet", container, archive, "/")
            self._buildah("commit", "--quiet", "--rm", "--timestamp", "0", container, _BASE)

    def _fetch(self, lock: Path) -> None:
        """Fetch the wheels of a lock, unless they are there as pinned."""
        fetched = self._wheels / lock.name
        if fetched.exists() and fetched.read_text() == lock.read_text():
            return
        run(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"),
            *("--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"),
            *("--python-version", "3.11", "--implementation", "cp"),
            *(f"--abi={abi}" for abi in ("cp311", "abi3", "none")),
            *(f"--platform={platform}" for platform in _PLATFORMS),
            *("--dest", self._wheels, "--requirement", lock),
        )
        shutil.copy(lock, fetched)

    def build(self, service: str, release: BuiltVersion) -> str:
        """Build a service's image; its name. Steps that images share are taken once."""
        name = f"localhost/harmonic-{service}:{release.version}"
        base = ("--pull-never", "--from", _BASE) if self._debian else ()
        self._buildah(
            *("build", "--quiet", "--format", "docker", "--isolation", "chroot"),
            "--layers",
            # Times of files and of the image are part of its digest.
            *("--timestamp", "0"),
            *base,
            *("--build-arg", f"VERSION={release.version}"),
            *("--build-arg", f"REVISION={release.revision}"),
            *("--volume", f"{self._wheels}:/wheelhouse:ro"),
            *("--volume", f"{self._folder / 'pip.conf'}:/etc/pip.conf:ro"),
            *("--file", _IMAGES / "Dockerfile"),
            *("--ignorefile", _IMAGES / "Dockerfile.dockerignore"),
            *("--target", service, "--tag", name, ROOT),
        )
        return name

    def save(self, name: str, archive: Path) -> None:
        """Write an image to an archive that `docker load` takes."""
        archive.unlink(missing_ok=True)
        self._buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")

    @contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        """An image's root file system, while the block runs."""
        container = self._buildah("from", "--pull-never", name).strip()
        try:
            yield Path(self._buildah("mount", container).strip())
        finally:
            self._buildah("rm", container)

    def _buildah(self, command: str, *arguments: str | Path) -> str:
        driver = "overlay" if shares_layers(self._folder) else "vfs"
        options = (
            *("--root", self._store, "--runroot", f"{self._store}-run"),
            *("--storage-driver", driver),
        )
        return run("buildah", *options, command, *arguments)


def shares_layers(folder: Path) -> bool:
    """Whether layers in ``folder`` can share files: not on a file system that is made of layers."""
    return run("stat", "--file-system", "--format=%T", folder).strip() != "overlayfs"


def digests(root: Path) -> dict[str, str]:
    """What each file below ``root`` is: mode, owner, and its content's SHA-256 or its target."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = ""
        owner = f"{status.st_uid}:{status.st_gid}"
        found[str(path.relative_to(root))] = f"{status.st_mode:o} {owner} {content}"
    return found


def size(root: Path) -> int:
    """What the files below ``root`` take, in bytes; each once, however many names it has."""
    files = {
        (status.st_dev, status.st_ino): status.st_size
        for path in root.rglob("*")
        if stat.S_ISREG((status := path.lstat()).st_mode)
    }
    return sum(files.values())

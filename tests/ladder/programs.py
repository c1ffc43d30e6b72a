"""Debian's programs that rungs run, and how they come onto this machine."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ladder import tools

#: Debian's programs for root are outside of everybody's path.
_SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
#: No service of a package is started: rungs run their own, in folders and machines of their own.
_QUIETLY = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1", "SYSTEMD_OFFLINE": "1"}
#: How long somebody else may be installing.
_LOCK_S = 120
_LOG = tools.CACHE / "apt.log"


@dataclass(frozen=True)
class Program:
    """A program, and the package that has it."""

    name: str
    package: str

    @property
    def path(self) -> str | None:
        """Where it is installed, if it is."""
        return shutil.which(self.name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


def absent(programs: Iterable[Program]) -> list[Program]:
    """Those that are not installed."""
    return [each for each in programs if each.path is None]


def install(programs: Iterable[Program]) -> None:
    """Install what is absent, where apt can; what it said is in ``apt.log`` of the cache.

    Each is installed by itself: what cannot be had keeps nothing else away.
    """
    wanted = absent(programs)
    if not wanted or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    _apt("update")
    for each in wanted:
        # The package of an earlier one may have had it.
        if each.path is None:
            _apt("install", "--yes", "--no-install-recommends", each.package)


def why_absent(programs: Iterable[Program]) -> Iterator[str]:
    """What is absent, and why it could not be installed."""
    for each in absent(programs):
        if os.geteuid() != 0:
            reason = "only root may install it"
        elif shutil.which("apt-get") is None:
            reason = "there is no apt-get"
        else:
            reason = f"apt could not install {each.package}, see {_LOG.relative_to(tools.ROOT)}"
        yield f"{each.name} is not installed: {reason}"


def _apt(*arguments: str) -> None:
    _LOG.parent.mkdir(parents=True, exist_ok=True)
    with _LOG.open("a") as log:
        subprocess.run(
            ["apt-get", "--option", f"DPkg::Lock::Timeout={_LOCK_S}", *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **_QUIETLY},
        )

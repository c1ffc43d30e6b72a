"""Certificates and secrets that are replaced in their files while a process runs.

A rotation replaces files, and nothing is restarted: Kubernetes swaps a symbolic link to
the folder of a mounted secret, tools for certificates rename a file into its place.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics

#: How often the files are looked at.
LOOK_INTERVAL_S = 2.0

_State = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class RotatedFiles:
    """Files that belong together, and what reloads them.

    ``reload`` raises ``OSError`` or ``ValueError`` where they cannot be used, as a certificate
    whose key has not been replaced yet; what was in use before stays, and it is tried again.
    ``ends`` tells of certificates among them when they end, in Unix time, by what they are for.
    """

    name: str
    paths: Sequence[Path]
    reload: Callable[[], None]
    ends: Mapping[str, Callable[[], float]] = field(default_factory=dict)

    def state(self) -> _State:
        """What tells the files apart from those that replace them."""
        return tuple(map(_state_of, self.paths))


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


async def keep_rotating(
    files: Sequence[RotatedFiles], *, metrics: Metrics, log: BoundLogger
) -> None:
    """Reload files when they were replaced, for ever."""
    outcomes = metrics.counters(table.FILE_ROTATIONS)
    ends = metrics.gauges(table.CERTIFICATE_NOT_AFTER)

    def show_ends(files: RotatedFiles) -> None:
        for certificate, read in files.ends.items():
            ends.of(certificate).set(read())

    for each in files:
        # Read a moment ago: a file that is gone by now is told of when it is looked at.
        with suppress(OSError, ValueError):
            show_ends(each)
    used = [each.state() for each in files]
    failed: list[_State | None] = [None] * len(files)
    while True:
        await asyncio.sleep(LOOK_INTERVAL_S)
        for index, each in enumerate(files):
            state = each.state()
            if state == used[index]:
                continue
            try:
                each.reload()
                show_ends(each)
            except (OSError, ValueError) as error:
                if state != failed[index]:
                    failed[index] = state
                    outcomes.of("failed").inc()
                    reason = type(error).__name__
                    log.warning("file_not_rotated", files=each.name, reason=reason)
                continue
            used[index] = state
            outcomes.of("rotated").inc()
            log.info("file_rotated", files=each.name)

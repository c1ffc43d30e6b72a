"""``harmonic backup`` and ``harmonic restore``: all stored data of a product, in a folder.

The manifest is written last and names every file with its size and its hash. A folder without it,
or with a file that differs from it, is not a backup.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from harmonic_operator.archives import Archived, archive, unarchive
from harmonic_operator.brokers import without_room
from harmonic_operator.connection import NotDone, load_quietly, run
from harmonic_operator.monitoring import broker_stores
from harmonic_operator.output import console, errors, size, write_json
from harmonic_operator.settings import OperatorSettings
from harmonic_operator.streams import LOGS, stream_states
from harmonic_protocol import subjects
from harmonic_protocol.operating import Restored
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import Timestamp
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.process.clock import SystemClock, timestamp

MANIFEST = "manifest.json"
#: The version of the folder's format; raised when an earlier `restore` could not read it.
FORMAT = 2
READ_BYTES = 1024 * 1024
STORE_TIMEOUT_S = 5.0
#: Seconds that brokers that have just started may take to elect their leaders.
READY_TIMEOUT_S = 20.0
READY_PAUSE_S = 0.25
#: In this order, so that no log ends before a position that other streams refer to: a snapshot's
#: log has reached its position. Listings, quotas, notes and sessions are repaired if they are
#: ahead.
SAVED = (
    subjects.OPERATOR_STREAM,
    subjects.SNAPSHOT_STREAM,
    *LOGS,
    subjects.INDEX_STREAM,
    subjects.OWNED_STREAM,
    subjects.NOTES_STREAM,
    subjects.SESSIONS_STREAM,
    subjects.REVOCATIONS_STREAM,
    subjects.AUDIT_STREAM,
)
#: Format 1, of the version before, has none of these; it is used if they do not exist.
NEWER = frozenset({subjects.AUDIT_STREAM})
FORMER = 1


class SavedStream(ServiceModel):
    """A stream's file: its name in the folder, and its expected content."""

    stream: str
    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    bytes: int
    sha256: str
    config: dict[str, Any]
    state: dict[str, Any]


class Manifest(ServiceModel):
    """The content of a backup."""

    format: int
    at: Timestamp
    streams: tuple[SavedStream, ...]


async def backup(bus: Bus, folder: Path, *, as_json: bool) -> None:
    """Save all streams into an empty folder, while the product runs."""
    _prepare(folder)
    expected = {each.name: each for each in await stream_states(bus)}
    there = [name for name in SAVED if not (name in NEWER and expected[name].is_absent)]
    missing = [name for name in there if expected[name].problem is not None]
    if missing:
        raise NotDone(f"There is nothing to save, or not all of it: {', '.join(missing)}.")
    saved: list[SavedStream] = []
    with _progress("Saving", sum(expected[name].bytes for name in there)) as advance:
        for name in there:
            file = f"{name}.stream"
            archived = await archive(bus, name, folder / file, advance)
            saved.append(_entry(name, file, archived))
    written = FORMAT if set(there) >= NEWER else FORMER
    manifest = Manifest(format=written, at=timestamp(SystemClock().now()), streams=tuple(saved))
    await asyncio.to_thread(_write_whole, folder / MANIFEST, manifest.to_json())
    _report("Saved", folder, manifest, as_json=as_json)


def run_restore(folder: Path, replicas: int | None, *, as_json: bool) -> None:
    """Run `harmonic restore`, and end with its exit status."""
    settings = load_quietly()
    run(lambda bus: restore(bus, settings, folder, replicas=replicas, as_json=as_json), settings)


async def restore(
    bus: Bus, settings: OperatorSettings, folder: Path, *, replicas: int | None, as_json: bool
) -> None:
    """Restore a backup into brokers that have none of its streams.

    First the whole backup is verified, and that there is space for it. Universes continue from what
    was saved. More may have been stored and seen after the backup, so clients are not sent the new
    records as a continuation of those.
    """
    manifest = await asyncio.to_thread(verified, folder)
    await _until_empty(bus)
    await _have_room(settings, manifest)
    with _progress("Restoring", sum(each.bytes for each in manifest.streams)) as advance:
        for each in manifest.streams:
            copies = {} if replicas is None else {"num_replicas": replicas}
            await unarchive(
                bus,
                each.stream,
                folder / each.file,
                config={**each.config, **copies},
                state=each.state,
                advance=advance,
            )
            if each.stream == subjects.OPERATOR_STREAM:
                # Before any log is restored that could be taken for a complete one.
                await _mark(bus, manifest)
    _report("Restored", folder, manifest, as_json=as_json)
    if not as_json:
        console.print("Start the services now.")


async def _until_empty(bus: Bus) -> None:
    """Return once the brokers say that they have none of the streams.

    Raise :class:`NotDone` if they have some, or do not answer in time.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + READY_TIMEOUT_S
    while True:
        found = [each for each in await stream_states(bus) if each.name in SAVED]
        if all(each.is_absent for each in found):
            return
        present = [each.name for each in found if each.problem is None]
        if present:
            raise NotDone(
                f"The brokers have {', '.join(present)} already; nothing was changed. Restore into"
                " brokers without data, before any service of the product runs. Were all brokers"
                " stopped before the first was started again? One that runs hands its streams to"
                " those that were emptied."
            )
        if loop.time() > ends_at:
            unclear = next(each for each in found if not each.is_absent)
            raise NotDone(f"The stream {unclear.name} {unclear.problem}; nothing was changed.")
        await asyncio.sleep(READY_PAUSE_S)


async def _have_room(settings: OperatorSettings, manifest: Manifest) -> None:
    """Raise :class:`NotDone` if a broker lacks the disk space that the streams reserve."""
    wanted = sum(max(0, int(each.config.get("max_bytes", -1))) for each in manifest.streams)
    lacking = list(without_room(await broker_stores(settings), wanted))
    if lacking:
        raise NotDone(
            f"The streams reserve {size(wanted)}: {'; '.join(lacking)}. Nothing was changed."
        )


async def _mark(bus: Bus, manifest: Manifest) -> None:
    ends = {
        each.stream: int(each.state["last_seq"]) for each in manifest.streams if each.stream in LOGS
    }
    restored = Restored(ends=ends, at=timestamp(SystemClock().now()))
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + READY_TIMEOUT_S
    while True:
        try:
            await Streams(bus).append(
                subjects.RESTORED_SUBJECT, restored.to_json(), timeout_s=STORE_TIMEOUT_S
            )
        except BusUnavailable:
            # The copies of the stream have not elected their leader yet.
            if loop.time() > ends_at:
                raise
            await asyncio.sleep(READY_PAUSE_S)
        else:
            return


def verified(folder: Path) -> Manifest:
    """A backup's manifest, once every file was found to match it.

    Raise :class:`NotDone` for a folder that is no complete backup.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise NotDone(
            f"{folder} holds no whole backup: {MANIFEST} cannot be read ({error.strerror})."
        ) from error
    except ValidationError as error:
        raise NotDone(f"{folder / MANIFEST} is no manifest of a backup.") from error
    if manifest.format not in {FORMER, FORMAT}:
        raise NotDone(
            f"{folder} has format {manifest.format}; this version reads {FORMER} and {FORMAT}."
        )
    expected = set(SAVED) - (NEWER if manifest.format == FORMER else set())
    absent = expected - {each.stream for each in manifest.streams}
    if absent:
        raise NotDone(f"{folder} lacks {', '.join(sorted(absent))}.")
    for each in manifest.streams:
        _verify(folder / each.file, each)
    return manifest


def _verify(path: Path, saved: SavedStream) -> None:
    digest = hashlib.sha256()
    try:
        found = path.stat().st_size
        if found != saved.bytes:
            raise NotDone(f"{path} has {found} bytes instead of {saved.bytes}.")
        with path.open("rb") as file:
            while part := file.read(READ_BYTES):
                digest.update(part)
    except OSError as error:
        raise NotDone(f"{path} cannot be read ({error.strerror}).") from error
    if digest.hexdigest() != saved.sha256:
        raise NotDone(f"{path} is not what was saved: its hash is another one.")


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_used = any(folder.iterdir())
    except OSError as error:
        raise NotDone(f"{folder} cannot be used ({error.strerror}).") from error
    if is_used:
        raise NotDone(f"{folder} is not empty; nothing was saved.")


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.rename(path)


def _entry(name: str, file: str, archived: Archived) -> SavedStream:
    return SavedStream(
        stream=name,
        file=file,
        bytes=archived.bytes,
        sha256=archived.sha256,
        config=dict(archived.config),
        state=dict(archived.state),
    )


def _report(what: str, folder: Path, manifest: Manifest, *, as_json: bool) -> None:
    total = sum(each.bytes for each in manifest.streams)
    if as_json:
        counts = {each.stream: each.state["messages"] for each in manifest.streams}
        write_json({"folder": str(folder), "at": manifest.at, "bytes": total, "messages": counts})
        return
    console.print(
        f"{what} {len(manifest.streams)} streams, {size(total)}, as of {manifest.at}: {folder}"
    )


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar of bytes on standard error, if that is a terminal."""
    columns: Sequence[Any] = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)

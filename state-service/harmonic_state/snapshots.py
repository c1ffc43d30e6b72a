"""How a universe is stored: as JSON with all texts, or packed, with operations as hashes.

Both forms are read. Replicas of the version before read only the first one, so the packed one is
written once an operator says that no such replica runs. In both, a field that a newer version added
is ignored.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from pydantic import TypeAdapter

from harmonic_runtime.bus.streams import Stored
from harmonic_state.domain.bounds import seats_bytes
from harmonic_state.domain.operations import operation_key, stored_bytes
from harmonic_state.domain.universe import AppliedOperation, Universe
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.skipping import SkippedMessages

#: Compression level: fast, and enough for JSON.
_COMPRESSION = 1
_BEGIN_OF_JSON = b"{"
#: The first bytes of a packed snapshot, before the compressed part: how many bytes of JSON follow.
_LENGTH = struct.Struct(">I")
#: An operation: its key, the start of its digest, its number, its time in Unix milliseconds.
_OPERATION = struct.Struct(">12s8sQQ")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A universe as of a position of its log, and the id of the record there, if it is known.

    ``marks`` are as in ``Coverage``.
    """

    position: int
    universe: Universe
    marks: tuple[int, ...] = ()
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class _Listed:
    """The first form's list of operations."""

    operations: tuple[AppliedOperation, ...] = ()


_UNIVERSE = TypeAdapter(Universe)
_LISTED = TypeAdapter(_Listed)


def encode_snapshot(snapshot: Snapshot, *, packed: bool) -> bytes:
    """A snapshot's bytes, in one of the two forms."""
    universe = snapshot.universe
    bare = replace(universe, operations={}, operations_bytes=0, seats_bytes=0)
    stored: dict[str, Any] = {
        "position": snapshot.position,
        "marks": snapshot.marks,
        "universe": _UNIVERSE.dump_python(bare, mode="json"),
        "record": snapshot.record_id,
    }
    if packed:
        operations = b"".join(_pack(key, each) for key, each in universe.operations.items())
        text = _json(stored)
        return zlib.compress(_LENGTH.pack(len(text)) + text + operations, _COMPRESSION)
    # An operation that is known only by its hash cannot be stored in this form.
    known = tuple(each for each in universe.operations.values() if each.op_id)
    stored["universe"] |= _LISTED.dump_python(_Listed(known), mode="json")
    return _json(stored)


def read_snapshot(stored: Stored, skipped: SkippedMessages) -> Loaded:
    """The universe of a stored snapshot.

    A snapshot that is skipped counts as none; the next one replaces it.
    """
    nothing = Loaded(None, 0, Coverage(stored.sequence))
    if not stored.is_placed:
        skipped.foreign("snapshot", stored)
        return nothing
    try:
        snapshot = decode_snapshot(stored.payload)
    except (ValueError, KeyError):
        skipped.unreadable("snapshot", stored)
        return nothing
    coverage = Coverage(stored.sequence, snapshot.marks)
    return Loaded(snapshot.universe, snapshot.position, coverage, snapshot.record_id)


def decode_snapshot(payload: bytes) -> Snapshot:
    """A snapshot from its bytes; raise ``ValueError`` if no version of this service wrote them."""
    if payload.startswith(_BEGIN_OF_JSON):
        stored = json.loads(payload)
        listed = _LISTED.validate_python(stored["universe"]).operations
        operations = {operation_key(each.user_id, each.op_id): each for each in listed}
    else:
        stored, operations = _unpacked(payload)
    fields = {**stored["universe"], "operations": {}}
    universe = _UNIVERSE.validate_json(_json(fields))
    return Snapshot(
        int(stored["position"]),
        replace(
            universe,
            operations=operations,
            operations_bytes=sum(map(stored_bytes, operations.values())),
            seats_bytes=seats_bytes(universe.connections),
        ),
        tuple(stored.get("marks", ())),
        str(stored.get("record", "")),
    )


def _unpacked(payload: bytes) -> tuple[Mapping[str, Any], dict[str, AppliedOperation]]:
    try:
        raw = zlib.decompress(payload)
        (length,) = _LENGTH.unpack_from(raw)
        end = _LENGTH.size + length
        stored = json.loads(raw[_LENGTH.size : end])
        packed = list(_OPERATION.iter_unpack(raw[end:]))
    except (zlib.error, struct.error) as error:
        raise ValueError("not a packed snapshot") from error
    operations = {
        key.hex(): AppliedOperation("", "", digest.hex(), seq, _timestamp(at_ms))
        for key, digest, seq, at_ms in packed
    }
    return stored, operations


def _pack(key: str, applied: AppliedOperation) -> bytes:
    at_ms = (datetime.fromisoformat(applied.timestamp) - _EPOCH) // _MILLISECOND
    digest = bytes.fromhex(applied.digest)
    return _OPERATION.pack(bytes.fromhex(key), digest[:8], applied.seq, at_ms)


def _timestamp(unix_ms: int) -> str:
    at = _EPOCH + unix_ms * _MILLISECOND
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        errors="surrogatepass"
    )

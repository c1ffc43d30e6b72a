"""Commands that are sent twice and applied once: which are remembered, and for how long."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta

from harmonic_protocol.messages.declaration import Command
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.timestamps import shifted
from harmonic_state.domain.universe import AppliedOperation, Universe

#: This many operations are remembered, ...
REMEMBERED_OPERATIONS = 128
#: ... and older ones for at least this many seconds. More are refused, see ``bounds``.
REMEMBERED_S = 120
#: An earlier version may have written a log with more of them: beyond this, the oldest are dropped.
MAX_REMEMBERED_OPERATIONS = 32_768

#: Bytes of an operation stored with its texts, without those texts.
TEXT_OVERHEAD_BYTES = 130
_KEY_BYTES = 12
#: Fields in which a repeated command may differ from the first one.
_ITS_OWN = {"traceparent"}
_JSON = json.JSONEncoder(ensure_ascii=False)


def operation_key(user_id: str, op_id: str) -> str:
    """The key of an operation: each user has its own ``opId``s."""
    name = f"{len(user_id)}\n{user_id}{op_id}".encode(errors="surrogatepass")
    return hashlib.blake2b(name, digest_size=_KEY_BYTES).hexdigest()


def text_bytes(*texts: str) -> int:
    """Bytes of texts as JSON, at most."""
    joined = "".join(texts)
    if joined.isascii() and joined.isprintable() and '"' not in joined and "\\" not in joined:
        # Each text as it is, in quotes: nothing to escape.
        return len(joined) + 2 * len(texts)
    return sum(len(_JSON.encode(text).encode(errors="surrogatepass")) for text in texts)


def stored_bytes(applied: AppliedOperation) -> int:
    """Bytes of an operation stored with its texts."""
    return TEXT_OVERHEAD_BYTES + text_bytes(applied.user_id, applied.op_id)


def remember(
    operations: Mapping[str, AppliedOperation], applied: AppliedOperation
) -> tuple[Mapping[str, AppliedOperation], int]:
    """``operations`` with one more, without those that need not be remembered.

    Also the bytes by which they have grown, as stored with their texts.
    """
    key = operation_key(applied.user_id, applied.op_id)
    kept = dict(operations)
    gone = [kept.pop(key)] if key in kept else []
    kept[key] = applied
    gone.extend(kept.pop(name) for name in forgettable(kept, applied.timestamp))
    return kept, stored_bytes(applied) - sum(map(stored_bytes, gone))


def forgettable(operations: Mapping[str, AppliedOperation], now: str) -> list[str]:
    """The keys of the oldest operations, as far as they need not be remembered at this time."""
    spare = len(operations) - REMEMBERED_OPERATIONS
    surplus = len(operations) - MAX_REMEMBERED_OPERATIONS
    horizon = shifted(now, -timedelta(seconds=REMEMBERED_S))
    found: list[str] = []
    for name, applied in operations.items():
        is_old = len(found) < spare and applied.timestamp < horizon
        if not is_old and len(found) >= surplus:
            break
        found.append(name)
    return found


def digest(command: Command) -> str:
    """A hash that two commands share if, and only if, they ask for the same."""
    asked = command.model_copy(update={"op_id": None})
    body = asked.model_dump_json(by_alias=True, exclude_unset=True, exclude=_ITS_OWN)
    return hashlib.blake2b(f"{command.operation()}\n{body}".encode(), digest_size=16).hexdigest()


def earlier(
    universe: Universe, command: Command, user_id: str
) -> AppliedOperation | Refused | None:
    """The same command by the same user, if applied; a refusal if its ``opId`` has another."""
    if command.op_id is None:
        return None
    applied = universe.operations.get(operation_key(user_id, command.op_id))
    if applied is None:
        return None
    # An operation stored as a hash has a shorter digest.
    if digest(command).startswith(applied.digest):
        return applied
    return refused(
        Code.INVALID_PARAMETERS,
        "This opId was used for another command",
        reason=Reason.OP_ID_REUSED,
    )

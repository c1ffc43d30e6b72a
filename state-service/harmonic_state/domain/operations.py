"""Commands sent twice, applied once: what is remembered of them, and for how long."""

import hashlib
from datetime import datetime, timedelta

from harmonic_protocol.messages.declaration import Command
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.universe import AppliedOperation, Universe

#: The last so many operations are remembered, ...
REMEMBERED_OPERATIONS = 128
#: ... and older ones for at least so long, ...
REMEMBERED_S = 120
#: ... unless there are more than this in that time, in one universe.
MAX_REMEMBERED_OPERATIONS = 8192


def remember(
    operations: tuple[AppliedOperation, ...], applied: AppliedOperation
) -> tuple[AppliedOperation, ...]:
    """``operations`` with one more, and without those that need not be remembered."""
    kept = (*operations, applied)
    if len(kept) <= REMEMBERED_OPERATIONS:
        return kept
    horizon = _time(applied.timestamp) - timedelta(seconds=REMEMBERED_S)
    spare = len(kept) - REMEMBERED_OPERATIONS
    forgotten = 0
    while forgotten < spare and _time(kept[forgotten].timestamp) < horizon:
        forgotten += 1
    return kept[max(forgotten, len(kept) - MAX_REMEMBERED_OPERATIONS) :]


def _time(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


def digest(command: Command) -> str:
    """What two commands share if, and only if, they ask for the same."""
    asked = command.model_copy(update={"op_id": None})
    body = asked.model_dump_json(by_alias=True, exclude_unset=True)
    return hashlib.blake2b(f"{command.operation()}\n{body}".encode(), digest_size=16).hexdigest()


def earlier(
    universe: Universe, command: Command, user_id: str
) -> AppliedOperation | Refused | None:
    """The same command by the same user, if it was applied; a refusal for another's ``opId``."""
    if command.op_id is None:
        return None
    for applied in reversed(universe.operations):
        if applied.op_id == command.op_id and applied.user_id == user_id:
            if applied.digest == digest(command):
                return applied
            return refused(
                Code.INVALID_PARAMETERS,
                "This opId was used for another command",
                reason=Reason.OP_ID_REUSED,
            )
    return None

"""From what a client sent to a command: checked in full before anybody acts on it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from harmonic_protocol.catalogue import COMMANDS, ClientCommand
from harmonic_protocol.messages.declaration import MAX_MESSAGE_BYTES, MAX_MESSAGE_DEPTH
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, invalid_fields, refused

_MAX_ECHOED_CHARACTERS = 64


def read_command(
    name: str, args: tuple[object, ...] | None, size_bytes: int
) -> ClientCommand | Refused:
    """The command that an event means, or why it means none.

    ``args`` is ``None`` where they nest too deeply, or are too large, to be read at all.
    """
    declared = COMMANDS.get(name)
    limit = declared.spec.max_bytes if declared else MAX_MESSAGE_BYTES
    if size_bytes > limit:
        return refused(
            Code.INVALID_PARAMETERS,
            f"The message has {size_bytes} bytes; at most {limit} are taken",
            reason=Reason.TOO_LARGE,
            limitBytes=limit,
        )
    if declared is None:
        return refused(
            Code.INVALID_PARAMETERS,
            "Unknown event",
            reason=Reason.UNKNOWN_EVENT,
            event=name[:_MAX_ECHOED_CHARACTERS],
        )
    if args is None or _deeper_than(args, MAX_MESSAGE_DEPTH):
        return refused(
            Code.INVALID_PARAMETERS,
            f"The message nests deeper than {MAX_MESSAGE_DEPTH} levels",
            reason=Reason.TOO_DEEP,
            limitDepth=MAX_MESSAGE_DEPTH,
        )
    payload = args[0] if args else None
    if len(args) != 1 or not isinstance(payload, dict):
        return refused(
            Code.INVALID_PARAMETERS,
            "The event takes one argument, an object",
            reason=Reason.NOT_AN_OBJECT,
        )
    try:
        return declared.model_validate(payload)
    except ValidationError as error:
        return invalid_fields(error, declared)


def text_field(args: tuple[object, ...] | None, field: str, max_characters: int) -> str | None:
    """A short text field of an unchecked payload, to be named in its refusal."""
    payload: object = args[0] if args else None
    value: Any = payload.get(field) if isinstance(payload, Mapping) else None
    return value[:max_characters] if isinstance(value, str) else None


def _deeper_than(args: tuple[object, ...], depth: int) -> bool:
    level: Sequence[object] = args
    for _ in range(depth):
        children: list[object] = []
        for item in level:
            if isinstance(item, dict):
                children.extend(item.values())
            elif isinstance(item, list):
                children.extend(item)
        nested = [child for child in children if isinstance(child, dict | list)]
        if not nested:
            return False
        level = nested
    return True

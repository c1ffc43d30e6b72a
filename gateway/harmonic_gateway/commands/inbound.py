"""Reads an event of a client as a command, and validates it in full. Pure."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from harmonic_protocol.catalogue import COMMANDS, ClientCommand
from harmonic_protocol.messages.declaration import MAX_MESSAGE_BYTES, MAX_MESSAGE_DEPTH
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, invalid_fields, refused

#: Bounds on the fields of one object, and on the values of a whole payload. Of the declared
#: payloads, audio analyses have the most. Larger payloads would cost time and cannot be valid.
MAX_FIELDS = 64
MAX_VALUES = 8192
#: A change of parameters this short is validated first, and looked through only if it is not valid.
SHORT_BYTES = 512
_MAX_ECHOED_CHARACTERS = 64
_NESTING = (dict, list)


def read_command(
    name: str, args: tuple[object, ...] | None, size_bytes: int, *, wide: bool = False
) -> ClientCommand | Refused:
    """The command of an event, or why it is not a valid command.

    ``args`` is ``None`` if they were not read: they are nested too deeply, too large, or too
    ``wide``.
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
    if args is not None and size_bytes <= SHORT_BYTES and issubclass(declared, ParameterCommand):
        # All of its fields are declared, so that what fits them is neither deep nor wide.
        try:
            return declared.model_validate(args[0] if len(args) == 1 else None)
        except ValidationError:
            pass
    payload = _payload(args) if args is not None else _TOO_MANY_VALUES if wide else _TOO_DEEP
    if isinstance(payload, Refused):
        return payload
    try:
        return declared.model_validate(payload)
    except ValidationError as error:
        return invalid_fields(error, declared)


def _payload(args: tuple[object, ...]) -> dict[str, object] | Refused:
    """The payload of an event: its single object."""
    # A wrapper around emit() sends ``undefined`` as ``null`` after the payload.
    while len(args) > 1 and args[-1] is None:
        args = args[:-1]
    unfit = misshapen(args)
    if unfit is not None:
        return unfit
    payload = args[0] if args else None
    if len(args) == 1 and isinstance(payload, dict):
        return payload
    return refused(
        Code.INVALID_PARAMETERS,
        "The event takes one argument, an object",
        reason=Reason.NOT_AN_OBJECT,
    )


def text_field(args: tuple[object, ...] | None, field: str, max_characters: int) -> str | None:
    """A short text field of a payload that is not validated, to be named in its refusal."""
    payload: object = args[0] if args else None
    value: Any = payload.get(field) if isinstance(payload, dict) else None
    return value[:max_characters] if isinstance(value, str) else None


_TOO_DEEP = refused(
    Code.INVALID_PARAMETERS,
    f"The message nests deeper than {MAX_MESSAGE_DEPTH} levels",
    reason=Reason.TOO_DEEP,
    limitDepth=MAX_MESSAGE_DEPTH,
)
_TOO_MANY_VALUES = refused(
    Code.INVALID_PARAMETERS,
    f"The message has more than {MAX_FIELDS} fields in one object, or {MAX_VALUES} values",
    reason=Reason.TOO_MANY_VALUES,
    limitFields=MAX_FIELDS,
    limitValues=MAX_VALUES,
)


def misshapen(args: tuple[object, ...]) -> Refused | None:
    """Why a payload is refused before validation: it is deeper or wider than any declared one."""
    level: Sequence[object] = args
    values = 0
    for _ in range(MAX_MESSAGE_DEPTH):
        children: list[object] = []
        for item in level:
            if isinstance(item, dict):
                if len(item) > MAX_FIELDS:
                    return _TOO_MANY_VALUES
                children.extend(item.values())
            elif isinstance(item, list):
                values += len(item)
                if values > MAX_VALUES:
                    return _TOO_MANY_VALUES
                children.extend(item)
        level = [child for child in children if isinstance(child, _NESTING)]
        if not level:
            return None
    return _TOO_DEEP

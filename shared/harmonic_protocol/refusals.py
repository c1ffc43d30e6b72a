"""Refusals: requests that are not granted, as ordinary values with the guide's error codes."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, Field, PrivateAttr, ValidationError, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harmonic_protocol.causes import Cause
from harmonic_protocol.reasons import Reason
from harmonic_protocol.schema import ServiceModel


class Code(StrEnum):
    """The error codes that clients know."""

    AUTH_ERROR = "AUTH_ERROR"
    NOT_FOUND = "NOT_FOUND"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    INVALID_PARAMETERS = "INVALID_PARAMETERS"
    ROOM_FULL = "ROOM_FULL"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


#: The reasons that may be given with each code.
REASONS: Mapping[Code, tuple[Reason, ...]] = {
    Code.AUTH_ERROR: (
        *(Reason.MISSING, Reason.EXPIRED, Reason.INVALID, Reason.REVOKED, Reason.SERVICE),
    ),
    Code.NOT_FOUND: (Reason.TRIMMED, Reason.SILENT),
    Code.PERMISSION_DENIED: (
        *(Reason.NOT_IN_ROOM, Reason.VIEW_ONLY, Reason.NOT_OWNER, Reason.REMOVED, Reason.ORIGIN),
        *(Reason.KICKED, Reason.SWITCHED_OFF, Reason.BANNED),
        *(Reason.SERVICE, Reason.NOT_SERVICE),
    ),
    Code.INVALID_PARAMETERS: (
        *(Reason.TOO_LARGE, Reason.TOO_DEEP, Reason.TOO_MANY_VALUES, Reason.UNKNOWN_EVENT),
        *(Reason.NOT_AN_OBJECT, Reason.NOT_JSON, Reason.NOT_WHOLE, Reason.CONTENT_TYPE),
        *(Reason.METHOD, Reason.OP_ID_REUSED, Reason.OFFSET, Reason.TAKEN, Reason.QUOTA),
        *(Reason.OWNER, Reason.TOO_MANY_MEMBERS, Reason.TOO_MANY_ROOMS, Reason.NO_SPACE),
        *(Reason.NOT_MEMBER, Reason.BANNED, Reason.TOO_MANY_BANS, Reason.PLAYING),
    ),
    Code.ROOM_FULL: (Reason.NO_SPACE,),
    Code.RATE_LIMITED: (
        *(Reason.BUSY, Reason.CONNECTIONS, Reason.SIGNAL_BYTES, Reason.QUEUE_FULL),
        Reason.REFUSALS,
        Reason.TOO_MANY_OPERATIONS,
    ),
    Code.INTERNAL_ERROR: (
        *(Reason.KEYS_UNAVAILABLE, Reason.OVERDUE, Reason.OUTCOME_UNKNOWN),
        *(Reason.STORAGE_FULL, Reason.STORAGE_UNREADABLE, Reason.DAMAGED),
    ),
}
#: The details of a refusal for programs: ``reason`` first, and what helps with it.
Details = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "format": "details"})]


class Refused(ServiceModel):
    """A request that is not granted: the client's fault or the moment's, never a crash.

    ``message`` is for a person; ``details`` for a program, ``details.reason`` first.
    """

    code: Code
    message: str
    details: Details = Field(default_factory=dict)

    #: For operators: part of no message, no document and no comparison of messages.
    _cause: Cause | None = PrivateAttr(default=None)
    _replica: str | None = PrivateAttr(default=None)

    @property
    def cause(self) -> Cause:
        """The cause of an ``INTERNAL_ERROR``; without a known one, a fault of the program."""
        return self._cause or Cause.FAULT

    @property
    def replica(self) -> str | None:
        """The replica of the state service that was asked, if one was."""
        return self._replica

    def caused_by(self, cause: Cause | None, replica: str | None = None) -> "Refused":
        """The same refusal, with details for operators that clients are not told."""
        caused = self.model_copy()
        caused._cause, caused._replica = cause, replica  # noqa: SLF001 -- a copy of its own
        return caused

    @property
    def reason(self) -> Reason | None:
        """The reason; ``None`` if there is none, or one that only a newer version knows."""
        return _KNOWN_REASONS.get(self.details.get("reason"))

    def about(self, **details: object) -> "Refused":
        """The same refusal with more ``details``; those that are ``None`` are left out."""
        added = {name: value for name, value in details.items() if value is not None}
        return self.model_copy(update={"details": {**self.details, **added}})


def refused(
    code: Code,
    message: str,
    *,
    reason: Reason | None = None,
    cause: Cause | None = None,
    **details: object,
) -> Refused:
    """Make a refusal; details that are ``None`` are left out."""
    told = None if reason is None else reason.value
    refusal = Refused(code=code, message=message).about(reason=told, **details)
    return refusal if cause is None else refusal.caused_by(cause)


_KNOWN_REASONS: Mapping[object, Reason] = {reason.value: reason for reason in Reason}


#: Fields that one refusal names at most: a hostile payload may violate thousands.
MAX_NAMED_FIELDS = 20
#: Characters of a field's name at most: the name of an unknown field comes from the client.
MAX_FIELD_NAME_CHARACTERS = 100


def invalid_fields(error: ValidationError, model: type[BaseModel]) -> Refused:
    """``INVALID_PARAMETERS`` that names each field of ``model`` with its reason and range."""
    fields: dict[str, dict[str, object]] = {}
    problems = error.errors(include_url=False, include_input=False)
    for problem in problems:
        if len(fields) == MAX_NAMED_FIELDS:
            break
        if _is_of_other_branch(problem, problems):
            continue
        path = tuple(str(part) for part in problem["loc"] if not _is_union_branch(part))
        name = ".".join(path)[:MAX_FIELD_NAME_CHARACTERS]
        fields.setdefault(name, {"field": name, "reason": _reason(problem), **_range(model, path)})
    named = list(fields.values())
    text = "; ".join(f"{field['field'] or 'payload'} {field['reason']}" for field in named[:3])
    return refused(Code.INVALID_PARAMETERS, f"Invalid parameters: {text}", fields=named)


def _is_union_branch(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith(("list[", "bytes", "constrained-"))


def _is_of_other_branch(problem: ErrorDetails, problems: Sequence[ErrorDetails]) -> bool:
    """Whether the value was meant for another branch of its union, whose error says more."""
    *place, branch = problem["loc"] or ("",)
    return (
        problem["type"] in _WRONG_BRANCH
        and _is_union_branch(branch)
        and any(
            other["loc"][: len(place)] == tuple(place) and other["type"] not in _WRONG_BRANCH
            for other in problems
        )
    )


_WRONG_BRANCH = frozenset({"list_type", "bytes_type"})
_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
}


def _reason(problem: Mapping[str, Any]) -> str:  # noqa: C901, PLR0911 -- a table of words
    known = _REASONS.get(problem["type"])
    if known:
        return known
    context = problem.get("ctx", {})
    match problem["type"]:
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "greater_than":
            return f"must be above {context['gt']:g}"
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "bytes_too_long":
            return f"must have at most {context['max_length']} bytes"
        case "too_long":
            return f"must have at most {context['max_length']} entries"
        case "string_too_short":
            return f"must have at least {context['min_length']} characters"
        case "value_error":
            return str(context["error"])
        case _:
            return "is not valid"


def _range(model: type[BaseModel], path: tuple[str, ...]) -> dict[str, object]:
    field = _field(model, path)
    if field is None:
        return {}
    bounds: dict[str, object] = {}
    for limit in field.metadata:
        match limit:
            case Ge(ge=least) | Gt(gt=least):
                bounds["min"] = least
            case Le(le=most) | Lt(lt=most):
                bounds["max"] = most
            case _:
                pass
    return bounds


def _field(model: type[BaseModel], path: tuple[str, ...]) -> FieldInfo | None:
    found: FieldInfo | None = None
    for name in path:
        fields = {(field.alias or key): field for key, field in model.model_fields.items()}
        found = fields.get(name)
        if found is None:
            return None
        for candidate in (found.annotation, *get_args(found.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
    return found

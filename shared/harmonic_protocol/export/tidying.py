"""Turns the schemas that pydantic derives into schemas for people.

What a client sends is closed (``additionalProperties: false``), and fields with a default may be
left out. What the server sends is open to new fields, and has all declared fields except those
that are absent when they have no value.
"""

from collections.abc import Mapping
from typing import Any

from harmonic_protocol.export import glossary

Schema = dict[str, Any]

REF_PREFIX = "#/$defs/"
TYPED_ARRAY = "TypedArray"
#: Schemas that stand for one with another name, by the format that marks them.
_BY_FORMAT = {"binary": TYPED_ARRAY, "details": "Details"}

_RENAMED = {"Code": "ErrorCode", "Reason": "ErrorReason"}
_NULL = {"type": "null"}


def public_name(name: str) -> str:
    """The name of a class's schema in the documents."""
    return _RENAMED.get(name, name)


def reference(name: str) -> Schema:
    """A reference to a named schema."""
    return {"$ref": REF_PREFIX + name}


def tidied(name: str, schema: Schema, named: Mapping[str, Schema]) -> Schema:
    """The definition ``name``; parts that equal one of the ``named`` schemas refer to it."""
    result = _rewritten(schema, named)
    if "properties" in result:
        result = _object(name, result)
    return described(result, glossary.TYPES.get(name))


def bounds(schema: Schema) -> str:  # noqa: PLR0911 -- a table of cases
    """The range or the length that a value must have, in words; empty if it has none."""
    match schema:
        case {"minimum": least, "maximum": most}:
            return f"{least} to {most}"
        case {"exclusiveMinimum": least, "maximum": most}:
            return f"above {least}, at most {most}"
        case {"minimum": least}:
            return f"at least {least}"
        case {"exclusiveMinimum": least}:
            return f"above {least}"
        case {"minLength": least, "maxLength": most}:
            return f"{least} to {most} characters"
        case {"maxItems": most}:
            return f"at most {most} items"
        case _:
            return ""


def described(schema: Schema, text: str | None) -> Schema:
    """The schema with a description, unless it has one already, or ``text`` is ``None``."""
    if text is None or "description" in schema:
        return schema
    return {"description": text, **schema}


def _rewritten(schema: Schema, named: Mapping[str, Schema]) -> Schema:
    bare = {key: value for key, value in schema.items() if key not in {"title", "default"}}
    name = next((name for name, known in named.items() if known == bare), None)
    name = _BY_FORMAT.get(schema.get("format", ""), name)
    if name is not None:
        kept = {key: value for key, value in schema.items() if key == "default"}
        return reference(name) | kept
    result = {key: _value(key, value, named) for key, value in schema.items() if key != "title"}
    if isinstance(result.get("default"), dict):
        # The defaults of the object's own fields say the same.
        del result["default"]
    return result


def _value(key: str, value: Any, named: Mapping[str, Schema]) -> Any:  # noqa: PLR0911 -- a table of cases
    match key, value:
        case "description", str():
            return sentence(value)
        case "$ref", str():
            return REF_PREFIX + public_name(value.removeprefix(REF_PREFIX))
        case "properties", dict():
            return {name: _rewritten(field, named) for name, field in value.items()}
        case (("anyOf" | "oneOf" | "allOf" | "prefixItems"), list()):
            return [_rewritten(option, named) for option in value]
        case (("items" | "additionalProperties"), dict()):
            return _rewritten(value, named)
        case _, float() if value.is_integer():
            return int(value)
        case _:
            return value


def _object(name: str, schema: Schema) -> Schema:
    fields: dict[str, Schema] = schema["properties"]
    absent = {key for key, field in fields.items() if field.get("default", ...) is None}
    deltas = [key for key in fields if key in absent and _NULL not in fields[key].get("anyOf", ())]
    result = {
        **schema,
        "properties": {
            key: described(_present(field) if key in absent else field, glossary.field(name, key))
            for key, field in fields.items()
        },
    }
    if schema.get("additionalProperties") is not False:
        result["required"] = [key for key in fields if key not in absent]
    elif len(deltas) == len(fields):
        result["minProperties"] = 1
    elif deltas:
        result["anyOf"] = [{"required": [key]} for key in deltas]
    return result if result.get("required") else _without(result, "required")


def _present(field: Schema) -> Schema:
    """The schema of a field's value, for a field that is absent rather than null."""
    options = [option for option in field.get("anyOf", ()) if option != _NULL]
    rest = _without(field, "default")
    if not options:
        return rest
    rest = _without(rest, "anyOf")
    return rest | (options[0] if len(options) == 1 else {"anyOf": options})


def _without(schema: Schema, key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}


def sentence(text: str) -> str:
    """A docstring or a phrase of a declaration as sentences in Markdown."""
    paragraphs = (" ".join(part.split()) for part in text.replace("``", "`").split("\n\n"))
    joined = "\n\n".join(paragraphs)
    return joined[:1].upper() + joined[1:] + ("" if joined.endswith((".", "!", "?")) else ".")

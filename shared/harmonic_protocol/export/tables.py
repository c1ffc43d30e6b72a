"""Schemas as tables of fields, in Markdown."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harmonic_protocol.export.tidying import REF_PREFIX, Schema, bounds

Known = Mapping[str, Schema]
Field = tuple[str, Schema, bool]
"""A field's name, its schema, and whether it is required."""


def own_fields(schema: Schema) -> Iterator[Field]:
    """The fields of an object."""
    required = schema.get("required", ())
    for name, part in schema["properties"].items():
        yield name, part, name in required


def all_fields(schema: Schema, known: Known, prefix: str = "") -> Iterator[Field]:
    """The fields of an object and of the objects within it, by their paths."""
    for name, part, required in own_fields(schema):
        inner = _target(part, known)
        if "properties" not in inner:
            yield prefix + name, part, required
            continue
        description = part.get("description", inner["description"])
        yield prefix + name, {"type": "object", "description": description}, required
        yield from all_fields(inner, known, f"{prefix}{name}.")


def field_table(fields: Iterable[Field], known: Known) -> str:
    """One row per field: its type and range, and its meaning."""
    return table(
        ("Field", "Type", "Meaning"),
        (
            (
                f"`{name}`",
                kind(schema) + ("" if required else "; optional"),
                schema.get("description") or _target(schema, known).get("description", ""),
            )
            for name, schema, required in fields
        ),
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table; cells may hold any text."""
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def kind(schema: Schema) -> str:
    """The type of a value in words, with its range and its default."""
    facts = (_base(schema), bounds(schema), _pattern(schema), _default(schema))
    return ", ".join(filter(None, facts))


def _base(schema: Schema) -> str:  # noqa: PLR0911 -- a table of cases
    match schema:
        case {"$ref": str(target)}:
            name = target.removeprefix(REF_PREFIX)
            return f"[{name}](#{name.lower()})"
        case {"const": value}:
            return _literal(value)
        case {"enum": values}:
            return "one of " + ", ".join(map(_literal, values))
        case {"oneOf": options}:
            return "one of " + ", ".join(_literal(option["const"]) for option in options)
        case {"anyOf": options}:
            return " or ".join(map(kind, options))
        case {"type": "array", "items": items}:
            return f"list of {kind(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {kind(values)}"
        case {"type": "integer"}:
            return "whole number"
        case _:
            return str(schema["type"])


def _default(schema: Schema) -> str:
    return f"default {_literal(schema['default'])}" if "default" in schema else ""


def _pattern(schema: Schema) -> str:
    return f"matching `{schema['pattern']}`" if "pattern" in schema else ""


def _literal(value: Any) -> str:
    return f"`{json.dumps(value)}`"


def _target(schema: Schema, known: Known) -> Schema:
    return known[schema["$ref"].removeprefix(REF_PREFIX)] if "$ref" in schema else {}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

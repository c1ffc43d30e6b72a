"""JSON values as readable YAML: blocks, one value a line. Enough for documents of our own."""

import json
import re
from collections.abc import Iterator
from typing import Any

#: Text that no YAML reader takes for anything but text; all else is quoted as in JSON.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*(?: [A-Za-z0-9_/.-]+)*")
_NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "_"})


def dump(value: Any) -> str:
    """The text of a document; it ends with a newline."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _entry(f"{_scalar(key)}:", item, nested="  ")
        case list() if value:
            for item in value:
                yield from _item(item)
        case _:
            yield _scalar(value)


def _entry(head: str, value: Any, nested: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from (nested + line for line in _lines(value))
    else:
        yield f"{head} {_scalar(value)}"


def _item(value: Any) -> Iterator[str]:
    first, *others = _lines(value)
    yield f"- {first}"
    yield from (f"  {line}" for line in others)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)

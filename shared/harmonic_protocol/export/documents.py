"""All documents, by the names of their files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harmonic_protocol.export import asyncapi, errors, jsonschema, markdown, openapi, typescript

_WIDTH_CHARACTERS = 100


def documents() -> Mapping[str, str]:
    """The text of each document."""
    return {
        "asyncapi.yaml": _yaml(asyncapi.document()),
        "errors.md": errors.document(),
        "openapi.json": _json(openapi.document()),
        "protocol.md": markdown.document(),
        "protocol.ts": typescript.document(),
        "schemas.json": _json(jsonschema.document()),
    }


def stale(folder: Path) -> list[str]:
    """The names of the documents that are missing in ``folder``, or differ there."""
    return [name for name, text in documents().items() if _read(folder / name) != text]


def write(folder: Path) -> None:
    """Write all documents into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _yaml(document: Any) -> str:
    text: str = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, width=_WIDTH_CHARACTERS
    )
    return text

"""A good payload of every command, as the documents show it."""

from typing import Any

from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.export.definitions import definitions
from harmonic_protocol.export.examples import example

_KNOWN = definitions()


def payload(name: str) -> dict[str, Any]:
    """A command's fields, without the universe that it is for."""
    shown: dict[str, Any] = example(COMMANDS[name].__name__, _KNOWN)
    return {field: value for field, value in shown.items() if field != "universeId"}

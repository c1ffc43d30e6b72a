"""Good payloads of commands, as the documents show them, and what operations are about."""

from typing import Any

from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.export.definitions import definitions
from harmonic_protocol.export.examples import example

_KNOWN = definitions()
#: Operations on what is not there in tests that try all of them: a piece, a participant, a ban.
ON_NOTHING = frozenset({"get_music", "remove_participant", "stop_music", "unban_user"})


def payload(name: str) -> dict[str, Any]:
    """A command's fields, without the universe that it is for."""
    shown: dict[str, Any] = example(COMMANDS[name].__name__, _KNOWN)
    return {field: value for field, value in shown.items() if field != "universeId"}

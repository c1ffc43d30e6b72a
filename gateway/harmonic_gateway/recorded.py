"""Commands that are answered by the record that carries them out.

A gateway that follows a universe's log is sent the record of a command in any case. So it gives the
command a name, the owner stores the names of the commands with their record, and no reply is sent.
A record that is not heard answers nobody: then the outcome of its commands is unknown.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from harmonic_protocol.envelope import Reply, carried_out
from harmonic_runtime.process.entropy import new_id

#: Called with the reply, or with ``None`` if the record may have been missed.
OnEnd: TypeAlias = Callable[[Reply | None], None]


class _Waiting(NamedTuple):
    universe_id: str
    on_end: OnEnd


class RecordedCommands:
    """The commands of this gateway that wait for their records; each ends once."""

    def __init__(self) -> None:
        # An earlier process of this gateway had other names: its commands are not these.
        self._prefix = new_id()
        self._numbers = itertools.count(1)
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, universe_id: str, on_end: OnEnd) -> str:
        """A name for a command of a universe that is followed here."""
        name = f"{self._prefix}.{next(self._numbers)}"
        self._waiting[name] = _Waiting(universe_id, on_end)
        return name

    def remove(self, name: str) -> None:
        """Forget a command that another message has answered."""
        self._waiting.pop(name, None)

    def stored(self, header: str, position: int) -> None:
        """End the commands that the header of a record at a position names."""
        for name, seq in carried_out(header):
            waiting = self._waiting.pop(name, None)
            if waiting is not None:
                waiting.on_end(Reply.done(seq, position, None))

    def missed(self, universe_id: str | None = None) -> None:
        """End the commands whose records may have been missed: a universe's, or all."""
        for name, waiting in tuple(self._waiting.items()):
            if universe_id in {None, waiting.universe_id}:
                del self._waiting[name]
                waiting.on_end(None)

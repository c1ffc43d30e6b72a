"""Messages to the broker: collected for about a turn of the loop, and written together.

A write is a system call and wakes the server, which is most of the cost of a message. So all
messages of one turn of the loop are one write. Several messages wait for those of the next turn, as
long as each turn adds some. A single message does not wait.
"""

import asyncio
from contextlib import suppress
from typing import Protocol

#: For so many turns of the loop at most, what is sent waits for more to be written with it.
MAX_TURNS = 4


class ConnectionState(Protocol):
    """Whether there is a connection."""

    @property
    def is_connected(self) -> bool:
        """Whether it may be written to."""


class Outgoing:
    """Never holds anything for a later connection: what is sent while there is none is lost."""

    __slots__ = ("_collected", "_collected_bytes", "_loop", "_socket", "_state", "at_most_bytes")

    def __init__(self, state: ConnectionState) -> None:
        self._state = state
        self._socket: asyncio.WriteTransport | None = None
        self._collected: list[bytes] = []
        self._collected_bytes = 0
        #: What ``waiting_bytes`` are at most: they may have become fewer since the last write.
        self.at_most_bytes = 0
        self._loop = asyncio.get_running_loop()

    @property
    def waiting_bytes(self) -> int:
        """What was sent but has not yet been taken by the operating system."""
        written = self._socket.get_write_buffer_size() if self._socket is not None else 0
        return written + self._collected_bytes

    @property
    def may_send(self) -> bool:
        """Whether there is a connection; checked for the first message of each write."""
        return bool(self._collected) or self._state.is_connected

    def send(self, command: bytes) -> None:
        """Send one protocol message after all that was sent before."""
        if not self._collected:
            if not self._state.is_connected:
                return
            self._loop.call_soon(self._write_unless_more_comes, 1, MAX_TURNS)
        self._collected.append(command)
        size = len(command)
        self._collected_bytes += size
        self.at_most_bytes += size

    def write(self) -> None:
        """Write what is collected now."""
        collected, self._collected = self._collected, []
        self._collected_bytes = 0
        if not collected or self._socket is None or not self._state.is_connected:
            return
        # uvloop raises for a connection that was lost in this very turn: what was collected is lost
        # with it, and the reader is about to find out.
        with suppress(RuntimeError):
            self._socket.write(b"".join(collected))
        self.at_most_bytes = self.waiting_bytes

    def go_over(self, socket: asyncio.WriteTransport | None) -> None:
        """Write to another connection. What was collected for the earlier one is lost."""
        self._collected, self._collected_bytes = [], 0
        self._socket = socket

    def _write_unless_more_comes(self, known: int, turns: int) -> None:
        """Write if the turn before has added nothing to the messages that were ``known``."""
        collected = len(self._collected)
        if collected > known and turns:
            self._loop.call_soon(self._write_unless_more_comes, collected, turns - 1)
        else:
            self.write()

"""Questions about connections here, until the connection has answered or ended. Pure.

The invariants:

- Each question is answered once.
- A connection counts as alive only if it answered a ping that was sent after the question: an
  answer to an earlier ping says nothing about the time since.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from harmonic_protocol.internal import ConnectionChecked, Liveness

#: Questions about one connection that wait at the same time; to others it is alive.
MAX_QUESTIONS_PER_CONNECTION = 8

Reply: TypeAlias = Callable[[ConnectionChecked], None]


@dataclass(slots=True)
class Question:
    """Somebody asks for a connection, and waits for so many answers to pings."""

    pongs: int
    reply: Reply


class Questions:
    """Those that wait, by connection. Pure: pings are for the caller to send."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Question]] = {}

    def ask(self, connection_id: str, reply: Reply, *, in_doubt: bool) -> bool:
        """Wait for a connection, which may already owe a pong; ``False`` if too many wait.

        The caller pings it if it has none to answer.
        """
        waiting = self._waiting.setdefault(connection_id, [])
        if len(waiting) >= MAX_QUESTIONS_PER_CONNECTION:
            return False
        waiting.append(Question(2 if in_doubt else 1, reply))
        return True

    def ponged(self, connection_id: str) -> bool:
        """The connection answered a ping; whether it is to be pinged once more."""
        waiting = self._waiting.pop(connection_id, None)
        if waiting is None:
            return False
        for question in waiting:
            question.pongs -= 1
        left = [question for question in waiting if question.pongs]
        if left:
            self._waiting[connection_id] = left
        for question in waiting:
            if not question.pongs:
                question.reply(ConnectionChecked(liveness=Liveness.ALIVE))
        return bool(left)

    def ended(self, connection_id: str, checked: ConnectionChecked) -> None:
        """The connection is over."""
        for question in self._waiting.pop(connection_id, []):
            question.reply(checked)

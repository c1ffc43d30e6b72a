"""How many missed events may be owed to the clients of one user at a time. Pure.

Missed events are kept in memory until their client has read them. So they are bounded for each
user, over all its clients that reconnect, in bytes and in frames.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


class Debtee(Protocol):
    """A client that is owed missed events."""

    def is_closed(self) -> bool:
        """Whether the client is gone."""

    @property
    def is_owed(self) -> bool:
        """Whether missed events that it was sent are still unread."""


class Verdict(Enum):
    """The decision on a reconnect: replay now, try again later, or start a new session."""

    OWED = auto()
    LATER = auto()
    NEVER = auto()


@dataclass(slots=True)
class _Debt:
    size_bytes: int = 0
    frames: int = 0
    is_sent: bool = False


class Debts:
    """Counts the missed events that are owed to each user."""

    def __init__(self, most_bytes: int, most_frames: int) -> None:
        self._most_bytes = most_bytes
        self._most_frames = most_frames
        self._of_users: dict[str, dict[Debtee, _Debt]] = {}

    @property
    def size_bytes(self) -> int:
        """Bytes owed to all users, as last counted."""
        return sum(debt.size_bytes for debts in self._of_users.values() for debt in debts.values())

    def owe(self, user_id: str, client: Debtee, size_bytes: int, frames: int) -> Verdict:
        """Count the missed events of a client, unless they are too many for its user."""
        if size_bytes > self._most_bytes or frames > self._most_frames:
            return Verdict.NEVER
        debts = self._settled(user_id)
        all_bytes = size_bytes + sum(debt.size_bytes for debt in debts.values())
        all_frames = frames + sum(debt.frames for debt in debts.values())
        if all_bytes > self._most_bytes or all_frames > self._most_frames:
            # With several rooms, a client alone may exceed the bound.
            return Verdict.NEVER if debts.keys() == {client} else Verdict.LATER
        debt = debts.setdefault(client, _Debt())
        debt.size_bytes += size_bytes
        debt.frames += frames
        self._of_users[user_id] = debts
        return Verdict.OWED

    def sent(self, user_id: str, client: Debtee) -> None:
        """Note that a client was sent its missed events: they are owed until it has read them."""
        debt = self._of_users.get(user_id, {}).get(client)
        if debt is not None:
            debt.is_sent = True

    def forget(self, user_id: str, client: Debtee) -> None:
        """Forget a client that is gone."""
        debts = self._settled(user_id)
        debts.pop(client, None)
        if not debts:
            self._of_users.pop(user_id, None)

    def _settled(self, user_id: str) -> dict[Debtee, _Debt]:
        """The current debts of a user: those that are read or void are dropped."""
        debts = self._of_users.get(user_id, {})
        for client, debt in list(debts.items()):
            if client.is_closed() or (debt.is_sent and not client.is_owed):
                del debts[client]
        return debts

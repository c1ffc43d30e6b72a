"""How much of what they missed the clients of one user may be owed at a time. Pure.

What brings a client up to date is kept until the client has read it, whatever it has. So it is
bounded for each user, over all that connect again, in bytes and in frames.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


class Debtee(Protocol):
    """A client that is owed something."""

    def is_closed(self) -> bool:
        """Whether the client is gone."""

    @property
    def is_owed(self) -> bool:
        """Whether anything that it was sent to be up to date still waits for it."""


class Verdict(Enum):
    """What becomes of a return: it may be owed, comes later, or begins anew."""

    OWED = auto()
    LATER = auto()
    NEVER = auto()


@dataclass(slots=True)
class _Debt:
    size_bytes: int = 0
    frames: int = 0
    is_sent: bool = False


class Debts:
    """Counts what is owed to each user."""

    def __init__(self, most_bytes: int, most_frames: int) -> None:
        self._most_bytes = most_bytes
        self._most_frames = most_frames
        self._of_users: dict[str, dict[Debtee, _Debt]] = {}

    @property
    def size_bytes(self) -> int:
        """What is owed to all users together, as far as is known."""
        return sum(debt.size_bytes for debts in self._of_users.values() for debt in debts.values())

    def owe(self, user_id: str, client: Debtee, size_bytes: int, frames: int) -> Verdict:
        """Count what a client is to be sent, unless it is too much for its user."""
        if size_bytes > self._most_bytes or frames > self._most_frames:
            return Verdict.NEVER
        debts = self._settled(user_id)
        all_bytes = size_bytes + sum(debt.size_bytes for debt in debts.values())
        all_frames = frames + sum(debt.frames for debt in debts.values())
        if all_bytes > self._most_bytes or all_frames > self._most_frames:
            # With several rooms, a client may owe itself what is too much.
            return Verdict.NEVER if debts.keys() == {client} else Verdict.LATER
        debt = debts.setdefault(client, _Debt())
        debt.size_bytes += size_bytes
        debt.frames += frames
        self._of_users[user_id] = debts
        return Verdict.OWED

    def sent(self, user_id: str, client: Debtee) -> None:
        """A client was sent what it is owed: it is, until it has read that."""
        debt = self._of_users.get(user_id, {}).get(client)
        if debt is not None:
            debt.is_sent = True

    def forget(self, user_id: str, client: Debtee) -> None:
        """A client is gone, and owed nothing any more."""
        debts = self._settled(user_id)
        debts.pop(client, None)
        if not debts:
            self._of_users.pop(user_id, None)

    def _settled(self, user_id: str) -> dict[Debtee, _Debt]:
        """What is owed to a user now."""
        debts = self._of_users.get(user_id, {})
        for client, debt in list(debts.items()):
            if client.is_closed() or (debt.is_sent and not client.is_owed):
                del debts[client]
        return debts

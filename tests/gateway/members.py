"""Connections that nobody is behind: all that cores of the gateway need of one."""

from itertools import count
from typing import Any, cast

from harmonic_gateway.sockets import Connection

_numbers = count(1)


class Silent:
    """As much of a connection as memberships look at; what is written is kept."""

    def __init__(self, user: str, *, offsets: bool = True) -> None:
        self.id = f"{user}-{next(_numbers)}"
        self.namespace = "/"
        self.elsewhere: str | None = "" if offsets else None
        self.written: list[Any] = []

    def write(self, encoded: object) -> None:
        self.written.append(encoded)


def connection(user: str, *, offsets: bool = True) -> Connection:
    """A connection of a user; one that is not sent ``offsets`` has no recovery."""
    return cast("Connection", Silent(user, offsets=offsets))

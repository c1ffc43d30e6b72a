"""Tokens of connected clients near their end: all are looked at, however they come and change."""

from types import SimpleNamespace
from typing import Any

import pytest

from harmonic_gateway.admission.tokens import TokenWatch
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.sockets import Ended

WARNING_S, GRACE_S = 60.0, 10.0


class Time:
    """The time of day, in Unix time, as it is set."""

    def __init__(self) -> None:
        self.s = 1_000_000.0

    def now(self) -> Any:
        """As a clock says it."""
        return SimpleNamespace(timestamp=lambda: self.s)


class Client:
    """A connected client; what it is told and how it is closed is noted."""

    def __init__(self, expires_at_s: int) -> None:
        self.identity = Identity("ann", "Ann", expires_at_s)
        self.warned = False
        self.told: list[str] = []
        self.connection = SimpleNamespace(
            send=lambda frame: self.told.append(frame.name), close=self.told.append
        )


class Watched:
    """A watch over clients, with a time that is set."""

    def __init__(self) -> None:
        self.time = Time()
        self.clients: dict[str, Any] = {}
        parts: dict[str, Any] = {
            "standing": SimpleNamespace(is_revoked=lambda _identity: False),
            "answers": SimpleNamespace(refused=lambda connection, *_: connection.close("refused")),
            "clock": self.time,
        }
        self.watch = TokenWatch(
            sessions=self.clients, warning_s=WARNING_S, grace_s=GRACE_S, **parts
        )

    def connect(self, name: str, *, expires_in_s: int) -> Client:
        """A client comes with a token that is good for so long."""
        client: Any = Client(int(self.time.s) + expires_in_s)
        self.clients[name] = client
        self.watch.begin(client)
        return client  # type: ignore[no-any-return]  # it stands for a session

    def later(self, seconds: float) -> None:
        """Time passes, and all are looked at."""
        self.time.s += seconds
        self.watch.look_at_times()


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_client_is_warned_once_and_closed_after_the_grace(watched: Watched) -> None:
    ann = watched.connect("ann", expires_in_s=1000)
    watched.later(0)
    watched.later(1000 - WARNING_S - 1)
    assert ann.told == []
    watched.later(1)
    watched.later(1)
    assert ann.told == ["token_expiring"]
    watched.later(WARNING_S - 1 + GRACE_S)
    assert ann.told == ["token_expiring", "refused", Ended.BROKEN]


def test_an_earlier_end_is_seen_that_comes_later(watched: Watched) -> None:
    ann = watched.connect("ann", expires_in_s=10_000)
    watched.later(0)
    ben = watched.connect("ben", expires_in_s=100)
    watched.later(100 - WARNING_S)
    assert (ann.told, ben.told) == ([], ["token_expiring"])


def test_a_token_that_replaced_another_is_watched(watched: Watched) -> None:
    ann: Any = watched.connect("ann", expires_in_s=10_000)
    watched.later(0)
    ann.identity = Identity("ann", "Ann", int(watched.time.s) + 100)
    watched.watch.begin(ann)
    watched.later(100 - WARNING_S)
    assert ann.told == ["token_expiring"]


def test_the_others_are_watched_when_the_first_is_gone(watched: Watched) -> None:
    watched.connect("ann", expires_in_s=100)
    ben = watched.connect("ben", expires_in_s=200)
    watched.later(0)
    del watched.clients["ann"]
    watched.later(200 - WARNING_S)
    assert ben.told == ["token_expiring"]


def test_with_nobody_there_nothing_is_looked_at_until_somebody_comes(watched: Watched) -> None:
    watched.later(0)
    ann = watched.connect("ann", expires_in_s=100)
    watched.later(100 - WARNING_S)
    assert ann.told == ["token_expiring"]

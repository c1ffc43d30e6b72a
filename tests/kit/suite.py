"""A suite as somebody else writes one, with the kit installed: run by ``test_kit``."""

import itertools
import time
from typing import Any, Self

import pytest
import socketio

from harmonic_test_kit import HarmonicInstance, KitError

NAMESPACE = "/ws"
TRANSPORTS = {
    "WebSocket": ["websocket"],
    "polling and upgrade": ["polling", "websocket"],
    "polling": ["polling"],
}
LATENCY_MS = 60
_numbers = itertools.count(1)


class Page:
    """A client of a user that has joined a universe."""

    def __init__(
        self,
        harmonic: HarmonicInstance,
        user: str | None = None,
        transports: list[str] | None = None,
        universe: str | None = None,
    ) -> None:
        user = user or f"user-{next(_numbers)}"
        self._client = socketio.SimpleClient()
        self._client.connect(
            harmonic.url,
            auth={"token": harmonic.token(user)},
            namespace=NAMESPACE,
            transports=transports or ["websocket"],
        )
        self.universe = universe or harmonic.universe()
        self.welcome = self.hears("connect_success")
        assert self.asks("join_room", mode="edit")["ok"]

    def asks(self, command: str, **payload: Any) -> Any:
        return self._client.call(command, {"universeId": self.universe, **payload}, timeout=10)

    def says(self, command: str, **payload: Any) -> None:
        self._client.emit(command, {"universeId": self.universe, **payload})

    def hears(self, event: str) -> Any:
        while True:
            name, *arguments = self._client.receive(timeout=20)
            if name == event:
                return arguments[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()


def test_clients_join_and_change_something(harmonic: HarmonicInstance) -> None:
    with Page(harmonic) as page:
        assert page.asks("update_physics", parameters={"gravity": 3})["ok"]
        assert page.hears("physics_updated")["parameters"]["gravity"] == 3


def test_a_client_that_was_cut_comes_back(harmonic: HarmonicInstance) -> None:
    with Page(harmonic) as page:
        harmonic.cut()

        assert page.hears("connect_success")["recovery"]["outcome"] == "recovered"
        assert page.hears("state_recovered")["universeId"] == page.universe


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
def test_a_goodbye_arrives(harmonic: HarmonicInstance, transports: list[str]) -> None:
    guest = f"guest-{transports}"
    with Page(harmonic) as host:
        with Page(harmonic, guest, transports, host.universe):
            pass
        host.hears("participant_left")
        with Page(harmonic, guest, transports) as page:
            assert page.welcome["recovery"] == {"outcome": "new", "reason": "GOODBYE"}


def test_messages_take_their_time_each_way(harmonic: HarmonicInstance) -> None:
    with Page(harmonic) as page:
        harmonic.delay(LATENCY_MS)
        asked_at = time.monotonic()
        page.asks("time_sync", t0=0)

        assert (time.monotonic() - asked_at) * 1000 >= 2 * LATENCY_MS


def test_what_was_blocked_arrives_later(harmonic: HarmonicInstance) -> None:
    with Page(harmonic) as page:
        harmonic.block()
        page.says("update_physics", parameters={"gravity": 2})
        page.says("update_physics", parameters={"gravity": 1})
        harmonic.unblock()

        assert [page.hears("physics_updated")["parameters"]["gravity"] for _ in "12"] == [2, 1]


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
def test_a_command_is_refused_as_often_as_told(
    harmonic: HarmonicInstance, transports: list[str]
) -> None:
    with Page(harmonic, transports=transports) as page:
        harmonic.refuse("update_physics", "RATE_LIMITED", retry_after_ms=500, times=2)

        refused = page.asks("update_physics", parameters={"gravity": 3}, opId="one")
        page.says("update_physics", parameters={"gravity": 4})
        told = [page.hears("error") for _ in "12"]
        accepted = page.asks("update_physics", parameters={"gravity": 5})

    details = {"retryAfterMs": 500, "event": "update_physics", "universeId": page.universe}
    assert refused["error"] == {**told[0], "details": {**details, "opId": "one"}}
    assert told[1] == {
        "code": "RATE_LIMITED",
        "message": "Refused with RATE_LIMITED",
        "details": details,
    }
    assert accepted == {"ok": True, "seq": 2}


def test_a_join_is_refused_by_the_event_of_the_protocol(harmonic: HarmonicInstance) -> None:
    with Page(harmonic) as page:
        harmonic.refuse("join_room", "ROOM_FULL", message="Full")
        page.says("join_room", mode="edit")

        assert page.hears("room_error") == {
            "error": "Full",
            "code": "ROOM_FULL",
            "message": "Full",
            "details": {"event": "join_room", "universeId": page.universe},
            "universeId": page.universe,
        }


def test_a_connection_is_refused(harmonic: HarmonicInstance) -> None:
    told: list[Any] = []
    client = socketio.Client(reconnection=False)
    client.on("connect_error", told.append, namespace=NAMESPACE)
    harmonic.refuse("connect", "AUTH_ERROR", reason="REVOKED")
    auth = {"token": harmonic.token("ann")}

    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(harmonic.url, auth=auth, namespaces=[NAMESPACE])
    client.disconnect()

    assert told[0]["data"]["details"] == {"reason": "REVOKED"}


def test_a_token_expires(harmonic: HarmonicInstance) -> None:
    told: list[Any] = []
    client = socketio.Client(reconnection=False)
    client.on("connect_error", told.append, namespace=NAMESPACE)
    auth = {"token": harmonic.token("ann", lifetime_s=-60)}

    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(harmonic.url, auth=auth, namespaces=[NAMESPACE])
    client.disconnect()

    assert told[0]["data"]["details"]["reason"] == "EXPIRED"


def test_what_a_test_disturbs(harmonic: HarmonicInstance) -> None:
    harmonic.delay(10_000)
    harmonic.block()
    harmonic.refuse("join_room", "ROOM_FULL", times=100)
    harmonic.kill("gateway-1")


def test_is_undone_for_the_next_one(harmonic: HarmonicInstance) -> None:
    with Page(harmonic) as page:
        assert page.asks("update_physics", parameters={"gravity": 3})["ok"]


def test_what_is_unknown_is_refused(harmonic: HarmonicInstance) -> None:
    with pytest.raises(KitError, match="there is no command no_such"):
        harmonic.refuse("no_such", "ROOM_FULL")
    with pytest.raises(KitError, match="NO_SUCH"):
        harmonic.refuse("join_room", "NO_SUCH")
    with pytest.raises(KitError, match="there is no process state-9: there are nats, state-1"):
        harmonic.kill("state-9")
    with pytest.raises(KitError, match="INVALID_PARAMETERS"):
        harmonic.universe(visibility="purple")

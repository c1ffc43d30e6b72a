"""How many connections a user has, and who makes room: in virtual time, without sockets."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_gateway.admission.crowding import MARGIN_S, MAX_WAITING_PER_USER, Crowding
from harmonic_gateway.membership.session import Session
from harmonic_protocol.refusals import Refused
from harmonic_runtime.observability.metrics import Metrics
from harness import virtual_time

TIMEOUT_S = 4.0


@dataclass(eq=False)
class Tab:
    """A connection of a user: whether it is silent, and what was done to it."""

    id: str
    user_id: str = "ann"
    pid: str | None = None
    in_doubt: bool = False
    pinged: int = 0
    is_closed: bool = False
    replaced: bool = False
    connection: "Tab" = field(init=False)
    identity: Any = field(init=False)

    def __post_init__(self) -> None:
        self.connection = self
        self.identity = SimpleNamespace(user_id=self.user_id)

    def ping_now(self) -> None:
        self.pinged += 1
        self.in_doubt = True

    def close(self) -> None:
        self.is_closed = True


class Crowd:
    """Two connections a user, unless it is said otherwise."""

    def __init__(self, connections_per_user: int = 2) -> None:
        self.metrics = Metrics()
        self.crowding = Crowding(
            connections_per_user=connections_per_user,
            ping_timeout_s=TIMEOUT_S,
            metrics=self.metrics,
        )

    def comes(self, tab: Tab, pid: object = None) -> Coroutine[Any, Any, Refused | None]:
        return self.crowding.admit(cast("Session", tab), pid)

    def answers(self, tab: Tab) -> None:
        tab.in_doubt = False
        self.crowding.ponged(cast("Session", tab))

    def leaves(self, tab: Tab) -> None:
        tab.in_doubt = False
        self.crowding.left(cast("Session", tab))

    async def filled(self) -> tuple[Tab, Tab]:
        first, second = Tab("1"), Tab("2", pid="pid-2")
        for tab in (first, second):
            assert await self.comes(tab) is None
        return first, second

    def counted(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"harmonic_{name}_total") or 0.0


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_user_that_has_enough_and_whose_connections_all_answer_is_refused() -> None:
    async def run() -> None:
        crowd = Crowd()
        tabs = await crowd.filled()
        third = asyncio.ensure_future(crowd.comes(Tab("3")))
        await settled()
        assert [tab.pinged for tab in tabs] == [1, 1]
        crowd.answers(tabs[0])
        await settled()
        assert not third.done()
        crowd.answers(tabs[1])
        refusal = await third
        assert asyncio.get_running_loop().time() == 0
        assert refusal is not None
        assert refusal.details == {"reason": "CONNECTIONS", "limit": 2}
        assert crowd.counted("user_connection_refusals") == 1
        # Another user is not concerned.
        assert await crowd.comes(Tab("4", user_id="bob")) is None

    virtual_time.run(run())


def test_the_place_of_a_connection_that_goes_meanwhile_is_taken_and_by_one_only() -> None:
    async def run() -> None:
        crowd = Crowd()
        first, second = await crowd.filled()
        waiting = [asyncio.ensure_future(crowd.comes(Tab(name))) for name in ("3", "4")]
        await settled()
        crowd.answers(second)
        crowd.leaves(first)
        outcomes = await asyncio.gather(*waiting)
        assert sum(outcome is None for outcome in outcomes) == 1

    virtual_time.run(run())


def test_a_connection_that_goes_makes_room_at_once() -> None:
    async def run() -> None:
        crowd = Crowd()
        first, _ = await crowd.filled()
        third = asyncio.ensure_future(crowd.comes(Tab("3")))
        await settled()
        crowd.leaves(first)
        # Said again, it makes no more room.
        crowd.leaves(first)
        assert await third is None
        assert asyncio.get_running_loop().time() == 0
        assert await crowd.comes(Tab("4")) is not None

    virtual_time.run(run())


def test_the_connections_that_stay_are_counted_on() -> None:
    async def run() -> None:
        crowd = Crowd()
        first, second = await crowd.filled()
        crowd.leaves(first)
        assert await crowd.comes(Tab("3")) is None
        assert await crowd.comes(Tab("4")) is not None
        assert second.pinged == 1

    virtual_time.run(run())


def test_a_client_that_replaces_its_only_connection_is_counted() -> None:
    async def run() -> None:
        crowd = Crowd(connections_per_user=1)
        first, second = Tab("1", pid="pid"), Tab("2", pid="pid")
        assert await crowd.comes(first) is None
        assert await crowd.comes(second, "pid") is None
        assert first.is_closed
        assert await crowd.comes(Tab("3")) is not None
        assert second.pinged == 1

    virtual_time.run(run())


def test_nobody_waits_longer_than_a_ping_may_take() -> None:
    async def run() -> float:
        crowd = Crowd()
        await crowd.filled()
        assert await crowd.comes(Tab("3")) is not None
        return asyncio.get_running_loop().time()

    assert virtual_time.run(run()) == pytest.approx(TIMEOUT_S + MARGIN_S)


def test_a_client_known_by_its_pid_replaces_its_earlier_connection_and_no_other() -> None:
    async def run() -> None:
        crowd = Crowd()
        first, second = await crowd.filled()
        back = Tab("3")
        assert await crowd.comes(back, "pid-2") is None
        assert (first.is_closed, second.is_closed) == (False, True)
        assert (first.replaced, second.replaced) == (False, True)
        assert (first.pinged, second.pinged) == (0, 0)
        assert crowd.counted("user_connections_replaced") == 1
        # What was replaced says so once more when its transport has ended.
        crowd.leaves(second)
        fourth = asyncio.ensure_future(crowd.comes(Tab("4")))
        await settled()
        crowd.answers(first)
        crowd.answers(back)
        assert await fourth is not None

    virtual_time.run(run())


@pytest.mark.parametrize("pid", [None, "", "pid-9", 7, ["pid-2"]])
def test_a_pid_of_none_of_the_connections_replaces_none(pid: object) -> None:
    async def run() -> None:
        crowd = Crowd()
        tabs = await crowd.filled()
        third = asyncio.ensure_future(crowd.comes(Tab("3"), pid))
        await settled()
        assert not any(tab.is_closed for tab in tabs)
        for tab in tabs:
            crowd.answers(tab)
        assert await third is not None

    virtual_time.run(run())


def test_so_many_wait_for_a_users_places_and_the_next_is_refused_at_once() -> None:
    async def run() -> None:
        crowd = Crowd()
        tabs = await crowd.filled()
        waiting = [
            asyncio.ensure_future(crowd.comes(Tab(f"w{number}")))
            for number in range(MAX_WAITING_PER_USER)
        ]
        await settled()
        assert await crowd.comes(Tab("too many")) is not None
        assert not any(each.done() for each in waiting)
        for tab in tabs:
            crowd.answers(tab)
        assert None not in await asyncio.gather(*waiting)

    virtual_time.run(run())


def test_nothing_is_kept_of_users_that_have_gone_and_wait_no_more() -> None:
    async def run() -> None:
        crowd = Crowd()
        once = Tab("once", user_id="bob")
        await crowd.comes(once)
        crowd.leaves(once)
        # An answer that comes late is nobody's.
        crowd.answers(once)
        assert crowd.crowding._users == {}
        tabs = await crowd.filled()
        third = asyncio.ensure_future(crowd.comes(Tab("3")))
        await settled()
        for tab in tabs:
            crowd.leaves(tab)
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)
        assert crowd.crowding._users == {}

    virtual_time.run(run())


def test_a_connection_that_goes_on_here_is_counted_even_if_it_is_one_too_many() -> None:
    async def run() -> None:
        crowd = Crowd()
        tabs = [Tab(str(number)) for number in range(3)]
        taken = [crowd.crowding.take_in(cast("Session", tab)) for tab in tabs]
        assert taken == [True, True, False]
        crowd.leaves(tabs[2])
        assert await crowd.comes(Tab("4")) is not None
        assert [tab.pinged for tab in tabs] == [1, 1, 0]

    virtual_time.run(run())


def test_streams_count_as_connections_and_make_room_when_they_end() -> None:
    async def run() -> None:
        crowd = Crowd(connections_per_user=3)
        crowding = crowd.crowding
        for _ in range(2):
            assert await crowding.admit_stream("ann") is None
        assert await crowd.comes(Tab("1")) is None
        refusal = await crowding.admit_stream("ann")
        assert refusal is not None
        assert refusal.details == {"reason": "CONNECTIONS", "limit": 3}
        crowding.stream_ended("ann")
        assert await crowding.admit_stream("ann") is None
        # Another user is not concerned.
        assert await crowding.admit_stream("bob") is None

    virtual_time.run(run())


def test_the_place_of_a_stream_that_ends_is_taken_by_who_waits_for_one() -> None:
    async def run() -> None:
        crowd = Crowd()
        tab = Tab("1")
        assert await crowd.crowding.admit_stream("ann") is None
        assert await crowd.comes(tab) is None
        waiting = asyncio.ensure_future(crowd.crowding.admit_stream("ann"))
        await settled()
        assert not waiting.done()
        crowd.crowding.stream_ended("ann")
        assert await waiting is None

    virtual_time.run(run())


def test_nothing_is_kept_of_a_user_whose_only_streams_have_ended() -> None:
    async def run() -> None:
        crowding = Crowd().crowding
        for _ in range(2):
            assert await crowding.admit_stream("ann") is None
        crowding.stream_ended("ann")
        assert list(crowding._users) == ["ann"]
        crowding.stream_ended("ann")
        assert crowding._users == {}

    virtual_time.run(run())

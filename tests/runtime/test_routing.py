"""Which replica is asked, and what happens when it does not answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

import pytest

from harmonic_runtime.bus.client import Answer, Bus, BusTimeout, BusUnavailable, NoResponders
from harmonic_runtime.bus.directory import Directory, announce, watch
from harmonic_runtime.bus.routing import OwnerClient, rank
from harmonic_runtime.bus.wire import Message
from harness.broker import Broker, OpenBus, connected, outage

KEYS = [f"universe-{n}" for n in range(3000)]


def test_every_process_ranks_alike() -> None:
    assert rank("universe", ["a", "b", "c", "d"]) == ["c", "b", "a", "d"]
    assert rank("universe", frozenset("dcba")) == ["c", "b", "a", "d"]
    assert rank("universe", []) == []


def test_keys_are_spread_over_the_replicas() -> None:
    firsts = Counter(rank(key, "abc")[0] for key in KEYS)
    assert all(800 < firsts[replica] < 1200 for replica in "abc")


def test_only_the_keys_of_a_replica_that_goes_move_and_each_to_its_second() -> None:
    for key in KEYS:
        before = rank(key, "abcd")
        assert rank(key, "abc") == [replica for replica in before if replica != "d"]


class Replicas:
    """Replicas of a service as a client sees them: some listen, some of those answer."""

    def __init__(self, service: str, asked: Bus, directory: Directory) -> None:
        self.service = service
        self.received: list[str] = []
        self._asked = asked
        self._directory = directory

    def alive(self, *replicas: str) -> None:
        for replica in replicas:
            self._directory.hear(Message("", replica.encode(), {}, ""))

    async def listen(self, replica: str, *, answer: bool = True) -> None:
        def receive(message: Message) -> None:
            self.received.append(replica)
            if answer:
                self._asked.post(message.reply, replica.encode(), headers=message.headers)

        await self._asked.subscribe(f"hu.{self.service}.{replica}.*", receive)
        await self._asked.flush()


class Begun(OwnerClient):
    """Asks as callers without a task do, and waits for what that leads to."""

    async def request(
        self,
        key: str,
        operation: str,
        payload: bytes,
        *,
        headers: Mapping[str, str],
        deadline_s: float,
        repeatable: bool = False,
    ) -> Message:
        told: asyncio.Future[Answer | Coroutine[Any, Any, Message]] = (
            asyncio.get_running_loop().create_future()
        )
        self.begin(
            key,
            operation,
            payload,
            headers=headers,
            deadline_s=deadline_s,
            repeatable=repeatable,
            on_answer=told.set_result,
        )
        outcome = await told
        if isinstance(outcome, BusUnavailable):
            raise outcome
        return outcome if isinstance(outcome, Message) else await outcome


@pytest.fixture(params=[OwnerClient, Begun])
async def client(
    bus: Bus, word: str, peer: OpenBus, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[OwnerClient, Replicas]]:
    async with watch(bus, word, ttl_s=600) as directory, peer() as asked:
        yield request.param(bus, directory, word), Replicas(word, asked, directory)


async def ask(owners: OwnerClient, key: str = "universe", deadline_s: float = 5) -> str:
    answer = await owners.request(key, "do", b"it", headers={"Who": "me"}, deadline_s=deadline_s)
    assert answer.headers["Who"] == "me"
    return answer.payload.decode()


async def test_the_first_in_rank_is_asked(client: tuple[OwnerClient, Replicas]) -> None:
    owners, replicas = client
    replicas.alive("a", "b", "c", "d")
    for replica in "abcd":
        await replicas.listen(replica)
    assert await ask(owners) == "c"
    assert await ask(owners) == "c"
    assert {await ask(owners, key) for key in KEYS[:50]} == set("abcd")


async def test_the_next_is_asked_where_one_does_not_listen(
    client: tuple[OwnerClient, Replicas],
) -> None:
    owners, replicas = client
    replicas.alive("a", "b", "c", "d")
    await replicas.listen("a")
    assert await ask(owners) == "a"
    assert replicas.received == ["a"]


async def test_nobody_else_is_asked_where_one_is_silent(
    client: tuple[OwnerClient, Replicas],
) -> None:
    owners, replicas = client
    replicas.alive("a", "b", "c", "d")
    for replica in "abcd":
        await replicas.listen(replica, answer=replica != "c")
    with pytest.raises(BusTimeout):
        await ask(owners, deadline_s=0.2)
    assert replicas.received == ["c"]


async def test_a_request_waits_for_a_replica_to_come(
    client: tuple[OwnerClient, Replicas],
) -> None:
    owners, replicas = client
    answer = asyncio.ensure_future(ask(owners))
    await replicas.listen("a")
    replicas.alive("a")
    assert await answer == "a"


async def test_a_request_waits_for_a_replica_to_listen(
    client: tuple[OwnerClient, Replicas],
) -> None:
    owners, replicas = client
    replicas.alive("a", "b")
    answer = asyncio.ensure_future(ask(owners))
    await replicas.listen("b")
    assert await answer == "b"


async def test_where_nobody_comes_nobody_has_received_it(
    client: tuple[OwnerClient, Replicas],
) -> None:
    owners, replicas = client
    with pytest.raises(NoResponders):
        await ask(owners, deadline_s=0.05)
    replicas.alive("a")
    with pytest.raises(NoResponders):
        await ask(owners, deadline_s=0.25)


async def test_more_keys_than_are_kept_are_ranked_all_the_same(
    client: tuple[OwnerClient, Replicas], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harmonic_runtime.bus.routing.MAX_RANKED_KEYS", 3)
    owners, replicas = client
    replicas.alive("a", "b")
    for replica in "ab":
        await replicas.listen(replica)
    for key in KEYS[:10] * 2:
        assert await ask(owners, key) == rank(key, "ab")[0]


async def test_a_replica_is_found_by_its_own_word(bus: Bus, word: str, peer: OpenBus) -> None:
    async with watch(bus, word) as directory, peer() as asked:
        replicas = Replicas(word, asked, directory)
        owners = OwnerClient(bus, directory, word)
        await replicas.listen("one")
        async with announce(asked, service=word, replica_id="one"):
            assert await ask(owners) == "one"


async def test_without_the_bus_a_request_is_refused_at_once(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus, watch(bus, "any") as directory:
        replicas = Replicas("any", bus, directory)
        replicas.alive("a")
        owners = OwnerClient(bus, directory, "any")
        async with outage(own_broker, bus):
            with pytest.raises(BusUnavailable):
                await ask(owners, deadline_s=60)

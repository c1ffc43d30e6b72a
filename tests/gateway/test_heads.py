"""Finding out what was missed in silence: which owner is asked about which universes, and when."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, cast

import pytest

from gateway.drivers import ScriptedOwners, as_owners
from harmonic_gateway.delivery.places import Position
from harmonic_gateway.membership.heads import UNIVERSES_PER_QUESTION, HeadWatch
from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import CompareHeads, Heads
from harmonic_protocol.refusals import Code, refused
from harmonic_runtime.bus.routing import rank
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics

AWAY = Reply(error=refused(Code.INTERNAL_ERROR, "nobody answered"))


class LostLogs:
    """The rooms that a gateway has lost, and the numbers that are known."""

    def __init__(self) -> None:
        self.lost: dict[str, int] = {}
        self.known: dict[str, int] = {}
        self.answers: list[tuple[dict[str, int], Sequence[str]]] = []

    def __len__(self) -> int:
        return len(self.lost)

    def seqs(self, universe_ids: Iterable[str]) -> dict[str, int]:
        return {each: self.known[each] for each in universe_ids if each in self.known}

    def named_next(self, most: int) -> dict[str, int]:
        return dict(list(self.lost.items())[:most])

    def answered(self, named: dict[str, int], settled: Sequence[str]) -> None:
        self.answers.append((named, settled))


class Followed:
    """The logs that a gateway follows; notes what is expected of them."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.expected: list[tuple[str, int]] = []
        self.turned: list[str] = []
        self.doubtful: set[str] = set()
        self.losses = LostLogs()

    def positions(self) -> dict[str, int]:
        return dict(self.known)

    def expect(self, universe_id: str, position: int) -> None:
        self.expected.append((universe_id, position))

    def take_doubtful(self) -> set[str]:
        doubtful, self.doubtful = self.doubtful, set()
        return doubtful

    def turned_back(self, universe_id: str) -> None:
        self.turned.append(universe_id)


class Replicas:
    """The owners that are alive."""

    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)

    def live(self) -> frozenset[str]:
        return self.names


class Watch:
    def __init__(self) -> None:
        self.rooms, self.owners, self.replicas = Followed(), ScriptedOwners(), Replicas("a", "b")
        self.heads = HeadWatch(
            rooms=cast("Any", self.rooms),
            owners=as_owners(self.owners),
            replicas=cast("Any", self.replicas),
            gateway_id="g1",
            metrics=Metrics(),
        )

    async def is_asked(self, reply: Reply | None = None) -> CompareHeads:
        request = await self.owners.reply(reply or Reply(result=Heads(heads={}).to_wire()))
        assert isinstance(request, CompareHeads)
        return request


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    watch = Watch()
    asking = asyncio.create_task(watch.heads.keep_asking())
    yield watch
    asking.cancel()


async def test_an_announcement_is_expected_of_each_log(watch: Watch) -> None:
    watch.heads.hear(Message("s", Heads(heads={"u": 7, "v": 9}).to_json(), {}, ""))
    assert watch.rooms.expected == [("u", 7), ("v", 9)]


async def test_each_owner_is_asked_about_its_own_universes(watch: Watch) -> None:
    watch.rooms.known = {f"u{n}": n for n in range(1, 9)}
    watch.heads.compare_all()
    asked = {
        request.owner: request.positions
        for request in [await watch.is_asked(), await watch.is_asked()]
    }
    assert asked.keys() == {"a", "b"}
    for owner, positions in asked.items():
        assert all(rank(name, watch.replicas.live())[0] == owner for name in positions)
    assert {**asked["a"], **asked["b"]} == watch.rooms.known


async def test_one_question_is_about_so_many_universes(watch: Watch) -> None:
    watch.replicas.names = frozenset({"a"})
    watch.heads.look_at_owners()
    watch.rooms.known = {f"u{n}": n for n in range(1, UNIVERSES_PER_QUESTION + 2)}
    watch.heads.compare_all()
    first, second = await watch.is_asked(), await watch.is_asked()
    assert (len(first.positions), len(second.positions)) == (UNIVERSES_PER_QUESTION, 1)


async def test_what_an_owner_knows_more_of_is_expected(watch: Watch) -> None:
    watch.rooms.known = {"u": 5}
    watch.heads.compare_all()
    await watch.is_asked(Reply(result=Heads(heads={"u": 8}).to_wire()))
    watch.heads.compare_all()
    await watch.is_asked()
    assert watch.rooms.expected == [("u", 8)]


async def test_an_owner_that_does_not_answer_is_asked_again_about_what_is_known_then(
    watch: Watch,
) -> None:
    watch.replicas.names = frozenset({"a"})
    watch.heads.look_at_owners()
    watch.rooms.known = {"u": 5, "v": 6}
    watch.heads.compare_all()
    assert (await watch.is_asked(AWAY)).positions == {"u": 5, "v": 6}
    watch.rooms.known = {"u": 7}
    assert (await watch.is_asked()).positions == {"u": 7}


async def test_an_owner_is_asked_again_about_what_it_could_not_queue(watch: Watch) -> None:
    watch.replicas.names = frozenset({"a"})
    watch.heads.look_at_owners()
    watch.rooms.known = {"u": 5, "v": 6, "w": 7}
    watch.heads.compare_all()
    await watch.is_asked(Reply(result=Heads(heads={"v": 9}, deferred=("u", "v")).to_wire()))
    assert (await watch.is_asked()).positions == {"u": 5, "v": 6}
    assert watch.rooms.expected == [("v", 9)]
    # All are queued now: only what is named anew is asked about.
    watch.rooms.doubtful = {"w"}
    watch.heads.look_at_owners()
    assert (await watch.is_asked()).positions == {"w": 7}


async def test_another_owner_is_asked_about_the_universes_that_were_given_to_it(
    watch: Watch,
) -> None:
    watch.rooms.known = {f"u{n}": n for n in range(1, 9)}
    moved = {name for name in watch.rooms.known if rank(name, frozenset({"a", "b"}))[0] == "b"}
    watch.heads.look_at_owners()
    watch.replicas.names = frozenset({"a"})
    watch.heads.look_at_owners()
    asked = await watch.is_asked()
    assert asked.owner == "a"
    assert set(asked.positions) == moved


async def test_what_is_in_doubt_is_asked_about_with_the_record_that_is_known(watch: Watch) -> None:
    watch.rooms.known = {"u1": Position(5, 123_456), "u2": 6}
    watch.rooms.doubtful = {"u1"}
    watch.heads.look_at_owners()
    asked = await watch.is_asked(Reply(result=Heads(heads={}, turned_back=("u1",)).to_wire()))
    assert (asked.positions, asked.marks) == ({"u1": 5}, {"u1": 123_456})
    watch.heads.look_at_owners()
    assert watch.rooms.doubtful == set()


async def test_what_is_known_of_numbers_is_asked_about(watch: Watch) -> None:
    watch.rooms.known = {"u": 5, "v": 6}
    watch.rooms.losses.known = {"v": 3}
    watch.heads.compare_all()
    asked = [await watch.is_asked() for _ in range(len({rank(u, "ab")[0] for u in "uv"}))]
    assert {name: seq for each in asked for name, seq in each.seqs.items()} == {"v": 3}


async def test_owners_are_told_of_lost_rooms_at_each_look_until_they_have_settled_them(
    watch: Watch,
) -> None:
    watch.replicas.names = frozenset("a")
    watch.heads.look_at_owners()
    watch.heads.look_at_losses()
    watch.rooms.losses.lost = {"u": 9, "v": 4}
    watch.heads.look_at_losses()
    asked = await watch.is_asked(Reply(result=Heads(heads={}, settled=("u",)).to_wire()))
    assert (asked.lost, asked.positions, asked.owner) == ({"u": 9, "v": 4}, {}, "a")
    watch.heads.look_at_losses()
    # Who does not answer has settled nothing, and is not counted as an answer.
    await watch.is_asked(AWAY)
    watch.heads.look_at_losses()
    await watch.is_asked()
    watch.heads.look_at_losses()
    await watch.is_asked()
    named = {"u": 9, "v": 4}
    assert watch.rooms.losses.answers[:2] == [(named, ("u",)), (named, ())]

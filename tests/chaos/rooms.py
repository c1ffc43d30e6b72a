"""Rooms under a crowd: how many fit in, and who is seen to leave when a gateway dies."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaos.cluster import cluster_of
from chaos.crowd import Person, http_session, leave, together
from chaos.history import LogRecord
from harmonic_local.stack import Stack
from harness.waiting import until
from harness.world import World

SEATS, USERS = 50, 200
ROOMS, PARTICIPANTS, RETURNING = 20, 25, 2
ROOMS_OF_AN_OBSERVER = 8
#: How long after its death those come back who come back.
RETURN_AFTER_S = 3.0
GONE_TIMEOUT_S = 30.0
#: Whatever a second announcement would need to come.
AFTERMATH_S = 5.0


@dataclass(frozen=True)
class Rush:
    """How many got in, what the others were told, and what those inside think who is in."""

    inside: int
    answers: Counter[str]
    lists: set[frozenset[str]]


async def rush(stack: Stack) -> Rush:
    """Many users join a room at once."""
    async with http_session() as http, cluster_of(stack) as cluster:
        world = World(stack, http)
        universe = await world.universe(maxParticipants=SEATS)
        gateways = len(stack.gateways)
        people = await together(
            Person(f"user-{number}").enter(world, number % gateways) for number in range(USERS)
        )
        join = {"universeId": universe, "mode": "edit"}
        answers = await asyncio.gather(*(each.client.ask("join_room", **join) for each in people))
        inside = [each for each, answer in zip(people, answers, strict=True) if _ok(answer)]
        seq = (await world.call("GET", f"/universes/{universe}", "owner"))[1]["seq"]

        async def all_have_heard() -> bool:
            return all(_last_seq(each) >= seq for each in inside)

        await until(all_have_heard, GONE_TIMEOUT_S)
        stored = _participants((await cluster.logs())[universe])
        lists = {frozenset(each.participants(universe)) for each in inside} | {stored}
        await leave(people)
    return Rush(len(inside), Counter(_told(answer) for answer in answers), lists)


@dataclass(frozen=True)
class Departure:
    """After a gateway's death: how long until all were gone, and what was stored and seen."""

    gone_after_s: float
    records: Counter[int]
    """rooms by the number of records that let the dead gateway's participants go"""
    seen_of_those_who_returned: int


async def departure(stack: Stack) -> Departure:
    """A gateway dies with all its participants; a few come back over the other one in time."""
    now = asyncio.get_running_loop().time
    async with http_session() as http, cluster_of(stack) as cluster:
        world = World(stack, http)
        rooms = await together(world.universe() for _ in range(ROOMS))
        observers = await together(
            Person("observer").enter(world, 1) for _ in range(0, ROOMS, ROOMS_OF_AN_OBSERVER)
        )
        watching = {room: observers[n // ROOMS_OF_AN_OBSERVER] for n, room in enumerate(rooms)}
        for room, observer in watching.items():
            await observer.join(room, "view")

        async def arrive(room: str, number: int, gateway: int) -> Person:
            person = await Person(f"{room}-{number}").enter(world, gateway)
            await person.join(room)
            return person

        seats = [(room, number) for room in rooms for number in range(PARTICIPANTS)]
        await together(arrive(room, number, 0) for room, number in seats)
        before = {observer: len(observer.heard) for observer in observers}
        killed_at = now()
        await stack.gateways[0].crash()
        await asyncio.sleep(RETURN_AFTER_S)
        back = await together(
            arrive(room, number, 1) for room, number in seats if number < RETURNING
        )
        staying = {"observer", *(person.user for person in back)}

        async def are_gone() -> bool:
            return all(
                observer.participants(room) <= staying for room, observer in watching.items()
            )

        await until(are_gone, GONE_TIMEOUT_S)
        gone_after_s = now() - killed_at
        await asyncio.sleep(AFTERMATH_S)
        logs = await cluster.logs()
        seen = [
            data
            for observer in observers
            for _, name, data in observer.heard[before[observer] :]
            if name in {"participant_left", "participant_joined"} and _user(data) in staying
        ]
        await leave([*observers, *back])
        await stack.gateways[0].start()
    records = Counter(sum(map(_releases, logs[room])) for room in rooms)
    return Departure(gone_after_s, records, len(seen))


def _ok(answer: dict[str, Any] | None) -> bool:
    return answer is not None and bool(answer["ok"])


def _told(answer: dict[str, Any] | None) -> str:
    if answer is None:
        return "nothing"
    return "ok" if answer["ok"] else str(answer["error"]["code"])


def _user(data: Mapping[str, Any]) -> str:
    return str(data.get("userId") or data["participant"]["userId"])


def _last_seq(person: Person) -> int:
    frames = person.events("room_joined", "participant_joined", "participant_left")
    return max((int(data["seq"]) for data in frames), default=0)


def _participants(records: list[LogRecord]) -> frozenset[str]:
    present: set[str] = set()
    for record in records:
        for name, data in record.events:
            if name == "participant_joined":
                present.add(_user(data))
            elif name == "participant_left":
                present.discard(_user(data))
    return frozenset(present)


def _releases(record: LogRecord) -> bool:
    return any(name == "connection_left" and data.get("released") for name, data in record.events)

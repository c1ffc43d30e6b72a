"""One order for everybody, under load: snapshot and events add up to a fresh snapshot."""

import asyncio
import itertools
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from harness.client import Client
from harness.world import World

UPDATED = ("physics_updated", "music_updated", "visualization_updated")


def update(number: int) -> dict[str, Any]:
    """One of a thousand changes, of each set in turn."""
    number %= 1000
    match number % 4:
        case 0:
            return {"physics": {"gravity": number % 20, "friction": number / 1000}}
        case 1:
            return {"music": {"tempo": 40 + number % 160}}
        case 2:
            return {"visualization": {"particleCount": 100 + number}}
        case _:
            return {"physics": {"timeScale": 1 + number / 1000}}


async def write(client: Client, universe: str, numbers: Iterable[int]) -> list[int]:
    """Send updates, each once the one before is acknowledged; their ``seq``."""
    seqs: list[int] = []
    for number in numbers:
        ack = await client.asks("update_parameters", universeId=universe, **update(number))
        assert ack["ok"], ack
        seqs.append(ack["seq"])
    return seqs


def replayed(snapshot: dict[str, Any], events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The parameters and participants that a client shows which applies events to a snapshot."""
    shown = dict(snapshot["parameters"])
    present = {person["userId"]: person for person in snapshot["participants"]}
    for event in events:
        match event:
            case {"parameters": parameters}:
                name = next(name for name in shown if parameters.keys() == shown[name].keys())
                shown[name] = parameters
            case {"participant": person}:
                present[person["userId"]] = person
            case {"userId": user}:
                del present[user]
            case _:
                raise AssertionError(f"nobody shows {event}")
    return {"parameters": shown, "participants": present}


async def storm(writers: list[Client], universe: str, updates: int) -> list[int]:
    """So many updates of each writer, all writers at once; the ``seq`` of each."""
    parts = await asyncio.gather(
        *(
            write(writer, universe, range(number * updates, (number + 1) * updates))
            for number, writer in enumerate(writers)
        )
    )
    return [seq for part in parts for seq in part]


async def test_a_thousand_updates_of_ten_writers_are_one_order_for_all(world: World) -> None:
    users = [*(f"writer-{n}" for n in range(10)), *(f"observer-{n}" for n in range(4))]
    universe, members = await world.together(*users)
    everything = list(range(len(users) + 1, len(users) + 1001))

    acknowledged = await storm(members[:10], universe, 100)

    for member in members:
        await member.hears_up_to(everything[-1])
    heard = members[0].all_heard(*UPDATED)
    assert [event["seq"] for event in heard] == everything
    assert sorted(acknowledged) == everything
    assert all(one["timestamp"] <= other["timestamp"] for one, other in pairwise(heard))
    assert all(member.all_heard(*UPDATED) == heard for member in members[1:])
    # Snapshot + events == fresh snapshot, however one asks for it.
    shown = replayed(members[0].all_heard("room_joined")[0], heard)["parameters"]
    for gateway in (0, 1):
        late = await world.client(f"late-{gateway}", gateway=gateway)
        assert (await late.joins(universe))["parameters"] == shown
        _, answer = await world.call("GET", f"/universes/{universe}", "ann", gateway=gateway)
        assert answer["parameters"] == shown


async def test_who_joins_in_the_middle_of_it_misses_nothing_and_hears_nothing_twice(
    world: World,
) -> None:
    universe, writers = await world.together(*(f"writer-{n}" for n in range(10)))
    joiners = [await world.client(f"joiner-{n}", gateway=n % 2) for n in range(10)]
    writing = asyncio.create_task(storm(writers, universe, 50))

    snapshots = []
    for number, joiner in enumerate(joiners):
        await writers[0].hears_up_to(40 * (number + 1))
        snapshots.append(await joiner.joins(universe))
        passer_by = await world.client(f"passer-by-{number}")
        await passer_by.joins(universe)
        await passer_by.close()
    assert len(await writing) == 500
    # All who came and went, and all updates, were numbered.
    last = 10 + 10 + 2 * 10 + 500

    await writers[0].hears_up_to(last)
    fresh = replayed(await writers[0].joins(universe), [])
    for joiner, snapshot in zip(joiners, snapshots, strict=True):
        await joiner.hears_up_to(last)
        names = [name for name, _ in joiner.heard]
        after = [data for _, data in joiner.heard[names.index("room_joined") + 1 :]]
        assert [event["seq"] for event in after] == list(range(snapshot["seq"] + 1, last + 1))
        assert replayed(snapshot, after) == fresh


async def test_whoever_is_the_first_of_a_gateway_in_the_middle_of_it_misses_nothing(
    world: World,
) -> None:
    universe = await world.universe()
    writers = [await world.client(f"writer-{n}", gateway=0) for n in range(4)]
    for writer in writers:
        await writer.joins(universe)
    enough = asyncio.Event()
    numbers = itertools.takewhile(lambda _: not enough.is_set(), itertools.count())
    writing = [asyncio.create_task(write(writer, universe, numbers)) for writer in writers]

    for _ in range(10):
        joiner = await world.client("joiner", gateway=1)
        snapshot = await joiner.joins(universe)
        await joiner.hears_up_to(snapshot["seq"] + 30)
        seqs = [event["seq"] for event in joiner.all_heard(*UPDATED)]
        assert seqs[:30] == list(range(snapshot["seq"] + 1, snapshot["seq"] + 31))
        await joiner.close()

    enough.set()
    await asyncio.gather(*writing)

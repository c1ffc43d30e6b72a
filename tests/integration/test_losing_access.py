"""Joining at the moment at which one loses access: who is not in the room hears nothing of it.

Each try lets a join and what ends the access begin within 10 ms of one another, in either order.
``RACE_TRIES`` sets how many tries there are of each. Then the order is set: a join waits for the
store of sessions, or for the owner's reply, until the gateway has heard that the access ended.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from harmonic_local.stack import Stack
from harness.client import Client
from harness.held_bus import HeldBus
from harness.held_gateway import held_gateway
from harness.world import World

TRIES = int(os.environ.get("RACE_TRIES", "12"))
#: How far apart both begin, in turn.
APART_S = tuple(milliseconds / 1000 for milliseconds in range(-10, 11))
ANALYSIS = {"frequencies": [], "waveform": [], "timestamp": "2024-03-21T10:30:00.000Z"}


async def remove(world: World, universe: str) -> None:
    path = f"/universes/{universe}/members/ann"
    assert (await world.call("DELETE", path, "owner"))[0] == 204


async def downgrade(world: World, universe: str) -> None:
    path = f"/universes/{universe}/members/ann"
    assert (await world.call("PUT", path, "owner", {"role": "view"}))[0] == 200


async def hide(world: World, universe: str) -> None:
    path = f"/universes/{universe}"
    assert (await world.call("PATCH", path, "owner", {"visibility": "private"}))[0] == 200


async def delete(world: World, universe: str) -> None:
    assert (await world.call("DELETE", f"/universes/{universe}", "owner"))[0] == 204


async def ban(world: World, universe: str) -> None:
    assert (await world.call("PUT", f"/universes/{universe}/bans/ann", "owner"))[0] == 204


async def kick(world: World, universe: str) -> None:
    path = f"/universes/{universe}/participants/ann"
    # Nobody is put out who has not come yet.
    assert (await world.call("DELETE", path, "owner"))[0] in {204, 404}


CHANGES = {
    "removal": remove,
    "downgrade": downgrade,
    "made private": hide,
    "deletion": delete,
    "ban": ban,
    "kick": kick,
}
#: Those after which a public universe lets nobody in who was put out.
IN_PUBLIC = {"made private", "ban", "kick"}


async def prepared(world: World, change: str) -> str:
    """A universe that ann may edit until a change."""
    is_public = change in IN_PUBLIC
    visibility = {"visibility": "public"} if is_public else {"visibility": "private"}
    universe = await world.universe(publicMode="edit", **visibility)
    if not is_public:
        path = f"/universes/{universe}/members/ann"
        await world.call("PUT", path, "owner", {"role": "edit"})
    return universe


async def tried(world: World, ann: Client, owner: Client, change: str, apart_s: float) -> list[str]:
    """What is wrong after one try."""
    universe = await prepared(world, change)
    await owner.joins(universe)
    since = len(ann.heard)

    async def changes() -> None:
        await asyncio.sleep(max(0, -apart_s))
        await CHANGES[change](world, universe)

    async def joins() -> None:
        await asyncio.sleep(max(0, apart_s))
        await ann.asks("join_room", universeId=universe, mode="edit")

    await asyncio.gather(changes(), joins())
    if change == "deletion":
        await owner.hears("room_error", universeId=universe)
    else:
        # It comes after the change, over the same gateway.
        moved = await owner.asks("update_physics", universeId=universe, parameters={"gravity": 1})
        await owner.hears("physics_updated", universeId=universe, seq=moved["seq"])
    relayed = await ann.asks("audio_analysis", universeId=universe, analysis=ANALYSIS)
    if change != "deletion":
        await owner.asks("leave_room", universeId=universe)
    heard = [
        name for name, data in ann.heard[since:] if data and data.get("universeId") == universe
    ]
    wrong = ["its audio_analysis is relayed"] if relayed["ok"] else []
    if change == "downgrade":
        return wrong
    told = [name for name in heard if name in {"room_joined", "room_error"}]
    if change == "kick" and told[-1:] == ["room_joined"]:
        # It came after it was put out.
        is_in = relayed["ok"] and "physics_updated" in heard
        return [] if is_in else ["it is not in the room that it was let into"]
    if "physics_updated" in heard:
        wrong.append("it still hears")
    if told[-1:] != ["room_error"]:
        wrong.append("it was not told that it is out")
    return wrong


@pytest.mark.timeout(600)
@pytest.mark.parametrize("change", CHANGES)
async def test_who_joins_as_it_loses_access_is_out_in_the_end(world: World, change: str) -> None:
    kind: dict[str, Any] = {"headers": {"User-Agent": f"Python {world.name('races')}"}}
    ann = await world.client("ann", gateway=1, comes_back=True, **kind)
    owner = await world.client("owner", gateway=1)
    wrong = [
        complaint
        for number in range(TRIES)
        for complaint in await tried(world, ann, owner, change, APART_S[number % len(APART_S)])
    ]
    counts = {each: wrong.count(each) for each in wrong}
    assert counts == {}


@pytest.fixture(scope="module")
async def third_gateway(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, HeldBus]]:
    """One more gateway of the product, whose messages can be held on their way."""
    async with held_gateway(stack, tmp_path_factory.mktemp("third")) as running:
        yield running


HELD = {
    "the session is saved": lambda subject: subject.startswith("hu.session."),
    "the owner replies": lambda subject: subject.startswith("_INBOX.gateway"),
}


@pytest.mark.parametrize("awaited", HELD)
@pytest.mark.parametrize("change", CHANGES)
async def test_who_loses_access_while_its_join_waits_does_not_get_in(
    world: World, third_gateway: tuple[str, HeldBus], change: str, awaited: str
) -> None:
    url, bus = third_gateway
    universe = await prepared(world, change)
    owner, ann = Client("owner"), Client("ann")
    await owner.connect(url, world.token("owner"))
    await owner.joins(universe)
    kind = {"User-Agent": f"Python {world.name('races')}"}
    await ann.connect(url, world.token("ann"), headers=kind, comes_back=True)

    with bus.hold(HELD[awaited]) as held:
        joining = asyncio.create_task(ann.asks("join_room", universeId=universe, mode="edit"))
        await owner.hears("participant_joined")
        await held.arrived.wait()
        await CHANGES[change](world, universe)
        if change == "deletion":
            await owner.hears("room_error", universeId=universe)
        elif change == "downgrade":
            await owner.hears("participant_joined")
        else:
            await owner.hears("participant_left", userId="ann")
    joined = await joining

    relayed = await ann.asks("audio_analysis", universeId=universe, analysis=ANALYSIS)
    if change == "downgrade":
        assert joined["ok"]
        assert relayed["error"]["details"]["reason"] == "VIEW_ONLY"
    else:
        assert not joined["ok"]
        assert relayed["error"]["details"]["reason"] == "NOT_IN_ROOM"
        assert ann.all_heard("room_joined", "participant_left") == []
        assert len(ann.all_heard("room_error")) == 1
    await owner.close()
    await ann.close()

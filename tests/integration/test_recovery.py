"""Coming back to exactly where one was, as the official client's wire has it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from harmonic_gateway.recovery.recovery import RETURNS_BURST
from harmonic_protocol import subjects
from harmonic_protocol.internal import SavedSession
from harmonic_runtime.bus.streams import MAX_SUBJECTS, Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S
from harness.wire import Wire
from harness.world import World


@pytest.fixture
async def room(world: World) -> AsyncIterator[tuple[str, Any]]:
    """A universe, and a writer in it who stays."""
    universe = await world.universe()
    writer = await world.client(world.name("writer"))
    await writer.joins(universe)
    yield universe, writer
    await writer.close()


async def change(writer: Any, universe: str, gravity: float) -> None:
    answer = await writer.asks(
        "update_physics", universeId=universe, parameters={"gravity": gravity}
    )
    assert answer["ok"], answer


async def test_who_returns_with_pid_and_offset_is_told_all_in_order(
    world: World, room: tuple[str, Any]
) -> None:
    universe, writer = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.until("connect_success")
    await ann.joins(universe)
    await change(writer, universe, 1)
    assert (await ann.until("physics_updated"))[-1][1]["parameters"]["gravity"] == 1
    ann.cut()
    for gravity in (2, 3, 4):
        await change(writer, universe, gravity)
    back = await Wire.open(world, user, gateway=1, pid=ann.pid, offset=ann.offset)
    assert back.recovered
    told = await back.until("state_recovered")
    names = [name for name, _ in told]
    assert names == [
        "connect_success",
        "room_joined",
        "physics_updated",
        "music_updated",
        "visualization_updated",
        *["physics_updated"] * 3,
        "state_recovered",
    ]
    assert told[0][1]["recovered"] is True
    joined, current, recovered = told[1][1], told[2][1], told[-1][1]
    assert joined["parameters"]["physics"]["gravity"] == 4
    assert [someone["userId"] for someone in joined["participants"]].count(user) == 1
    assert current["current"] is True
    assert current["parameters"]["gravity"] == 4
    assert current["userId"] == writer.user
    assert "seq" not in current
    assert told[3][1]["userId"] == "owner"
    missed = [data["parameters"]["gravity"] for _, data in told[5:8]]
    assert missed == [2, 3, 4]
    assert (recovered["recovered"], recovered["missed"]) == (True, 3)
    assert recovered["fromSeq"] == joined["fromSeq"] == told[5][1]["seq"] - 1
    assert recovered["toSeq"] == joined["seq"] == told[7][1]["seq"]
    await change(writer, universe, 5)
    name, live = await back.hears()
    assert (name, live["seq"]) == ("physics_updated", recovered["toSeq"] + 1)


async def test_settings_that_changed_meanwhile_are_told_who_returns(
    world: World, room: tuple[str, Any]
) -> None:
    universe, writer = room
    ann = await Wire.open(world, world.name("ann"))
    await ann.joins(universe)
    ann.cut()
    path = f"/universes/{universe}"
    assert (await world.call("PATCH", path, "owner", {"name": "Renamed"}))[0] == 200
    seq = (await writer.hears("universe_updated"))["seq"]

    back = await ann.again(world, gateway=1)

    told = await back.until("state_recovered")
    (again,) = [data for name, data in told if name == "universe_updated"]
    assert (again["name"], again["seq"], again["replayed"]) == ("Renamed", seq, True)
    assert told[-1][1]["missed"] == 1


async def test_nobody_in_the_room_notices_who_comes_back_in_time(
    world: World, room: tuple[str, Any]
) -> None:
    universe, writer = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    await writer.hears("participant_joined")
    ann.cut()
    back = await Wire.open(world, user, gateway=1, pid=ann.pid, offset=ann.offset)
    await back.until("state_recovered")
    await change(writer, universe, 7)
    await writer.hears_next("physics_updated")


async def test_a_second_cut_in_the_middle_of_what_was_missed_loses_nothing(
    world: World, room: tuple[str, Any]
) -> None:
    universe, writer = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    ann.cut()
    for gravity in range(1, 9):
        await change(writer, universe, gravity)
    heard: list[float] = []
    pid, offset = ann.pid, ann.offset
    for events in (7, 8, 100):
        back = await Wire.open(world, user, pid=pid, offset=offset, gateway=events % 2)
        assert back.recovered
        for _ in range(events):
            name, data = await back.hears()
            if name == "physics_updated" and "current" not in data:
                heard.append(data["parameters"]["gravity"])
            if name == "state_recovered":
                break
        back.cut()
        offset = back.offset
    assert heard == list(range(1, 9))


async def test_frames_of_one_record_are_told_apart(world: World, room: tuple[str, Any]) -> None:
    universe, writer = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    await writer.says(
        "update_parameters",
        universeId=universe,
        physics={"gravity": 1},
        music={"tempo": 60},
        visualization={"brightness": 0},
    )
    await ann.until("physics_updated")
    offset = ann.offset
    assert offset is not None
    assert offset.count(":") == 3
    ann.cut()
    back = await Wire.open(world, user, pid=ann.pid, offset=offset)
    told = await back.until("state_recovered")
    again = [name for name, data in told if "changed" in data and "current" not in data]
    assert again == ["music_updated", "visualization_updated"]


async def test_all_rooms_come_back_with_one_offset(world: World) -> None:
    user = world.name("ann")
    writer = await world.client(world.name("writer"))
    first, second = await world.universe(), await world.universe()
    ann = await Wire.open(world, user)
    for universe in (first, second):
        await writer.joins(universe)
        await ann.joins(universe)
    await change(writer, first, 1)
    await change(writer, second, 1)
    await ann.until("physics_updated")
    await ann.until("physics_updated")
    ann.cut()
    await change(writer, first, 2)
    await change(writer, second, 2)
    back = await Wire.open(world, user, gateway=1, pid=ann.pid, offset=ann.offset)
    told = await back.until("state_recovered") + await back.until("state_recovered")
    again = [
        (data["universeId"], data["parameters"]["gravity"])
        for name, data in told
        if name == "physics_updated" and "current" not in data
    ]
    assert sorted(again) == sorted([(first, 2), (second, 2)])
    assert [data["missed"] for name, data in told if name == "state_recovered"] == [1, 1]


@pytest.mark.parametrize(
    "offset",
    ["garbage", "x" * 10_000, "a:1,a:2", "{universe}:0", "{universe}:9999999999", "other:1"],
)
async def test_an_offset_that_cannot_be_is_a_fresh_start(
    world: World, room: tuple[str, Any], offset: str
) -> None:
    universe, writer = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    ann.cut()
    await change(writer, universe, 9)
    forged = offset.replace("{universe}", universe)
    back = await Wire.open(world, user, pid=ann.pid, offset=forged)
    assert not back.recovered
    name, data = await back.hears()
    assert (name, data["recovered"]) == ("connect_success", False)
    await back.says("time", universeId=universe)
    assert (await back.hears())[0] == "error"


@pytest.mark.parametrize("forged", ["made up", "a.b", "another user's"])
async def test_a_pid_of_somebody_else_is_a_fresh_start(
    world: World, room: tuple[str, Any], forged: str
) -> None:
    universe, _ = room
    ann = await Wire.open(world, world.name("ann"))
    await ann.joins(universe)
    pid = ann.pid if forged == "another user's" else forged
    eve = await Wire.open(world, world.name("eve"), pid=pid, offset=ann.offset)
    assert not eve.recovered
    name, data = await eve.hears()
    assert (name, data["recovered"]) == ("connect_success", False)


async def test_a_half_open_connection_makes_way(world: World, room: tuple[str, Any]) -> None:
    universe, _ = room
    user = world.name("ann")
    old = await Wire.open(world, user)
    await old.joins(universe)
    new = await Wire.open(world, user, gateway=1, pid=old.pid, offset=old.offset)
    await new.until("state_recovered")
    message = await old._websocket.receive(PATIENCE_S)
    assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_a_room_that_was_left_is_not_come_back_to(
    world: World, room: tuple[str, Any]
) -> None:
    universe, _ = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    await ann.says("leave_room", universeId=universe)
    await ann.until("room_left")
    ann.cut()
    back = await Wire.open(world, user, pid=ann.pid, offset=None)
    assert back.recovered
    await back.until("connect_success")
    await back.joins(universe)


async def test_one_user_cannot_have_the_log_read_over_and_over(
    world: World, room: tuple[str, Any]
) -> None:
    universe, writer = room
    user = world.name("zed")
    wire = await Wire.open(world, user)
    await wire.joins(universe)
    await change(writer, universe, 2)

    async def returns() -> bool:
        nonlocal wire
        wire.cut()
        try:
            wire = await Wire.open(world, user, pid=wire.pid, offset=wire.offset)
        except aiohttp.WSMessageTypeError:
            return False
        return True

    failed = 'recoveries_total{outcome="failed",reason="none"}'
    before = await world.metric(failed)
    granted = 0
    while granted < 10 * RETURNS_BURST and await returns():
        granted += 1
    assert RETURNS_BURST <= granted < 10 * RETURNS_BURST
    assert await world.metric(failed) == before
    other = await Wire.open(world, world.name("yan"))
    await other.joins(universe)
    while not await returns():
        pass
    assert wire.recovered
    told = await wire.until("state_recovered")
    assert told[-2][0] == "physics_updated"
    assert told[-2][1]["parameters"]["gravity"] == 2


async def test_permissions_are_those_of_the_return(world: World) -> None:
    universe = await world.universe(visibility="private", publicMode="view")
    user = world.name("ann")
    member = f"/universes/{universe}/members/{user}"
    await world.call("PUT", member, "owner", {"role": "edit"})
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    ann.cut()
    await world.call("PUT", member, "owner", {"role": "view"})
    back = await Wire.open(world, user, pid=ann.pid, offset=ann.offset)
    told = await back.until("state_recovered")
    assert dict(told)["room_joined"]["mode"] == "view"
    back.cut()
    await world.call("DELETE", member, "owner")
    gone = await Wire.open(world, user, pid=back.pid, offset=back.offset)
    told = await gone.until("room_error")
    assert told[-1][1]["code"] in {"NOT_FOUND", "PERMISSION_DENIED"}


@pytest.mark.parametrize("by_pid", [True, False])
async def test_what_happened_while_one_was_removed_is_not_sent_again(
    world: World,
    by_pid: bool,  # noqa: FBT001
) -> None:
    universe = await world.universe(visibility="private")
    user, writer = world.name("ann"), world.name("writer")
    member = f"/universes/{universe}/members/{user}"
    for someone in (user, writer):
        path = f"/universes/{universe}/members/{someone}"
        await world.call("PUT", path, "owner", {"role": "edit"})
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    other = await world.client(writer)
    await other.joins(universe)
    ann.cut()
    await world.call("DELETE", member, "owner")
    await change(other, universe, 3)
    await world.call("PUT", member, "owner", {"role": "edit"})
    pid, offset = (ann.pid, ann.offset) if by_pid else (None, None)
    back = await Wire.open(world, user, gateway=1, pid=pid, offset=offset)
    told = await back.until("state_recovered")
    assert [data for name, data in told if name.endswith("_updated") and "seq" in data] == []
    greeting, recovered = told[0][1], told[-1][1]
    assert greeting["recovered"] is False
    assert (recovered["recovered"], recovered["missed"]) == (False, 0)
    assert recovered["fromSeq"] == recovered["toSeq"]
    assert not back.recovered
    await change(other, universe, 4)
    assert (await back.until("physics_updated"))[-1][1]["parameters"]["gravity"] == 4


async def greeted(wire: Wire) -> dict[str, Any]:
    """What a client is told of its earlier session."""
    greeting = (await wire.until("connect_success"))[-1][1]
    recovery: dict[str, Any] = greeting["recovery"]
    assert greeting["recovered"] == (recovery["outcome"] == "recovered")
    return recovery


async def test_without_a_pid_the_rooms_of_a_broken_session_are_taken_over(
    world: World, room: tuple[str, Any]
) -> None:
    universe, writer = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    ann.cut()
    await change(writer, universe, 3)
    back = await Wire.open(world, user, gateway=1)
    assert (await greeted(back))["outcome"] in {"recovered", "pending"}
    told = await back.until("state_recovered")
    assert told[-1][1]["missed"] == 1
    assert [data["replayed"] for name, data in told if "replayed" in data] == [True]
    # The earlier client is still known by its pid.
    ann = await Wire.open(world, user, pid=ann.pid, offset=ann.offset)
    assert ann.recovered
    assert (await ann.until("state_recovered"))[-1][1]["missed"] == 1


async def test_another_kind_of_client_takes_nothing_over(
    world: World, room: tuple[str, Any]
) -> None:
    universe, _ = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    ann.cut()
    other = await Wire.open(world, user, agent="another browser")
    assert await greeted(other) == {"outcome": "new", "reason": "NONE"}


@pytest.mark.parametrize(
    ("goodbye", "reason"), [("41/ws,", "GOODBYE"), (1001, "GOODBYE"), (1000, "GOODBYE")]
)
async def test_after_a_goodbye_only_the_pid_brings_a_client_back(
    world: World, room: tuple[str, Any], goodbye: str | int, reason: str
) -> None:
    universe, writer = room
    user = world.name("ann")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    await writer.hears("participant_joined")
    await ann.says_goodbye(goodbye)
    await writer.hears("participant_left")
    another = await Wire.open(world, user)
    assert await greeted(another) == {"outcome": "new", "reason": reason}
    back = await Wire.open(world, user, pid=ann.pid, offset=ann.offset)
    assert await greeted(back) == {"outcome": "recovered"}


async def test_a_client_that_declines_is_told_so(world: World, room: tuple[str, Any]) -> None:
    client = await world.client(world.name("ann"), query="?recovery=0")
    greeting = await client.hears("connect_success")
    assert greeting["recovery"] == {"outcome": "new", "reason": "DECLINED"}


async def test_a_join_of_its_own_keeps_a_client_from_the_rooms_of_an_earlier_one(
    world: World, room: tuple[str, Any]
) -> None:
    universe, writer = room
    user = world.name("ann")
    old = await Wire.open(world, user)
    await old.joins(universe)
    new = await Wire.open(world, user, gateway=1)
    assert await greeted(new) == {"outcome": "pending", "reason": "PENDING"}
    another = await world.universe()
    await new.joins(another)
    # It does not answer its pings, and is given up.
    message = await old._websocket.receive(PATIENCE_S)
    while message.type is aiohttp.WSMsgType.TEXT:
        message = await old._websocket.receive(PATIENCE_S)
    await change(writer, universe, 5)
    await new.says("time", universeId=universe)
    told = await new.until("error")
    assert all(data.get("universeId") != universe for _, data in told[:-1])
    third = await Wire.open(world, user)
    assert (await greeted(third))["outcome"] == "recovered"
    await third.until("state_recovered")


async def test_a_user_with_more_sessions_than_can_be_searched_is_let_in(
    world: World, room: tuple[str, Any]
) -> None:
    user = world.name("ann")
    async with connected_as("gateway", world.stack) as bus:
        streams = Streams(bus)
        saved = SavedSession(connection_id="c", gateway_id="g", rooms={}, saved_ms=0)
        await asyncio.gather(
            *(
                streams.append(subjects.session(user, str(number)), saved.to_json(), timeout_s=5)
                for number in range(MAX_SUBJECTS + 1)
            )
        )
    assert await greeted(await Wire.open(world, user)) == {"outcome": "new", "reason": "NONE"}

"""Previews: the others in a room see what somebody is trying out, before it is an update."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness.client import PATIENCE_S
from harness.wire import Wire
from harness.world import World, started

KIB = 1024


async def test_the_others_see_what_somebody_tries_out(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    ack = await ann.asks("preview_parameters", universeId=universe, physics={"gravity": 3.5})
    await ann.asks("update_physics", universeId=universe, parameters={"gravity": 4})

    assert ack == {"ok": True}
    shown = await bob.hears_next("parameters_previewed")
    assert shown.pop("timestamp")
    assert shown == {"universeId": universe, "userId": "ann", "physics": {"gravity": 3.5}}
    # It is stored nowhere: the update is the first number, and whoever comes sees the update.
    updated = await bob.hears_next("physics_updated")
    assert updated["parameters"]["gravity"] == 4
    assert not ann.all_heard("parameters_previewed")


async def test_another_window_of_the_same_user_sees_it_too(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    again = await world.client("ann")
    await again.joins(universe)

    await ann.says("preview_parameters", universeId=universe, music={"tempo": 99})

    await again.hears_next("parameters_previewed", music={"tempo": 99})


async def test_a_preview_of_nothing_says_that_it_is_over(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says("preview_parameters", universeId=universe)

    assert (await bob.hears_next("parameters_previewed")).keys() == {
        "universeId",
        "userId",
        "timestamp",
    }


@pytest.mark.parametrize(
    ("sets", "code"),
    [
        ({"physics": {"gravity": 21}}, "INVALID_PARAMETERS"),
        ({"physics": {}}, "INVALID_PARAMETERS"),
        ({"physics": {"mass": 1}}, "INVALID_PARAMETERS"),
        ({"sound": {"tempo": 90}}, "INVALID_PARAMETERS"),
    ],
)
async def test_a_preview_of_bad_values_is_refused(
    world: World, sets: dict[str, Any], code: str
) -> None:
    universe, (ann,) = await world.together("ann")

    ack = await ann.asks("preview_parameters", universeId=universe, **sets)

    assert ack["error"]["code"] == code


async def test_viewers_and_strangers_preview_nothing(world: World) -> None:
    universe = await world.universe(visibility="public")
    viewer, stranger = await world.client("viewer"), await world.client("stranger")
    await viewer.joins(universe, mode="view")

    for client, reason in ((viewer, "VIEW_ONLY"), (stranger, "NOT_IN_ROOM")):
        ack = await client.asks("preview_parameters", universeId=universe, physics={"gravity": 1})
        assert ack["error"]["code"] == "PERMISSION_DENIED"
        assert ack["error"]["details"]["reason"] == reason


async def test_previews_do_not_count_as_updates(world: World) -> None:
    universe, (ann,) = await world.together(world.name("ann"))

    for number in range(61):
        ack = await ann.asks(
            "preview_parameters", universeId=universe, physics={"gravity": number / 10}
        )
        assert ack == {"ok": True}
    assert (await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1}))["ok"]


STEPS, BACK_AFTER = 60, 10
#: After which step of a drag clients are cut off; the others never are.
CUTS = (5, 20, 40, STEPS - 1, None, None)


class View:
    """What a client shows of the gravity: the value, or what somebody tries out."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._gateway = number % 2
        self._cut_after = CUTS[number]
        self._is_away = False
        self.value: float | None = None
        self.tried: float | None = None

    async def begins(self, universe: str) -> None:
        self._wire = await Wire.open(self._world, self._world.name("bob"), gateway=self._gateway)
        for name, data in await self._wire.joins(universe):
            self._take(name, data)

    async def lives_through(self, step: int, *, comes_back: bool) -> None:
        if step == self._cut_after:
            self._wire.cut()
            self._is_away = True
        elif comes_back and self._is_away and step == (self._cut_after or 0) + BACK_AFTER:
            await self.is_back()

    async def is_back(self) -> None:
        if self._is_away:
            self._wire = await self._wire.again(self._world, gateway=1 - self._gateway)
            self._is_away = False

    async def sees_until(self, event: str, **fields: Any) -> None:
        """Take all that comes, up to an event with these fields."""
        while True:
            name, data = await self._wire.hears()
            self._take(name, data)
            if name == event and fields.items() <= data["parameters"].items():
                return

    def _take(self, name: str, data: Any) -> None:
        if name == "room_joined":
            self.value, self.tried = data["parameters"]["physics"]["gravity"], None
        elif name == "parameters_previewed":
            self.tried = data.get("physics", {}).get("gravity")
        elif name == "physics_updated":
            self.value, self.tried = data["parameters"]["gravity"], None


@pytest.mark.parametrize("comes_back", [True, False], ids=["during the drag", "after it"])
async def test_after_a_drag_all_show_the_committed_value_cut_off_or_not(
    world: World, *, comes_back: bool
) -> None:
    universe, (ann,) = await world.together(world.name("ann"))
    views = [View(world, number) for number in range(len(CUTS))]
    for view in views:
        await view.begins(universe)
    for step in range(STEPS):
        physics = {"gravity": step / 10}
        ack = await ann.asks("preview_parameters", universeId=universe, physics=physics)
        assert ack == {"ok": True}
        for view in views:
            await view.lives_through(step, comes_back=comes_back)

    await ann.asks("update_physics", universeId=universe, parameters={"gravity": 17.5})

    for view in views:
        await view.is_back()
    # Nothing follows that would be shown in its place.
    await ann.asks("update_music", universeId=universe, parameters={"tempo": 99})
    for view in views:
        await view.sees_until("music_updated", tempo=99)
    assert [(view.value, view.tried) for view in views] == [(17.5, None)] * len(views)


DRAGGERS, AT_ONCE = 10, 9
#: Each preview shows all there is, so that a room's previews are more than buffers hold.
ALL_SETS: dict[str, dict[str, Any]] = {
    "physics": {"gravity": 1, "friction": 0.5, "elasticity": 0.5, "airResistance": 0.5},
    "music": {"harmony": 0.5, "tempo": 90, "key": "C", "scale": "minor", "melodyRange": 0.5},
    "visualization": {"brightness": 0.5, "saturation": 0.5, "colorScheme": "x" * 32},
}


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[World]:
    """A product that gives clients long to read."""
    async with (
        started(
            tmp_path / "patient",
            musics=0,
            HARMONIC_PING_INTERVAL_S="60",
            HARMONIC_PING_TIMEOUT_S="60",
            HARMONIC_AUDIO_BYTES_PER_S=str(64 * KIB * KIB),
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        view = World(stack, http)
        yield view
        await view.close()


async def test_who_reads_slowly_loses_previews_alone(patient: World) -> None:
    universe = await patient.universe()
    slow = await Wire.open(patient, "slow")
    await slow.joins(universe, "view")
    draggers = [await patient.client(f"dragger-{number}") for number in range(DRAGGERS)]
    for dragger in draggers:
        await dragger.joins(universe)
    while (await slow.until("participant_joined"))[-1][1]["participant"]["userId"] != (
        f"dragger-{DRAGGERS - 1}"
    ):
        pass
    slow.stops_reading(4 * KIB)
    stored: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        while not await patient.metric("dropped_signals_total"):
            for dragger in draggers * AT_ONCE:
                await dragger.says("preview_parameters", universeId=universe, **ALL_SETS)
            gravity = {"gravity": len(stored) / 10}
            answer = await draggers[0].asks(
                "update_physics", universeId=universe, parameters=gravity
            )
            stored.append(answer["seq"])
    slow.reads_on()
    heard: list[str] = []
    seqs: list[int] = []
    while seqs[-1:] != stored[-1:]:
        name, data = await slow.hears()
        heard.append(name)
        if name == "physics_updated":
            seqs.append(data["seq"])
    assert seqs == stored
    assert 0 < heard.count("parameters_previewed") < DRAGGERS * AT_ONCE * len(stored)
    assert await patient.metric("conflated_events_total") == 0
    assert not slow.refusal

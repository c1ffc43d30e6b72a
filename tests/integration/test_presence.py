"""Who is there: one participant per user, and when they are gone."""

from datetime import datetime

from harness.client import Client
from harness.faults import down
from harness.world import World
from integration.conftest import DEPARTURE_GRACE_S

#: What the shared product waits after a broken transport.
LONG_GRACE_S = 10.0


async def moment(client: Client, universe: str) -> datetime:
    """The server's time, which a change of parameters tells."""
    await client.asks("update_visualization", universeId=universe, parameters={"complexity": 0.5})
    return at(await client.hears_next("visualization_updated"))


def at(event: dict[str, str]) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


async def test_two_tabs_on_two_gateways_are_one_participant(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    tab = await world.client("ann", gateway=1)

    joined = await tab.joins(universe)
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    assert [person["userId"] for person in joined["participants"]] == ["ann", "bob"]
    # Neither the room nor the second tab hears of a newcomer.
    await bob.hears_next("physics_updated", seq=3)
    await tab.hears_next("physics_updated", seq=3)


async def test_a_participant_is_shown_in_the_highest_mode_of_its_tabs(world: World) -> None:
    universe, (bob,) = await world.together("bob")
    first, second = await world.client("ann"), await world.client("ann", gateway=1)

    await first.joins(universe, "view")
    assert (await bob.hears_next("participant_joined"))["participant"]["mode"] == "view"
    await second.joins(universe, "edit")
    assert (await bob.hears_next("participant_joined"))["participant"]["mode"] == "edit"
    await second.close()
    assert (await bob.hears_next("participant_joined"))["participant"]["mode"] == "view"
    await first.close()
    await bob.hears_next("participant_left", userId="ann")


async def test_a_tab_edits_by_its_own_mode(world: World) -> None:
    universe = await world.universe()
    editor, viewer = await world.client("ann"), await world.client("ann", gateway=1)
    await editor.joins(universe, "edit")
    await viewer.joins(universe, "view")

    answer = await viewer.asks("update_physics", universeId=universe, parameters={"gravity": 1})

    assert answer["error"]["details"]["reason"] == "VIEW_ONLY"


async def test_a_participant_leaves_with_its_last_tab(world: World) -> None:
    universe, (bob,) = await world.together("bob")
    tabs = [await world.client("ann", gateway=number) for number in (0, 1)]
    for tab in tabs:
        await tab.joins(universe)
    await bob.hears_next("participant_joined")

    await tabs[0].says("leave_room", universeId=universe)
    await tabs[0].hears("room_left")
    await tabs[1].says("leave_room", universeId=universe)

    await bob.hears_next("participant_left", userId="ann", seq=3)


async def test_a_clean_disconnect_leaves_at_once(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    before = await moment(bob, universe)

    await ann.close()

    left = await bob.hears_next("participant_left", userId="ann")
    assert (at(left) - before).total_seconds() < LONG_GRACE_S


async def test_a_polling_client_that_disconnects_leaves_at_once(world: World) -> None:
    universe, (bob,) = await world.together("bob")
    ann = await world.client("ann", transports=["polling"])
    await ann.joins(universe)
    await bob.hears_next("participant_joined")
    before = await moment(bob, universe)

    await ann.close()

    left = await bob.hears_next("participant_left", userId="ann")
    assert (at(left) - before).total_seconds() < LONG_GRACE_S


async def test_a_broken_transport_leaves_after_the_grace_and_not_before(frail: World) -> None:
    universe, (ann, bob) = await frail.together("ann", "bob")
    before = await moment(bob, universe)

    await ann.vanishes()

    left = await bob.hears_next("participant_left", userId="ann")
    assert (at(left) - before).total_seconds() >= DEPARTURE_GRACE_S


async def test_who_is_within_the_grace_keeps_its_seat(world: World) -> None:
    universe = await world.universe(maxParticipants=1)
    ann, bob = await world.client("ann"), await world.client("bob", gateway=1)
    await ann.joins(universe)

    await ann.vanishes()
    await bob.says("join_room", universeId=universe, mode="edit")

    await bob.hears("room_error", code="ROOM_FULL")


async def test_who_returns_within_the_grace_was_never_gone(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.vanishes()
    back = await world.client("ann", gateway=1)
    joined = await back.joins(universe)
    await back.says("update_physics", universeId=universe, parameters={"gravity": 1})

    assert joined["seq"] == 2
    await bob.hears_next("physics_updated", userId="ann", seq=3)


async def test_the_participants_of_a_killed_gateway_leave_one_by_one(frail: World) -> None:
    universe, (ann, _, cem) = await frail.together("ann", "bob", "cem")
    dan = await frail.client("dan", gateway=1)
    await dan.joins(universe, "view")
    for other in (ann, cem):
        await other.hears_next("participant_joined")

    async with down(frail.stack.gateways[1]):
        for other in (ann, cem):
            gone = [await other.hears_next("participant_left", seq=seq) for seq in (5, 6)]
            assert {event["userId"] for event in gone} == {"bob", "dan"}
        # Those on the other gateway stay.
        await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
        await cem.hears_next("physics_updated", seq=7)


async def test_who_comes_back_from_a_killed_gateway_in_time_was_never_gone(frail: World) -> None:
    universe, (ann, _, _, dan) = await frail.together("ann", "bob", "cem", "dan")

    async with down(frail.stack.gateways[1]):
        await dan.gone.wait()
        back = await frail.client("dan", gateway=0)
        assert (await back.joins(universe))["seq"] == 4
        await ann.hears_next("participant_left", userId="bob", seq=5)
        await back.says("update_physics", universeId=universe, parameters={"gravity": 1})
        await ann.hears_next("physics_updated", userId="dan", seq=6)

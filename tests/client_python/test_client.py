"""The Python client in a product with two gateways."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest

from harmonic_client import (
    AnyEvent,
    Code,
    MusicBar,
    MusicGenerated,
    MusicStopped,
    NotConnectedError,
    ParametersUpdated,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    Reason,
    RefusedError,
    RoomJoined,
    SharedUniverse,
    UnansweredError,
    connect,
)
from harmonic_protocol.messages.rooms import RoomRefused
from harness.client import PATIENCE_S
from harness.people import People
from harness.world import World

E = TypeVar("E")


async def settled(universe: SharedUniverse, **fields: float) -> None:
    """Wait until all changes are stored, and physics are like this."""
    await universe.until(
        lambda: (
            not universe.unsettled
            and fields.items() <= universe.parameters.physics.model_dump().items()
        ),
        PATIENCE_S,
    )


async def next_of(events: AsyncIterator[AnyEvent], kind: type[E]) -> E:
    """The next event of a class."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the events are over")


async def stored(
    events: AsyncIterator[AnyEvent], last: int
) -> list[ParametersUpdated | MusicGenerated]:
    """What is stored of the parameters and the music, up to a number."""
    seen: list[ParametersUpdated | MusicGenerated] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if isinstance(event, ParametersUpdated | MusicGenerated) and event.seq is not None:
                # Whether it is sent again says nothing of what happened.
                seen.append(event.model_copy(update={"replayed": None}))
                if event.seq == last:
                    break
    return seen


async def test_people_in_a_room_see_one_another_and_what_each_changes(people: People) -> None:
    _, ann = await people.joins("ann")
    client, ben = await people.joins("ben", gateway=1)
    await ann.until(lambda: [one.user_id for one in ann.participants] == ["ann", "ben"])
    assert (ben.mode, client.user_id, client.status) == ("edit", "ben", "connected")
    assert ben.participants[1] == Participant(user_id="ben", username="ben", mode="edit")

    waiting = ann.set(physics={"gravity": 3.5, "air_resistance": 0.3}, music={"tempo": 99})
    assert ann.parameters.physics.air_resistance == 0.3
    assert ann.unsettled

    seq = await waiting
    await settled(ben, gravity=3.5, air_resistance=0.3)
    await ben.until(lambda: ben.parameters.music.tempo == 99)
    await settled(ann)
    assert (ann.parameters, seq > 0) == (ben.parameters, True)


async def test_events_come_in_order_after_the_state_has_changed_by_them(people: People) -> None:
    _, ann = await people.joins("ann")
    events = aiter(ann)
    _, ben = await people.joins("ben", gateway=1)
    for gravity in range(1, 6):
        await ben.set(physics={"gravity": gravity})
    piece = await ben.generate(2, seed=7)
    await ben.leave()

    heard = []
    async for event in events:
        heard.append(event)
        if isinstance(event, ParticipantLeft):
            break
    assert [type(event) for event in (heard[0], *heard[-2:])] == [
        ParticipantJoined,
        MusicGenerated,
        ParticipantLeft,
    ]
    updates = [event for event in heard if isinstance(event, ParametersUpdated)]
    assert [event.parameters.gravity for event in updates] == [1, 2, 3, 4, 5]
    assert heard[-2] == piece
    assert [getattr(event, "seq", 0) for event in heard] == sorted(
        getattr(event, "seq", 0) for event in heard
    )
    assert ann.parameters.physics.gravity == 5


async def test_iterating_ends_when_the_room_is_left(people: People) -> None:
    _, ann = await people.joins("ann")
    events = aiter(ann)

    await ann.leave()

    # The answer may be heard before.
    assert [event async for event in events if not isinstance(event, ParticipantLeft)] == []
    assert [event async for event in ann] == []
    with pytest.raises(UnansweredError, match="the room is not joined"):
        ann.set(physics={"gravity": 1})


async def test_a_drag_is_seen_by_all_and_ends_on_the_value_where_it_was_let_go(
    people: People,
) -> None:
    _, ann = await people.joins("ann")
    _, ben = await people.joins("ben", gateway=1)
    stored = ben.parameters
    seen: list[float] = []

    def sees() -> bool:
        tried = ben.previews.get("ann", {}).get("physics", {}).get("gravity")
        if tried is not None and tried not in seen:
            seen.append(tried)
        return ben.parameters.physics.gravity == 8

    watching = asyncio.create_task(ben.until(sees, PATIENCE_S))
    for gravity in (5.5, 6.5, 7.5):
        ann.preview(physics={"gravity": gravity})
        assert ann.parameters.physics.gravity == gravity
        await ben.until(lambda: seen[-1:] == [ann.parameters.physics.gravity], PATIENCE_S)
        assert ben.parameters == stored
    await ann.set(physics={"gravity": 8})
    await watching

    assert seen == [5.5, 6.5, 7.5]
    assert ben.previews == {}
    await settled(ann, gravity=8)


async def test_a_preview_that_nobody_repeats_is_over(people: People) -> None:
    ann_client, ann = await people.joins("ann")
    _, ben = await people.joins("ben", gateway=1)
    ann.preview(physics={"gravity": 5})
    await ben.until(lambda: "ann" in ben.previews, PATIENCE_S)

    await ann_client.cut()

    await ben.until(lambda: "ann" not in ben.previews, PATIENCE_S)
    assert ann.parameters.physics.gravity != 5


async def test_what_people_show_of_themselves_is_seen_also_after_a_cut(people: People) -> None:
    client, ann = await people.joins("ann")
    _, ben = await people.joins("ben", gateway=1)
    ann.present({"cursor": 1})
    ann.present({"cursor": 2})
    assert ann.presences == {"ann": {"cursor": 2}}
    await ben.until(lambda: ben.presences.get("ann") == {"cursor": 2}, PATIENCE_S)

    await client.cut()
    await ann.until(lambda: ann.status == "away", PATIENCE_S)
    ben.present({"cursor": 3})
    await ann.joined()

    await ann.until(lambda: ann.presences.get("ben") == {"cursor": 3}, PATIENCE_S)
    assert ann.presences["ann"] == {"cursor": 2}


async def test_commands_under_way_at_a_cut_are_carried_out_once(people: People) -> None:
    client, ann = await people.joins("ann")
    _, ben = await people.joins("ben", gateway=1)
    ours, theirs = aiter(ann), aiter(ben)

    sent = ann.set(physics={"gravity": 2})
    piece = asyncio.create_task(ann.generate(2))
    # Both are on their way, and no answer is.
    await asyncio.sleep(0)
    await client.cut()
    await ann.until(lambda: ann.status == "away", PATIENCE_S)
    waiting = ann.set(physics={"gravity": 3})
    await ben.set(music={"tempo": 99})
    seqs = {await sent, await waiting, (await piece).seq}
    last = await ben.set(music={"tempo": 100})

    seen = await stored(theirs, last)
    assert await stored(ours, last) == seen
    own = [event for event in seen if event.user_id == "ann"]
    assert {event.seq for event in own} == seqs
    assert ann.parameters == ben.parameters
    await settled(ann, gravity=3)


async def test_a_session_that_is_not_recovered_joins_again(people: People) -> None:
    client, ann = await people.joins("ann")
    _, ben = await people.joins("ben", gateway=1)
    events = aiter(ann)
    # A goodbye, and nothing that it could come back by.
    client._connection._pid = None
    await client._connection._link.socket.disconnect()  # type: ignore[union-attr]
    await ann.until(lambda: ann.status == "away", PATIENCE_S)
    await ben.set(physics={"friction": 0.25})

    await ann.joined()

    assert ann.parameters.physics.friction == 0.25
    assert isinstance(await next_of(events, RoomJoined), RoomJoined)
    assert await ann.set(physics={"gravity": 1})


async def test_a_refusal_of_the_moment_ends_with_its_connection_and_one_for_good_does_not(
    people: People, world: World
) -> None:
    client, ann = await people.joins("ann")
    other = await world.universe(visibility="public")
    kicked = await client.join(other, "view")
    assert (await world.call("DELETE", f"/universes/{other}/participants/ann", "owner"))[0] == 204
    await kicked.until(lambda: kicked.status == "refused", PATIENCE_S)
    passing = {"code": "INTERNAL_ERROR", "message": "for now", "details": {"retryAfterMs": 9}}
    ann.heard(
        RoomRefused.model_validate({**passing, "error": "for now", "universeId": people.universe})
    )
    assert ann.status == "refused"

    # A goodbye, and nothing that it could come back by.
    client._connection._pid = None
    await client._connection._link.socket.disconnect()  # type: ignore[union-attr]
    await ann.until(lambda: ann.status == "joined", PATIENCE_S)

    # Commands are answered in order: a join of the other room would be answered by then.
    await ann.set(physics={"gravity": 1})
    assert kicked.mode is None
    await kicked.join("view")
    assert kicked.mode == "view"


async def test_what_cannot_be_sent_for_too_long_is_undone(people: People, world: World) -> None:
    first, never = [world.token("cat")], asyncio.Event()

    async def token() -> str:
        # Without one, it does not come back.
        if not first:
            await never.wait()
        return first.pop()

    async with connect(world.stack.urls[0], token, patience_s=3) as client:
        cat = await client.join(people.universe)
        before = cat.parameters
        await client.cut()
        await cat.until(lambda: cat.status == "away", PATIENCE_S)

        with pytest.raises(UnansweredError, match="there is no connection"):
            await cat.set(physics={"gravity": 19})

        assert cat.parameters == before


async def test_what_is_not_stored_when_the_client_is_closed_is_said_to_be(
    people: People, world: World
) -> None:
    async with connect(world.stack.urls[0], lambda: world.token("cat")) as client:
        cat = await client.join(people.universe)
        await client.cut()
        await cat.until(lambda: cat.status == "away", PATIENCE_S)
        under_way = cat.set(physics={"gravity": 1})
        await asyncio.sleep(0)
        waiting = cat.set(physics={"gravity": 2})

    for change in (under_way, waiting):
        with pytest.raises(UnansweredError, match="the client is closed"):
            await change


async def test_a_room_that_is_left_while_away_is_left(people: People) -> None:
    client, ann = await people.joins("ann")
    _, ben = await people.joins("ben", gateway=1)
    await client.cut()
    await ann.until(lambda: ann.status == "away", PATIENCE_S)

    await ann.leave()

    await ben.until(lambda: [one.user_id for one in ben.participants] == ["ben"], PATIENCE_S)
    assert ann.status == "left"


async def test_refusals_are_typed_and_undo_what_was_asked(people: People) -> None:
    client, ann = await people.joins("ann")
    before = ann.parameters

    refused = ann.set(physics={"gravity": 99})
    assert ann.parameters.physics.gravity == 99
    with pytest.raises(RefusedError) as caught:
        await refused
    assert (caught.value.code, caught.value.reason) == (Code.INVALID_PARAMETERS, None)
    assert [(one.field, one.max) for one in caught.value.fields] == [("physics.gravity", 20)]
    assert (ann.parameters, ann.unsettled, ann.error) == (before, False, caught.value)
    await ann.set(physics={"gravity": 4})
    assert ann.error is None

    await ann.join("view")
    assert ann.mode == "view"
    with pytest.raises(RefusedError) as caught:
        await ann.set(physics={"gravity": 1})
    assert caught.value.reason is Reason.VIEW_ONLY
    await ann.join("edit")
    await ann.set(physics={"gravity": 5})

    with pytest.raises(RefusedError) as caught:
        await client.join("nowhere")
    assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(RefusedError) as caught:
        await client.request("GET", "/universes/nowhere")
    assert caught.value.code is Code.NOT_FOUND


async def test_a_piece_that_cannot_be_is_refused(people: People) -> None:
    _, ann = await people.joins("ann")

    with pytest.raises(RefusedError) as caught:
        await ann.generate(0)

    assert caught.value.code is Code.INVALID_PARAMETERS


async def test_whoever_is_put_out_is_raised_the_reason(people: People, world: World) -> None:
    _, ann = await people.joins("ann")
    events = aiter(ann)

    status, _ = await world.call("DELETE", f"/universes/{people.universe}", "owner")

    assert status == 204
    with pytest.raises(RefusedError) as caught:
        await next_of(events, ParametersUpdated)
    assert caught.value.code is Code.NOT_FOUND
    assert (ann.status, ann.error, ann.participants) == ("refused", caught.value, ())
    with pytest.raises(LookupError):
        _ = ann.parameters


async def test_tokens_are_renewed_when_it_is_time_and_when_one_has_expired(
    people: People, world: World
) -> None:
    # The first is expired already, and the second soon will be.
    given = [
        world.token("ann", lifetime_s=-60),
        world.token("ann", lifetime_s=40),
        world.token("ann"),
    ]
    asked: list[str] = []

    async def get_token() -> str:
        asked.append(given[min(len(asked), len(given) - 1)])
        return asked[-1]

    async with connect(world.stack.urls[0], get_token) as client:
        ann = await client.join(people.universe)
        await client.until(
            lambda: client.clock.until(client.expires_at or "") > 600_000, PATIENCE_S
        )
        assert (asked, client.error) == (given, None)
        await ann.set(physics={"gravity": 1})


async def test_a_token_that_cannot_be_had_at_the_moment_is_asked_for_again(world: World) -> None:
    failures = 0

    def get_token() -> str:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise OSError("the identity provider is away")
        return world.token("ann")

    async with connect(world.stack.urls[0], get_token) as client:
        assert (client.status, client.error, failures) == ("connected", None, 2)


async def test_a_token_that_proves_nothing_is_refused_at_once(world: World) -> None:
    with pytest.raises(RefusedError) as caught:
        async with connect(world.stack.urls[0], lambda: "nonsense"):
            pytest.fail("was let in")
    assert (caught.value.code, caught.value.reason) == (Code.AUTH_ERROR, Reason.INVALID)


async def test_a_server_that_is_not_there_is_said_to_be(world: World) -> None:
    token = world.token("ann")
    with pytest.raises(UnansweredError, match="there is no connection: "):
        async with connect("http://127.0.0.1:9", lambda: token, patience_s=0.05):
            pytest.fail("was let in")
    with pytest.raises(NotConnectedError, match="Connection"):
        async with connect("http://127.0.0.1:9", lambda: token, retry=False):
            pytest.fail("was let in")


async def test_clocks_agree_with_the_server(people: People) -> None:
    client, _ = await people.joins("ann")
    await client.until(lambda: client.clock.rtt_ms is not None, PATIENCE_S)

    rtt_ms = client.clock.rtt_ms
    # The product runs on this machine, by the same clock.
    assert rtt_ms is not None
    assert abs(client.clock.offset_ms) <= rtt_ms / 2 + 1
    assert client.quality in {"good", "fair", "poor"}


async def test_whoever_waits_looks_again_when_the_clock_was_set(people: People) -> None:
    client, _ = await people.joins("ann")
    await client.until(lambda: client.clock.rtt_ms is not None, PATIENCE_S)
    looks: list[float] = []

    def has_looked_twice() -> bool:
        looks.append(client.clock.offset_ms)
        return len(looks) > 2

    # Nothing else happens here.
    await client.until(has_looked_twice, PATIENCE_S)


async def test_bodies_of_the_api_are_json_or_bytes(people: People) -> None:
    client, ann = await people.joins("ann")
    piece = await ann.generate(1)
    path = f"/universes/{people.universe}"

    seen = await client.request("GET", path)
    midi = await client.request("GET", f"{path}/music/{piece.request_id}.mid")

    assert seen["id"] == people.universe
    assert midi.startswith(b"MThd")


async def test_an_endless_piece_is_started_heard_and_ended(people: People) -> None:
    _, ann = await people.joins("ann")
    _, bob = await people.joins("bob", gateway=1)
    events = aiter(bob)
    await ann.set(music={"tempo": 200})
    await ann.start_music(style="waltz", seed=7)
    bars = [await next_of(events, MusicBar) for _ in range(3)]
    assert [bar.bar for bar in bars] == [0, 1, 2]
    assert bob.endless_piece is not None
    assert (bob.endless_piece.seed, bob.endless_piece.stream_id) == (7, bars[0].stream_id)
    with pytest.raises(RefusedError) as refused:
        await bob.start_music()
    assert refused.value.reason is Reason.PLAYING
    await bob.stop_music()
    await next_of(events, MusicStopped)
    assert bob.endless_piece is None

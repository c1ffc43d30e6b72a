"""The protocol guide's own snippets, as they stand, in the official JavaScript clients."""

import asyncio
from typing import Any

import pytest

from e2e.conftest import EXAMPLES, WATCH_TRANSPORTS, Visitors, shows
from harness.javascript import JavascriptClient


async def heard_by_both(ann: JavascriptClient, ben: JavascriptClient, event: str) -> dict[str, Any]:
    """What both hear of an event, which must be the same and hold all that the guide shows."""
    told, also_told = await asyncio.gather(ann.hears(event), ben.hears(event))
    assert told == also_told
    assert shows(told, EXAMPLES[event])
    return told


async def test_the_authentication_snippet_connects_by_polling_and_upgrades(
    visitors: Visitors,
) -> None:
    snippet = visitors.snippet("authentication", token=visitors.world.token("ann"))
    ann = await visitors.opens("ann", snippet + WATCH_TRANSPORTS)
    await ann.hears("console", text="opened by polling")
    await ann.runs("await socket.upgraded;")
    await visitors.says(ann, "join_room")
    await ann.hears("room_joined")


async def test_connect_success_holds_every_field_of_the_guide(visitors: Visitors) -> None:
    ann = await visitors.connects("ann")
    greeting = await ann.hears("connect_success")
    assert shows(greeting, EXAMPLES["connect_success"])
    assert greeting["userId"] == "ann"


async def test_connect_error_is_what_the_guide_shows(visitors: Visitors) -> None:
    ann = await visitors.connects("ann", token="no token")
    refusal = await ann.hears_next("connect_error")
    assert refusal["message"] == EXAMPLES["connect_error"]["error"]
    assert refusal["data"] == {**EXAMPLES["connect_error"], "details": {"reason": "INVALID"}}


async def test_join_room_is_answered_by_room_joined(visitors: Visitors) -> None:
    ann = await visitors.connects("ann")
    await visitors.says(ann, "join_room")
    joined = await ann.hears("room_joined")
    assert shows(joined, EXAMPLES["room_joined"])
    assert joined["universeId"] == visitors.universe
    assert joined["participants"] == [{"userId": "ann", "username": "ann's name", "mode": "edit"}]


async def test_room_error_is_what_the_guide_shows(visitors: Visitors) -> None:
    ann = await visitors.connects("ann")
    visitors.universe = "nowhere"
    await visitors.says(ann, "join_room")
    error = await ann.hears("room_error")
    assert {name: error[name] for name in EXAMPLES["room_error"]} == EXAMPLES["room_error"]


async def test_leave_room_is_answered_by_room_left(visitors: Visitors) -> None:
    ann = await visitors.joins("ann")
    await visitors.says(ann, "leave_room")
    left = await ann.hears("room_left")
    assert shows(left, EXAMPLES["room_left"])
    assert left["universeId"] == visitors.universe


@pytest.mark.parametrize("name", ["physics", "music", "visualization"])
async def test_an_update_is_broadcast_to_all_in_the_room(visitors: Visitors, name: str) -> None:
    ann, ben = await visitors.together()
    await visitors.says(ann, f"update_{name}")
    updated = await heard_by_both(ann, ben, f"{name}_updated")
    assert updated["parameters"] == EXAMPLES[f"{name}_updated"]["parameters"]
    assert (updated["universeId"], updated["userId"]) == (visitors.universe, "ann")


async def test_generate_music_gives_the_same_notes_to_all_in_the_room(visitors: Visitors) -> None:
    ann, ben = await visitors.together()
    await visitors.says(ann, "generate_music")
    generated = await heard_by_both(ann, ben, "music_generated")
    assert generated["notes"]


async def test_audio_analysis_is_broadcast_to_all_in_the_room(visitors: Visitors) -> None:
    ann, ben = await visitors.together()
    await visitors.says(ann, "audio_analysis")
    analyzed = await heard_by_both(ann, ben, "audio_analyzed")
    assert analyzed["analysis"] == EXAMPLES["audio_analyzed"]["analysis"]


async def test_participant_joined_tells_the_room_of_a_newcomer(visitors: Visitors) -> None:
    ann = await visitors.joins("ann")
    await visitors.joins("ben", gateway=1)
    news = await ann.hears("participant_joined")
    assert shows(news, EXAMPLES["participant_joined"])
    assert news["participant"] == {"userId": "ben", "username": "ben's name", "mode": "edit"}


async def test_participant_left_tells_the_room_of_a_departure(visitors: Visitors) -> None:
    ann, ben = await visitors.together()
    await visitors.says(ben, "leave_room")
    news = await ann.hears("participant_left")
    assert shows(news, EXAMPLES["participant_left"])
    assert news["userId"] == "ben"


async def test_error_has_the_format_of_the_guide(visitors: Visitors) -> None:
    ann = await visitors.connects("ann")
    await visitors.says(ann, "update_physics")
    error = await ann.hears("error")
    assert shows(error, EXAMPLES["error"])
    assert error["code"] == "PERMISSION_DENIED"


async def test_the_reconnection_snippet_alone_is_refused_for_want_of_a_token(
    visitors: Visitors,
) -> None:
    ann = await visitors.opens("ann", visitors.snippet("reconnection"))
    refusal = await ann.hears_next("connect_error")
    assert refusal["data"]["details"] == {"reason": "MISSING"}


async def test_the_reconnection_snippets_options_bring_a_client_back(visitors: Visitors) -> None:
    snippet = visitors.snippet_with_token("reconnection", "ann")
    ann = await visitors.opens("ann", snippet)
    await ann.hears("connect_success")
    await ann.runs("socket.io.engine.close();")
    await ann.hears("disconnect")
    await ann.hears("connect_success", userId="ann")


async def test_the_logging_snippet_logs_connections(visitors: Visitors) -> None:
    snippet = visitors.snippet("authentication", token=visitors.world.token("ann"))
    ann = await visitors.opens("ann", snippet + visitors.snippet("logging"))
    await ann.hears("console", text="Connected to WebSocket server")


async def test_the_logging_snippet_logs_refusals(visitors: Visitors) -> None:
    snippet = visitors.snippet("authentication", token="no token")
    ann = await visitors.opens("ann", snippet + visitors.snippet("logging"))
    await ann.hears("console", text="Connection error: Error: Invalid token")


async def test_the_debug_mode_snippet_does_no_harm(visitors: Visitors) -> None:
    snippet = visitors.snippet_with_token("debug_mode", "ann")
    ann = await visitors.opens("ann", snippet)
    await ann.hears("connect_success")

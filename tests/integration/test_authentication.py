"""Who is let in, how a token may be brought, and what those are told who are not."""

import time
from typing import Any

import aiohttp
import jwt
import pytest

from harness.world import SECRET, World

IN_AN_HOUR = int(time.time()) + 3600


def signed(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


async def test_a_good_token_is_greeted_with_who_one_is(world: World) -> None:
    ann = await world.client("user-123")

    greeting = await ann.hears_next("connect_success", userId="user-123", recovered=False)

    assert greeting["timestamp"].endswith("Z")
    assert greeting["serverTime"] == greeting["timestamp"]
    assert greeting["expiresAt"] > greeting["timestamp"]
    assert greeting["sessionId"]
    assert greeting["protocol"] == 1
    assert greeting["limits"]["messageBytes"] == 65536
    assert greeting["limits"]["audioMessageBytes"] == 131072
    assert greeting["limits"]["messageDepth"] == 16
    assert greeting["limits"]["rooms"] == 8


@pytest.mark.parametrize("namespace", ["/ws", "/"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_both_namespaces_are_served_over_both_transports(
    world: World, namespace: str, transport: str
) -> None:
    universe = await world.universe()
    ann = await world.client("ann", namespace=namespace, transports=[transport])

    await ann.joins(universe)
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 2})

    await ann.hears_next("physics_updated", userId="ann")


async def test_the_guides_client_begins_with_polling_and_goes_over(world: World) -> None:
    ann = await world.client("ann", transports=["polling", "websocket"])

    await ann.hears("connect_success", userId="ann")


async def test_a_token_may_come_in_the_query(world: World) -> None:
    ann = await world.client("ann", token="", query=f"?token={world.token('ann')}")

    await ann.hears("connect_success", userId="ann")


async def test_a_token_may_come_as_bearer(world: World) -> None:
    header = {"Authorization": f"Bearer {world.token('ann')}"}

    ann = await world.client("ann", token="", headers=header)

    await ann.hears("connect_success", userId="ann")


async def test_a_token_in_auth_counts_more_than_one_in_the_query(world: World) -> None:
    ann = await world.client("ann", query=f"?token={world.token('bob')}")

    await ann.hears("connect_success", userId="ann")


@pytest.mark.parametrize(
    ("claims", "username"),
    [
        ({"username": "john_doe", "name": "John"}, "john_doe"),
        ({"name": "John", "preferred_username": "jd"}, "John"),
        ({"preferred_username": "jd"}, "jd"),
        ({}, "user-123"),
        ({"username": "jo\u202ehn\u0000\u200b"}, "john"),
        ({"username": "e\u0301" * 100}, "\u00e9" * 64),
    ],
)
async def test_the_display_name_comes_from_the_token(
    world: World, claims: dict[str, str], username: str
) -> None:
    universe = await world.universe()
    token = signed({"sub": "user-123", "exp": IN_AN_HOUR, **claims})
    ann = await world.client("user-123", token=token)

    joined = await ann.joins(universe)

    assert joined["participants"] == [{"userId": "user-123", "username": username, "mode": "edit"}]


@pytest.mark.parametrize(
    ("token", "error", "reason"),
    [
        (None, "A token is required", "MISSING"),
        ("", "A token is required", "MISSING"),
        ("garbage", "Invalid token", "INVALID"),
        ("a.b.c", "Invalid token", "INVALID"),
        ("x" * 10_000, "Invalid token", "INVALID"),
        (
            signed({"sub": "ann", "exp": 1}),
            "The token has expired",
            "EXPIRED",
        ),
        (
            signed(
                {"sub": "ann", "exp": IN_AN_HOUR}, secret="another secret, as long as it must be"
            ),
            "Invalid token",
            "INVALID",
        ),
        (
            signed({"sub": "ann", "exp": IN_AN_HOUR}, secret="", algorithm="none"),
            "Invalid token",
            "INVALID",
        ),
        (
            signed({"sub": "ann", "exp": IN_AN_HOUR}, secret=SECRET * 3, algorithm="HS512"),
            "Invalid token",
            "INVALID",
        ),
    ],
    ids=[
        *("missing", "empty", "garbage", "three parts", "long", "expired", "another secret"),
        *("alg none", "another algorithm"),
    ],
)
async def test_a_bad_token_is_refused_with_a_reason(
    world: World, token: str | None, error: str, reason: str
) -> None:
    refusal = await world.refused(token)

    assert refusal == {
        "message": error,
        "data": {"error": error, "code": "AUTH_ERROR", "details": {"reason": reason}},
    }


@pytest.mark.parametrize(
    ("claims", "claim"),
    [
        ({"sub": "ann"}, "exp"),
        ({"exp": IN_AN_HOUR}, "sub"),
        ({"sub": "", "exp": IN_AN_HOUR}, "sub"),
        ({"sub": "u" * 256, "exp": IN_AN_HOUR}, "sub"),
        ({"sub": "ann", "exp": IN_AN_HOUR * 1000}, "exp"),
        ({"sub": "ann", "exp": IN_AN_HOUR, "iat": IN_AN_HOUR}, "iat"),
        ({"sub": "ann", "exp": IN_AN_HOUR, "nbf": IN_AN_HOUR}, "nbf"),
    ],
)
async def test_a_token_with_a_bad_claim_is_refused_with_its_name(
    world: World, claims: dict[str, Any], claim: str
) -> None:
    refusal = await world.refused(signed(claims))

    assert refusal["data"]["code"] == "AUTH_ERROR"
    assert refusal["data"]["details"] == {"reason": "INVALID", "claim": claim}
    assert f"its {claim} " in refusal["message"]


async def test_an_unknown_namespace_is_refused_by_name(world: World) -> None:
    refusal = await world.refused(world.token("ann"), namespace="/elsewhere")

    assert refusal == {
        "message": "Unknown namespace",
        "data": {"error": "Unknown namespace", "code": "NOT_FOUND"},
    }


async def test_the_first_message_after_expiry_is_refused(world: World) -> None:
    universe = await world.universe()
    # Accepted thanks to the leeway, and over already.
    ann = await world.client("ann", token=world.token("ann", lifetime_s=-1))

    await ann.says("join_room", universeId=universe, mode="view")

    error = await ann.hears("error", code="AUTH_ERROR")
    assert error["details"]["reason"] == "EXPIRED"
    assert error["details"]["event"] == "join_room"


@pytest.mark.parametrize(
    "user", ["auth0|x", "a@b.example", "https://id.example/u?x=1#y", "👩‍🚀 ünï"]
)
async def test_any_identity_providers_user_ids_are_served_as_they_are(
    world: World, user: str
) -> None:
    universe = await world.universe()
    client = await world.client(user)

    await client.joins(universe)
    await client.says("update_music", universeId=universe, parameters={"tempo": 90})

    await client.hears_next("music_updated", userId=user)


async def test_tokens_never_reach_a_log(world: World) -> None:
    good, bad = world.token("ann"), signed({"sub": "ann", "exp": 1})
    ann = await world.client("ann", query=f"?token={good}")
    await world.refused(bad, query=f"?token={bad}")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {bad}"}) as http:
        await http.get(f"{world.stack.urls[0]}/api/v1/universes?token={bad}")

    await ann.says("nonsense", token=good)

    refusal = await ann.hears("error")
    await world.logged(refusal["details"]["errorId"])
    logs = world.logs()
    assert good not in logs
    assert bad not in logs

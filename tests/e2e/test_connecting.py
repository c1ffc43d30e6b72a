"""Transports and tokens, as the official JavaScript clients meet them."""

import jwt
import pytest

from e2e.conftest import WATCH_TRANSPORTS, Visitors
from harmonic_local.tokens import make_token
from harness.world import SECRET

FAR_FUTURE_S = 4_000_000_000
FORGED = {"sub": "ann", "exp": FAR_FUTURE_S}


def opening(url: str, options: str) -> str:
    return f"const socket = io('{url}/ws', {{ {options} }});{WATCH_TRANSPORTS}"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_one_transport_alone_suffices(visitors: Visitors, transport: str) -> None:
    token = visitors.world.token("ann")
    url = visitors.world.stack.urls[0]
    options = f"transports: ['{transport}'], auth: callback => callback({{ token: '{token}' }})"
    ann = await visitors.opens("ann", opening(url, options))
    await ann.hears("console", text=f"opened by {transport}")
    await visitors.says(ann, "join_room")
    await ann.hears("room_joined")
    await visitors.says(ann, "update_physics")
    await ann.hears("physics_updated")
    assert await ann.runs("return socket.io.engine.transport.name;") == transport


async def test_what_is_said_during_the_upgrade_comes_in_order(visitors: Visitors) -> None:
    token = visitors.world.token("ann")
    url = visitors.world.stack.urls[0]
    ann = await visitors.opens("ann", opening(url, f"query: {{ token: '{token}' }}"))
    await visitors.says(ann, "join_room")
    for _ in range(10):
        await visitors.says(ann, "audio_analysis")
    await visitors.says(ann, "update_physics")
    await ann.hears("physics_updated")
    await ann.runs("await socket.upgraded;")
    # Signals that follow one another closely are sent together, a moment later.
    while len(ann.all_heard("audio_analyzed")) < 10:
        await ann.hears("audio_analyzed")
    assert len(ann.all_heard("audio_analyzed")) == 10
    assert ann.all_heard("error") == []


@pytest.mark.parametrize("place", ["query", "auth", "header"])
async def test_a_token_is_taken_from_wherever_clients_can_put_it(
    visitors: Visitors, place: str
) -> None:
    token = visitors.world.token("ann")
    options = {
        "query": f"query: {{ token: '{token}' }}",
        "auth": f"auth: {{ token: '{token}' }}",
        "header": f"extraHeaders: {{ Authorization: 'Bearer {token}' }}",
    }
    ann = await visitors.opens("ann", opening(visitors.world.stack.urls[0], options[place]))
    await ann.hears("connect_success", userId="ann")


async def test_a_subprotocol_that_a_client_asks_for_is_answered(visitors: Visitors) -> None:
    token, url = visitors.world.token("ann"), visitors.world.stack.urls[0]
    options = (
        f"transports: ['websocket'], protocols: ['harmonic', 'other'], auth: {{ token: '{token}' }}"
    )
    ann = await visitors.opens("ann", opening(url, options))
    await ann.hears("connect_success", userId="ann")
    assert await ann.runs("return socket.io.engine.transport.ws.protocol;") == "harmonic"


async def test_a_slow_auth_function_is_waited_for(visitors: Visitors) -> None:
    """Longer than most clients take: its application has a token fetched first."""
    token, url = visitors.world.token("ann"), visitors.world.stack.urls[0]
    slowly = f"auth: callback => setTimeout(() => callback({{ token: '{token}' }}), 12000)"
    ann = await visitors.opens("ann", opening(url, slowly))
    # The engine opened once, and was not closed meanwhile.
    await ann.runs("socket.closed = 0; socket.io.on('close', () => socket.closed++);")
    await ann.hears("connect_success", userId="ann")
    assert await ann.runs("return socket.closed;") == 0
    await visitors.says(ann, "join_room")
    await ann.hears("room_joined")


@pytest.mark.parametrize(
    ("token", "message", "reason"),
    [
        pytest.param("", "A token is required", "MISSING", id="none"),
        pytest.param(
            make_token(SECRET, "ann", lifetime_s=-3600),
            "The token has expired",
            "EXPIRED",
            id="expired",
        ),
        pytest.param("rubbish", "Invalid token", "INVALID", id="no token"),
        pytest.param(
            jwt.encode(FORGED, "another secret, which is long enough too", algorithm="HS256"),
            "Invalid token",
            "INVALID",
            id="another's signature",
        ),
        pytest.param(
            jwt.encode(FORGED, "", algorithm="none"), "Invalid token", "INVALID", id="unsigned"
        ),
    ],
)
async def test_a_token_that_proves_nothing_is_refused_with_a_reason(
    visitors: Visitors, token: str, message: str, reason: str
) -> None:
    ann = await visitors.connects("ann", token=token)
    assert await ann.hears_next("connect_error") == {
        "message": message,
        "data": {"error": message, "code": "AUTH_ERROR", "details": {"reason": reason}},
    }

"""What the clients of ``harmonic load`` and ``harmonic probe`` have in common."""

import time
from collections.abc import Mapping
from typing import Any

import jwt
import socketio

NAMESPACE = "/ws"
#: An answer that takes longer will not come.
ANSWER_TIMEOUT_S = 10.0


def make_token(secret: str, user: str, lifetime_s: float) -> str:
    """A token of a user, as the product's own secret proves it."""
    claims = {"sub": user, "exp": int(time.time() + lifetime_s)}
    return jwt.encode(claims, secret, algorithm="HS256")


async def ask(client: socketio.AsyncClient, event: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a command; raise ``TimeoutError`` or ``SocketIOError`` where none comes."""
    answer: dict[str, Any] = await client.call(
        event, data, namespace=NAMESPACE, timeout=ANSWER_TIMEOUT_S
    )
    return answer

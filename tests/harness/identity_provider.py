"""An identity provider: keys of its own, tokens signed with them, and a set that it publishes.

It publishes as providers do in the field: with entries that are for others, in pieces, slowly, and
not at all for a while.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

Entry = Mapping[str, Any]
Shape = Callable[["Key"], Sequence[Entry]]


@dataclass(frozen=True)
class Key:
    """A key that tokens are signed with."""

    key_id: str
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False
    )

    def entry(self, **said: Any) -> Entry:
        """The key as a set holds it; what is said to be ``None`` is left out."""
        known = jwt.get_algorithm_by_name("RS256").to_jwk(self.private.public_key(), as_dict=True)
        # PyJWT adds it; providers need not.
        known.pop("key_ops", None)
        together = {**known, "kid": self.key_id, **said}
        return {name: value for name, value in together.items() if value is not None}

    def token(self, user: str, **claims: Any) -> str:
        """A token of a user, good for an hour."""
        known = {"sub": user, "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(known, self.private, "RS256", headers={"kid": self.key_id})


#: Keys that are published for other purposes, made once: they cost a second.
_FOR_OTHERS = Key("for-others")


def keycloak(key: Key) -> Sequence[Entry]:
    """A key to encrypt with, first; then the one that signs."""
    x509 = {"x5c": ["MIIC"], "x5t": "t", "x5t#S256": "s"}
    return [
        _FOR_OTHERS.entry(use="enc", alg="RSA-OAEP", **x509),
        key.entry(use="sig", alg="RS256", **x509),
    ]


def entra_id(key: Key) -> Sequence[Entry]:
    """No ``alg`` at all, and a key for the time after the next rotation."""
    x509 = {"x5c": ["MIIC"], "x5t": "t", "issuer": "https://login.example/v2.0"}
    return [_FOR_OTHERS.entry(use="sig", **x509), key.entry(use="sig", **x509)]


def auth0(key: Key) -> Sequence[Entry]:
    """The current key and the next one."""
    return [key.entry(use="sig", alg="RS256"), _FOR_OTHERS.entry(use="sig", alg="RS256")]


def okta(key: Key) -> Sequence[Entry]:
    """One key, which says its state."""
    return [key.entry(use="sig", alg="RS256", status="ACTIVE")]


def cognito(key: Key) -> Sequence[Entry]:
    """One key for each kind of token."""
    return [_FOR_OTHERS.entry(use="sig", alg="RS256"), key.entry(use="sig", alg="RS256")]


SHAPES: Sequence[Shape] = (keycloak, entra_id, auth0, okta, cognito)


@dataclass
class Publisher:
    """Where a set of keys is read: its ``text`` comes in ``pieces``, one by one."""

    text: str = ""
    url: str = ""
    status: HTTPStatus = HTTPStatus.OK
    pieces: int = 1
    asked: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def publishes(self, entries: Sequence[Entry]) -> None:
        """Publish these keys from now on."""
        self.text = json.dumps({"keys": list(entries)})

    async def was_asked(self, times: int) -> None:
        """Return once it was asked so often in all."""
        async with self._news:
            await self._news.wait_for(lambda: self.asked >= times)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Publish, as it is told to."""
        async with self._news:
            self.asked += 1
            self._news.notify_all()
        body = self.text.encode()
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        size = -(-len(body) // self.pieces) or 1
        for start in range(0, len(body), size):
            await response.write(body[start : start + size])
            # A turn of the loop, so that each piece is a segment of its own.
            await asyncio.sleep(0)
        return response


@asynccontextmanager
async def publishing(entries: Sequence[Entry] = ()) -> AsyncIterator[Publisher]:
    """A publisher on a port of its own."""
    publisher = Publisher()
    publisher.publishes(entries)
    app = web.Application()
    app.add_routes([web.get("/keys", publisher.answer)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        publisher.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
        yield publisher
    finally:
        await runner.cleanup()

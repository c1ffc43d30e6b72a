"""What a token proves, and why it proves nothing."""

import base64
import json
import time
from typing import Any

import jwt
import pytest

from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.identity.verification import (
    INVALID,
    NAMELESS,
    Identity,
    Verifier,
    bearer,
    find_token,
)
from harmonic_protocol.refusals import Refused
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock

SECRET = "a secret of the tests, long enough for HS256 and for HS512 as well, which asks for more"


def verifier(*secrets: str, **claims: str) -> Verifier:
    keys = Keys(
        secrets=secrets or (SECRET,),
        jwks_url=None,
        jwks_file=None,
        metrics=Metrics(),
        log=get_log(),
    )
    return Verifier(keys, SystemClock(), **claims)


VERIFIER = verifier()
#: Far enough ahead to be so still when the last test runs.
DAY_S = 86_400
#: Tokens are made when the tests are collected, which may be long before they run.
FAR_FUTURE_S = 4_000_000_000


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    known = {"sub": "ann", "exp": FAR_FUTURE_S, **claims}
    return jwt.encode(
        {name: value for name, value in known.items() if value is not None}, secret, algorithm
    )


def unsigned(**header: Any) -> str:
    parts = ({"typ": "JWT", **header}, {"sub": "ann", "exp": FAR_FUTURE_S})
    encoded = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )
    return ".".join((*encoded, ""))


async def test_a_good_token_proves_who_one_is_and_until_when() -> None:
    identity = await VERIFIER.verify(token(exp=FAR_FUTURE_S, name="Ann"))
    assert identity == Identity("ann", "Ann", FAR_FUTURE_S)
    assert identity.expires_at == "2096-10-02T07:06:40.000Z"


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({}, "ann"),
        ({"preferred_username": "p"}, "p"),
        ({"preferred_username": "p", "name": "n"}, "n"),
        ({"preferred_username": "p", "name": "n", "username": "u"}, "u"),
        ({"username": "\u202eevil\u200b\n"}, "evil"),
        ({"username": "\u200b", "name": "n"}, "n"),
        ({"username": 7}, "ann"),
        ({"username": "x" * 100}, "x" * 64),
        ({"sub": "e\u0301", "username": "e\u0301"}, "\u00e9"),
        ({"sub": "\u202eann" + "x" * 100}, "ann" + "x" * 61),
        ({"username": "\u3164\u115f\u2800", "name": "n"}, "n"),
        ({"sub": "\u3164\u200b"}, NAMELESS),
    ],
)
async def test_the_name_shown_is_the_first_visible_one(claims: dict[str, Any], shown: str) -> None:
    identity = await VERIFIER.verify(token(**claims))
    assert isinstance(identity, Identity)
    assert identity.username == shown


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "MISSING"),
        ("", "MISSING"),
        ("garbage", "INVALID"),
        ("a.b.c", "INVALID"),
        ("x" * 10_000, "INVALID"),
        (token(exp=int(time.time()) - 60), "EXPIRED"),
        (token(SECRET[::-1]), "INVALID"),
        (token(algorithm="HS512"), "INVALID"),
        (unsigned(alg="none"), "INVALID"),
        (unsigned(alg="None"), "INVALID"),
        (unsigned(), "INVALID"),
        ("[" * 4000, "INVALID"),
    ],
)
async def test_anything_else_is_refused_with_a_reason(given: str | None, reason: str) -> None:
    refusal = await VERIFIER.verify(given)
    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.details) == ("AUTH_ERROR", {"reason": reason})


@pytest.mark.parametrize(
    ("claims", "claim", "word"),
    [
        ({"exp": None}, "exp", "missing"),
        ({"exp": 1_800_000_000_000}, "exp", "milliseconds"),
        ({"sub": None}, "sub", "missing"),
        ({"sub": ""}, "sub", "characters"),
        ({"sub": "x" * 256}, "sub", "characters"),
        ({"jti": ""}, "jti", "characters"),
        ({"nbf": int(time.time()) + DAY_S}, "nbf", "future"),
        ({"iat": int(time.time()) + DAY_S}, "iat", "future"),
        ({"iat": "now"}, "iat", "seconds"),
        ({"iat": True}, "iat", "seconds"),
    ],
)
async def test_a_refusal_says_which_claim_is_wrong(
    claims: dict[str, Any], claim: str, word: str
) -> None:
    refusal = await VERIFIER.verify(token(**claims))
    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.details) == ("AUTH_ERROR", {"reason": "INVALID", "claim": claim})
    assert f"its {claim} " in refusal.message
    assert word in refusal.message


@pytest.mark.parametrize("exp", ["soon", float("nan"), float("inf"), [1], {}])
async def test_an_expiry_that_is_no_time_is_invalid(exp: Any) -> None:
    refusal = await VERIFIER.verify(token(exp=exp))
    assert isinstance(refusal, Refused)
    assert refusal.details["reason"] == "INVALID"


async def test_a_time_of_issue_may_be_ahead_as_far_as_clocks_differ() -> None:
    assert isinstance(await VERIFIER.verify(token(iat=int(time.time()) + 240)), Identity)


def test_the_token_is_looked_for_in_auth_then_the_header_then_the_query() -> None:
    header, query = {"Authorization": "Bearer h"}, {"token": "q"}
    assert find_token({"token": "a"}, header, query) == "a"
    assert find_token({"token": 1}, header, query) == "h"
    assert find_token({"token": ""}, header, query) == "h"
    assert find_token(None, {}, query) == "q"
    assert find_token(None, {}, {}) is None
    assert bearer({"Authorization": "Basic h"}) is None
    assert bearer({"Authorization": "bearer  h "}) == "h"


async def test_an_old_secret_is_believed_while_it_is_configured() -> None:
    old = token("the secret of last month, long enough for HS256 and for HS512 as well, I think")
    assert await verifier(SECRET).verify(old) == INVALID
    both = verifier(
        SECRET, "the secret of last month, long enough for HS256 and for HS512 as well, I think"
    )
    for good in (old, token()):
        assert isinstance(await both.verify(good), Identity)


async def test_issuer_and_audience_count_where_they_are_configured() -> None:
    strict = verifier(issuer="us", audience="universe")
    assert isinstance(await strict.verify(token(iss="us", aud=["universe", "x"])), Identity)
    for wrong, claim in (
        ({}, "iss"),
        ({"iss": "us"}, "aud"),
        ({"iss": "them", "aud": "universe"}, "iss"),
        ({"iss": "us", "aud": "x"}, "aud"),
    ):
        refusal = await strict.verify(token(**wrong))
        assert isinstance(refusal, Refused)
        assert refusal.details["claim"] == claim
    assert isinstance(await VERIFIER.verify(token(iss="us", aud="x")), Identity)

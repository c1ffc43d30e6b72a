"""What is accepted without a close look is what PyJWT accepts, and nothing else."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.identity.keys import shared_keys
from harmonic_gateway.identity.plain_tokens import (
    is_plainly_good,
    is_usual,
    read_header,
    signed_claims,
)

SECRET = "a secret of the tests, long enough for HS256"
SECRETS = [key.key for key in shared_keys([SECRET])]
NOW_S = 2_000_000_000
CLAIMS = {"sub": "ann", "exp": NOW_S + 60}


def token(claims: object = CLAIMS, **header: Any) -> str:
    encoded = jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET, "HS256", header)
    return str(encoded)


def is_good(claims: dict[str, Any], **required: str | None) -> bool:
    expected = {"issuer": None, "audience": None, **required}
    return is_plainly_good(claims, NOW_S, leeway_s=5, **expected)


def test_a_token_that_a_secret_signed_says_its_claims() -> None:
    assert signed_claims(token(), SECRETS) == CLAIMS
    others = [key.key for key in shared_keys(["another secret of the tests, just as long"])]
    assert signed_claims(token(), [*others, *SECRETS]) == CLAIMS
    assert signed_claims(token(), others) is None
    assert signed_claims(token(), []) is None


@given(st.integers(0, 10_000), st.characters(codec="utf-8"))
def test_a_token_of_which_a_character_was_changed_says_nothing(at: int, character: str) -> None:
    whole = token()
    changed = whole[: at % len(whole)] + character + whole[at % len(whole) + 1 :]
    assert changed == whole or signed_claims(changed, SECRETS) is None


@pytest.mark.parametrize(
    "made",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        token()[:-1],
        token() + "=",
        token() + "A",
        token() + ".",
        "é.é.é",
    ],
)
def test_what_is_no_token_says_nothing(made: str) -> None:
    assert signed_claims(made, SECRETS) is None


@pytest.mark.parametrize("claims", [[], "ann", None, 7])
def test_claims_that_are_no_object_are_none(claims: object) -> None:
    assert signed_claims(token(claims), SECRETS) is None


@pytest.mark.parametrize("payload", ["e30=", "e31", "e 30", "+/8", "W10\n"])
def test_a_payload_in_another_form_is_left_to_the_library(payload: str) -> None:
    head = token().partition(".")[0]
    key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = key.sign(f"{head}.{payload}".encode(), SECRETS[0])
    signed = f"{head}.{payload}." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    assert signed_claims(signed, SECRETS) is None


def test_a_header_is_usual_that_asks_for_nothing_else() -> None:
    assert is_usual(read_header(token(kid="one").partition(".")[0]))
    assert not is_usual(read_header(token(crit=["x"]).partition(".")[0]))
    assert read_header(token(kid="one").partition(".")[0])["kid"] == "one"


@pytest.mark.parametrize("segment", ["", "e31", "W10", "bnVsbA", "e30!", "é", "e 30"])
def test_what_is_no_header_is_refused(segment: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_header(segment)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"exp": NOW_S - 4}, True),
        ({"exp": NOW_S - 5}, False),
        ({"exp": float(NOW_S + 60)}, False),
        ({"exp": str(NOW_S + 60)}, False),
        ({"exp": True}, False),
        ({"exp": None}, False),
        ({"nbf": NOW_S + 5}, True),
        ({"nbf": NOW_S + 6}, False),
        ({"nbf": "0"}, False),
        ({"nbf": None}, False),
        ({"sub": None}, False),
        ({"sub": 7}, False),
        ({"jti": "one"}, True),
        ({"jti": 7}, False),
        ({"iss": "anybody", "aud": "anybody", "iat": NOW_S + 1000}, True),
    ],
)
def test_claims_are_plainly_good_in_their_simplest_form(
    changes: dict[str, Any],
    expected: bool,  # noqa: FBT001 -- a row
) -> None:
    assert is_good({**CLAIMS, **changes}) is expected


def test_issuer_and_audience_are_the_configured_ones() -> None:
    claims = {**CLAIMS, "iss": "us", "aud": "here"}
    assert is_good(claims, issuer="us", audience="here")
    assert not is_good(claims, issuer="them")
    assert not is_good(claims, audience="there")
    assert not is_good({**claims, "aud": ["here"]}, audience="here")
    assert not is_good(CLAIMS, issuer="us")
    assert not is_good(CLAIMS, audience="here")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "sub": st.one_of(st.text(max_size=3), st.integers(), st.none()),
            "exp": st.one_of(
                st.integers(NOW_S - 10, NOW_S + 10), st.floats(), st.text(max_size=3), st.booleans()
            ),
            "nbf": st.one_of(st.integers(NOW_S - 10, NOW_S + 10), st.floats(), st.none()),
            "jti": st.one_of(st.text(max_size=3), st.integers()),
            "iss": st.sampled_from(["us", "them", ["us"], 7]),
            "aud": st.sampled_from(["here", "there", ["here"], 7]),
        },
    ),
    st.booleans(),
)
def test_what_is_plainly_good_the_library_accepts(
    claims: dict[str, Any],
    is_strict: bool,  # noqa: FBT001 -- an example
) -> None:
    required: dict[str, Any] = {"issuer": "us", "audience": "here"} if is_strict else {}
    if is_good(claims, **required):
        # The library reads the clock of the machine: what has to hold there is moved to it.
        shift = time.time() - NOW_S
        moved = {
            name: value + round(shift) + (2 if name == "exp" else -2)
            if name in {"exp", "nbf"}
            else value
            for name, value in claims.items()
        }
        options: Any = {
            "require": ["exp", "sub"],
            "verify_iat": False,
            "verify_aud": is_strict,
            "verify_iss": is_strict,
        }
        jwt.decode(
            jwt.encode(moved, SECRET, "HS256"),
            shared_keys([SECRET])[0],
            algorithms=["HS256"],
            leeway=5,
            options=options,
            **required,
        )

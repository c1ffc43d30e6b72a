"""Guests' tokens: who a guest is follows from its key, and nothing else."""

import json

import jwt
import pytest
from pydantic import SecretStr, ValidationError

from harmonic_gateway.identity.guests import GUEST_TOKEN_S, AskGuestToken, GuestTokens
from harmonic_gateway.settings import GatewaySettings

SECRET = "the tests' own secret, long enough"
KEY = "a-key-of-22-characters"
NOW_S = 1_700_000_000


def issued(key: str = KEY, name: str = "Ann", **issuing: str) -> dict[str, object]:
    tokens = GuestTokens(
        lambda: SECRET, issuer=issuing.get("issuer"), audience=issuing.get("audience")
    )
    token = tokens.issue(AskGuestToken(name=name, key=key), NOW_S)
    signed = jwt.api_jws.decode(token, SECRET, algorithms=["HS256"])
    return dict(json.loads(signed))


def test_a_guest_is_the_same_user_as_long_as_it_has_its_key() -> None:
    assert issued()["sub"] == issued(name="Anna")["sub"]
    assert issued()["sub"] != issued(key=KEY[::-1])["sub"]
    assert KEY not in str(issued()["sub"])


def test_a_replaced_secret_signs_at_once_and_changes_no_user() -> None:
    secrets = [SECRET]
    tokens = GuestTokens(lambda: secrets[-1], issuer=None, audience=None)
    asked = AskGuestToken(name="Ann", key=KEY)
    before = tokens.issue(asked, NOW_S)
    secrets.append("another secret of the tests, long enough")
    after = tokens.issue(asked, NOW_S)

    with pytest.raises(jwt.InvalidSignatureError):
        jwt.api_jws.decode(after, SECRET, algorithms=["HS256"])
    users = [
        json.loads(jwt.api_jws.decode(token, secret, algorithms=["HS256"]))["sub"]
        for token, secret in zip((before, after), secrets, strict=True)
    ]
    assert users[0] == users[1]


def test_no_guest_is_a_user_of_somebody_else() -> None:
    assert str(issued(key="owner-owner-owner-owner")["sub"]).startswith("guest-")


def test_a_token_is_good_for_an_hour_and_says_what_the_gateway_expects() -> None:
    claims = issued(issuer="me", audience="you")

    assert claims["exp"] == NOW_S + GUEST_TOKEN_S
    assert claims["username"] == "Ann"
    assert (claims["iss"], claims["aud"]) == ("me", "you")
    assert issued().keys() == {"sub", "username", "iat", "exp"}


@pytest.mark.parametrize("key", ["too-short", "x" * 65, "a key with some spaces", ""])
def test_a_key_is_long_enough_not_to_be_guessed_and_not_longer(key: str) -> None:
    with pytest.raises(ValidationError):
        AskGuestToken(name="Ann", key=key)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_has_1_to_64_characters(name: str) -> None:
    with pytest.raises(ValidationError):
        AskGuestToken(name=name, key=KEY)


def test_guests_need_the_secret_that_their_tokens_are_signed_with() -> None:
    with pytest.raises(ValidationError, match="HARMONIC_GUEST_TOKENS needs HARMONIC_JWT_SECRET"):
        GatewaySettings(
            jwks_file="keys.json",
            session_secret=SecretStr("a secret of the tests"),
            guest_tokens=True,
        )


def test_nobody_is_a_guest_by_default() -> None:
    assert not GatewaySettings(jwt_secret=SecretStr("a secret of the tests")).guest_tokens

"""Which entries of a published set of keys are believed, as identity providers publish them."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harmonic_gateway.identity.jwks import MAX_KEYS, KeySet, read_key_set

RSA_KEY = rsa.generate_private_key(65537, 2048)
RSA_OTHER = rsa.generate_private_key(65537, 2048)
RSA_SHORT = rsa.generate_private_key(65537, 1024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
EC_OTHER_CURVE = ec.generate_private_key(ec.SECP384R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def entry(algorithm: str, key: Any, **said: Any) -> dict[str, Any]:
    """A key as a set holds it; what is said to be ``None`` is left out."""
    known = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    # PyJWT adds them; providers need not.
    known.pop("key_ops", None)
    together = {**known, **said}
    return {name: value for name, value in together.items() if value is not None}


def read(*entries: Any) -> KeySet:
    return read_key_set(json.dumps({"keys": entries}).encode())


GOOD = entry("RS256", RSA_KEY, kid="good", use="sig", alg="RS256")

KEYCLOAK = (
    entry("RS256", RSA_OTHER, kid="enc", use="enc", alg="RSA-OAEP", x5c=["MII"], x5t="t"),
    entry("RS256", RSA_KEY, kid="sig", use="sig", alg="RS256", x5c=["MII"], x5t="t"),
)
ENTRA_ID = (
    entry("RS256", RSA_KEY, kid="nOo3", use="sig", x5t="nOo3", x5c=["MII"], issuer="https://i/v2"),
    entry("RS256", RSA_OTHER, kid="l3sQ", use="sig", x5t="l3sQ", x5c=["MII"]),
)
AUTH0 = (
    entry("RS256", RSA_KEY, kid="a0", use="sig", alg="RS256", x5c=["MII"]),
    entry("RS256", RSA_OTHER, kid="a1", use="sig", alg="RS256", x5c=["MII"]),
)
OKTA = (entry("RS256", RSA_KEY, kid="ok", use="sig", alg="RS256", status="ACTIVE"),)
COGNITO = (
    entry("RS256", RSA_KEY, kid="id=", use="sig", alg="RS256"),
    entry("RS256", RSA_OTHER, kid="access=", use="sig", alg="RS256"),
)


@pytest.mark.parametrize(
    ("published", "usable"),
    [
        (KEYCLOAK, {"sig"}),
        (ENTRA_ID, {"nOo3", "l3sQ"}),
        (AUTH0, {"a0", "a1"}),
        (OKTA, {"ok"}),
        (COGNITO, {"id=", "access="}),
    ],
    ids=["keycloak", "entra id", "auth0", "okta", "cognito"],
)
def test_the_sets_of_identity_providers_are_read(published: Any, usable: set[str]) -> None:
    keys = read(*published)
    assert {key_id for _, key_id in keys.keys} == usable
    for key_id in usable:
        assert keys.find("RS256", key_id) is not None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry("RS256", RSA_OTHER, kid="bad", use="enc"), "use is not sig"),
        (entry("RS256", RSA_OTHER, kid="bad", key_ops=["encrypt"]), "key_ops has no verify"),
        (entry("RS256", RSA_OTHER, kid="bad", key_ops="verify"), "key_ops has no verify"),
        (entry("RS256", RSA_OTHER, kid="bad", alg="RSA-OAEP"), "cannot be read"),
        (entry("RS256", RSA_OTHER, kid="bad", alg="RS384"), "is for another algorithm"),
        (entry("RS256", RSA_OTHER, kid="bad", n=None), "cannot be read"),
        (entry("RS256", RSA_OTHER, kid="bad", n="*"), "cannot be read"),
        (entry("RS256", RSA_SHORT, kid="bad"), "has less than 2048 bits"),
        (entry("ES384", EC_OTHER_CURVE, kid="bad"), "is for another algorithm"),
        (entry("ES256", EC_KEY, kid="bad", crv="P-9"), "cannot be read"),
        (entry("EdDSA", ED_KEY, kid="bad", crv="X9"), "cannot be read"),
        (entry("RS256", RSA_OTHER, kid=7), "kid is no text"),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "bad"}, "is no public key"),
        ({"kid": "bad"}, "is no public key"),
        ("text", "is no object"),
        (None, "is no object"),
    ],
)
def test_an_entry_that_cannot_be_used_is_skipped_and_spoils_nothing(bad: Any, reason: str) -> None:
    for published in ((bad, GOOD), (GOOD, bad)):
        keys = read(*published)
        assert set(keys.keys) == {("RS256", "good")}
        assert [skipped.reason for skipped in keys.skipped] == [reason]
    with pytest.raises(ValueError, match="no usable key"):
        read(bad)


def test_all_kinds_of_keys_are_found_by_their_id() -> None:
    keys = read(GOOD, entry("ES256", EC_KEY, kid="e"), entry("EdDSA", ED_KEY, kid="o"))
    assert keys.find("RS256", "good") is not None
    assert keys.find("ES256", "e") is not None
    assert keys.find("EdDSA", "o") is not None
    assert keys.find("ES256", "good") is None


def test_the_same_id_may_name_keys_of_two_algorithms() -> None:
    keys = read(entry("RS256", RSA_KEY, kid="k"), entry("ES256", EC_KEY, kid="k"))
    rs, es = keys.find("RS256", "k"), keys.find("ES256", "k")
    assert rs is not None
    assert es is not None
    assert rs is not es


def test_a_key_without_an_id_serves_if_it_is_the_only_one_of_its_type() -> None:
    nameless = entry("RS256", RSA_KEY)
    alone = read(nameless, entry("ES256", EC_KEY, kid="e"))
    assert alone.find("RS256", None) is not None
    assert alone.find("RS256", "whatever") is not None
    several = read(nameless, entry("RS256", RSA_OTHER, kid="other"))
    assert several.find("RS256", None) is None
    assert several.find("RS256", "whatever") is None
    assert several.find("RS256", "other") is not None


def test_a_token_without_an_id_is_verified_by_the_only_key_of_its_type() -> None:
    assert read(GOOD).find("RS256", None) is not None
    assert read(GOOD).find("RS256", "another") is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b"[" * 9])
def test_what_is_no_set_of_keys_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_key_set(text)


def test_so_many_entries_are_read_and_no_more() -> None:
    others = [{"kid": f"k{number}"} for number in range(MAX_KEYS)]
    with pytest.raises(ValueError, match="no usable key"):
        read(*others, GOOD)
    assert read(*others[1:], GOOD).find("RS256", "good") is not None

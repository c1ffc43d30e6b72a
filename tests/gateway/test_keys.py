"""Public keys: read from where they are published, rotated, and kept while that is away."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harmonic_gateway.identity import keys as keys_module
from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.verification import INVALID, Identity, Verifier
from harmonic_protocol.refusals import Refused
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock
from harness.identity_provider import Publisher, publishing

PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
ANOTHER = rsa.generate_private_key(65537, 2048)


def public(algorithm: str, key: Any, key_id: str) -> dict[str, Any]:
    """A public key as a JWKS has it."""
    as_jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**as_jwk, "kid": key_id, "alg": algorithm, "use": "sig"}


def jwks(*entries: dict[str, Any]) -> str:
    return json.dumps({"keys": entries})


ALL = jwks(*(public(algorithm, key, algorithm) for algorithm, key in PRIVATE.items()))


def token(algorithm: str, key: Any, key_id: str | None, **headers: Any) -> str:
    claims = {"sub": "ann", "exp": int(time.time()) + 600}
    known = {"kid": key_id, **headers} if key_id else headers
    return jwt.encode(claims, key, algorithm, headers=known)


def verifier(
    metrics: Metrics, *, url: str | None = None, file: Path | None = None, secrets: Any = ()
) -> Verifier:
    return Verifier(
        Keys(
            secrets=secrets,
            jwks_url=url,
            jwks_file=None if file is None else str(file),
            metrics=metrics,
            log=get_log(),
        ),
        SystemClock(),
    )


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as found:
        found.text = ALL
        yield found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source may be asked again at once."""
    monkeypatch.setattr(keys_module, "MIN_REFRESH_INTERVAL_S", 0.0)
    monkeypatch.setattr(keys_module, "ABSENT_S", 0.0)


@pytest.mark.parametrize("algorithm", PRIVATE)
async def test_a_token_of_a_published_key_is_good(
    publisher: Publisher, metrics: Metrics, tmp_path: Path, algorithm: str
) -> None:
    good = token(algorithm, PRIVATE[algorithm], algorithm)
    file = tmp_path / "keys.json"
    file.write_text(ALL)
    for source in (verifier(metrics, url=publisher.url), verifier(Metrics(), file=file)):
        identity = await source.verify(good)
        assert isinstance(identity, Identity)
        assert identity.user_id == "ann"


async def test_what_is_not_published_or_says_another_algorithm_is_not(
    publisher: Publisher, metrics: Metrics, eager: None
) -> None:
    checks = verifier(
        metrics, url=publisher.url, secrets=("a secret that nobody knows here at all",)
    )
    pem = (
        PRIVATE["RS256"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    evil = "http://127.0.0.1:1/keys"
    for bad in (
        token("RS256", ANOTHER, "RS256"),
        token("RS256", PRIVATE["RS256"], "unknown"),
        token("RS256", PRIVATE["RS256"], "ES256"),
        token("RS384", PRIVATE["RS256"], "RS256"),
        token("RS256", ANOTHER, "RS256", jku=evil, jwk=public("RS256", ANOTHER, "RS256")),
        signed_with_the_public_key(pem),
    ):
        assert await checks.verify(bad) == INVALID


def signed_with_the_public_key(pem: bytes) -> str:
    """The classic confusion: a public key, which everybody knows, taken for a shared secret."""

    def part(value: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    head = part({"alg": "HS256", "typ": "JWT", "kid": "RS256"})
    signed = head + b"." + part({"sub": "ann", "exp": int(time.time()) + 600})
    digest = hmac.digest(pem, signed, "sha256")
    return (signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


async def test_a_key_that_is_new_is_looked_for_without_a_restart(
    publisher: Publisher, metrics: Metrics, eager: None
) -> None:
    checks = verifier(metrics, url=publisher.url)
    assert isinstance(await checks.verify(token("RS256", PRIVATE["RS256"], "RS256")), Identity)
    publisher.text = jwks(public("RS256", ANOTHER, "new"))
    assert isinstance(await checks.verify(token("RS256", ANOTHER, "new")), Identity)
    assert await checks.verify(token("RS256", PRIVATE["RS256"], "RS256")) == INVALID


async def test_unknown_keys_do_not_have_the_source_asked_again_and_again(
    publisher: Publisher, metrics: Metrics
) -> None:
    checks = verifier(metrics, url=publisher.url)
    assert await checks.verify(token("RS256", ANOTHER, "made up")) == INVALID
    assert await checks.verify(token("RS256", ANOTHER, "made up")) == INVALID
    assert publisher.asked == 1
    # It may be asked again soon for another one, and not so soon for those after it.
    assert await checks.verify(token("RS256", ANOTHER, "made up too")) == INVALID
    for number in range(20):
        assert is_transient(await checks.verify(token("RS256", ANOTHER, f"made up {number}")))
    assert publisher.asked == 2


def is_transient(refusal: Identity | Refused) -> bool:
    assert isinstance(refusal, Refused)
    return refusal.code == "INTERNAL_ERROR" and refusal.details["retryAfterMs"] > 0


@pytest.mark.parametrize(
    ("status", "text"),
    [(500, ""), (200, "no json"), (200, "{}"), (200, '{"keys":[]}'), (200, '{"keys":[{"a":1}]}')],
)
async def test_known_keys_are_kept_while_their_source_fails(
    publisher: Publisher, metrics: Metrics, eager: None, status: int, text: str
) -> None:
    checks = verifier(metrics, url=publisher.url)
    good = token("RS256", PRIVATE["RS256"], "RS256")
    assert isinstance(await checks.verify(good), Identity)
    publisher.status, publisher.text = HTTPStatus(status), text
    assert is_transient(await checks.verify(token("RS256", ANOTHER, "unknown")))
    assert isinstance(await checks.verify(good), Identity)
    assert metrics.registry.get_sample_value("harmonic_jwks_failures_total") == 1


async def test_a_token_that_comes_before_the_first_keys_is_not_refused_for_good(
    publisher: Publisher, metrics: Metrics, eager: None
) -> None:
    publisher.status = HTTPStatus.SERVICE_UNAVAILABLE
    checks = verifier(metrics, url=publisher.url)
    good = token("RS256", PRIVATE["RS256"], "RS256")
    assert is_transient(await checks.verify(good))
    publisher.status = HTTPStatus.OK
    assert isinstance(await checks.verify(good), Identity)


async def test_a_set_that_arrives_in_pieces_is_read_to_its_end(
    publisher: Publisher, metrics: Metrics
) -> None:
    publisher.pieces = len(ALL) // 7
    good = token("EdDSA", PRIVATE["EdDSA"], "EdDSA")
    assert isinstance(await verifier(metrics, url=publisher.url).verify(good), Identity)


async def test_a_set_that_does_not_end_is_given_up_at_its_bound(
    publisher: Publisher, metrics: Metrics
) -> None:
    publisher.text = jwks(public("RS256", ANOTHER, "x")) + " " * keys_module.MAX_JWKS_BYTES
    assert is_transient(
        await verifier(metrics, url=publisher.url).verify(token("RS256", ANOTHER, "x"))
    )


async def test_a_token_without_a_key_id_is_verified_by_the_only_key_of_its_type(
    publisher: Publisher, metrics: Metrics, eager: None
) -> None:
    checks = verifier(metrics, url=publisher.url)
    good = token("RS256", PRIVATE["RS256"], None)
    assert isinstance(await checks.verify(good), Identity)
    publisher.text = jwks(
        public("RS256", PRIVATE["RS256"], "RS256"), public("RS256", ANOTHER, "another")
    )
    assert isinstance(await checks.verify(token("RS256", ANOTHER, "another")), Identity)
    assert await checks.verify(good) == INVALID


async def test_a_secret_is_told_from_another_one_and_from_none(metrics: Metrics) -> None:
    found = Keys(
        secrets=["s" * 32, "old"], jwks_url=None, jwks_file=None, metrics=metrics, log=get_log()
    )
    first = found.fingerprint

    assert first == Proofs("s" * 32).fingerprint
    assert len(first) == 8
    found.replace_secrets(["t" * 32, "s" * 32])
    assert found.fingerprint not in {first, ""}
    found.replace_secrets([])
    assert found.fingerprint == ""


async def test_a_certificate_is_no_shared_secret(metrics: Metrics) -> None:
    """Whoever knows a public key could sign with it as if it were the secret."""
    certificate = ANOTHER.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    secret = "a secret of the tests, long enough"
    both = verifier(metrics, secrets=[certificate.decode(), secret])
    signed = jwt.encode({"sub": "ann", "exp": int(time.time()) + 600}, secret, "HS256")
    assert isinstance(await both.verify(signed), Identity)
    head, _, claims = signed.rpartition(".")[0].partition(".")
    forged = hmac.digest(certificate, f"{head}.{claims}".encode(), "sha256")
    text = base64.urlsafe_b64encode(forged).rstrip(b"=").decode()
    assert await both.verify(f"{head}.{claims}.{text}") is INVALID

"""Which tokens are services': by a secret or an audience of their own, and never otherwise."""

import time

import jwt
import pytest
from pydantic import SecretStr, ValidationError

from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.identity.services import AllTokens, ServiceKeys, all_tokens
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.refusals import Refused
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock

USERS = "the secret of users in these tests"
SERVICES = "the secret of services in these tests"
SECRET = {"service_secret": SERVICES}
AUDIENCES = {"jwt_audience": "users", "service_audience": "services"}


def settings(**chosen: str) -> GatewaySettings:
    return GatewaySettings.model_validate({"jwt_secret": USERS, **chosen})


def tokens(**chosen: str) -> AllTokens:
    told = settings(**chosen)
    keys = Keys.configured(told, metrics=Metrics(), log=get_log())
    return all_tokens(told, keys, ServiceKeys(told.service_secrets), SystemClock())


def token(secret: str = USERS, /, **claims: object) -> str:
    known = {"sub": "ann", "exp": int(time.time()) + 3600, **claims}
    return jwt.encode(known, secret, "HS256")


async def kind(judge: AllTokens, given: str) -> str:
    found = await judge.verify(given)
    if isinstance(found, Refused):
        return str(found.details.get("claim", "refused"))
    return "user" if found.service is None else "service"


@pytest.mark.parametrize(
    ("secret", "claims", "expected"),
    [
        (SERVICES, {"harmonic_service": "x"}, "service"),
        (SERVICES, {}, "refused"),
        (USERS, {"harmonic_service": "x"}, "refused"),
        (USERS, {"harmonic_service": None}, "refused"),
        (USERS, {}, "user"),
        (USERS, {"sub": "service:x"}, "sub"),
        (SERVICES, {"harmonic_service": "x", "exp": 1}, "refused"),
        (SERVICES, {"harmonic_service": "x", "nbf": 4_000_000_000}, "nbf"),
    ],
)
async def test_by_a_secret_of_their_own(
    secret: str, claims: dict[str, object], expected: str
) -> None:
    assert await kind(tokens(**SECRET), token(secret, **claims)) == expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"harmonic_service": "x", "aud": "services"}, "service"),
        ({"harmonic_service": "x", "aud": ["users", "services"]}, "service"),
        ({"harmonic_service": "x", "aud": "users"}, "aud"),
        ({"harmonic_service": "x"}, "aud"),
        ({"aud": "services"}, "aud"),
        ({"aud": "users"}, "user"),
    ],
)
async def test_by_an_audience_of_their_own(claims: dict[str, object], expected: str) -> None:
    assert await kind(tokens(**AUDIENCES), token(**claims)) == expected


@pytest.mark.parametrize(
    ("secret", "audience", "expected"),
    [
        (SERVICES, "services", "service"),
        (SERVICES, "users", "aud"),
        (USERS, "services", "refused"),
    ],
)
async def test_by_both(secret: str, audience: str, expected: str) -> None:
    given = token(secret, aud=audience, harmonic_service="x")
    assert await kind(tokens(**SECRET, **AUDIENCES), given) == expected


async def test_by_default_the_claim_says_nothing() -> None:
    assert await kind(tokens(), token(harmonic_service="x")) == "user"
    assert await kind(tokens(), token(sub="service:x")) == "user"


async def test_a_service_is_known_by_its_name_alone() -> None:
    found = await tokens(**SECRET).verify(token(SERVICES, harmonic_service="A.b_c-1", jti="j"))
    assert isinstance(found, Identity)
    assert (found.user_id, found.username, found.service, found.jti) == (
        *("service:A.b_c-1", "A.b_c-1", "A.b_c-1"),
        "j",
    )


@pytest.mark.parametrize("given", [None, "", "garbage", "a.b.c", "x" * 10_000])
async def test_what_is_no_token_is_refused_as_always(given: str | None) -> None:
    assert await tokens(**SECRET).verify(given) == await tokens().verify(given)


async def test_secrets_that_are_replaced_are_believed_no_more() -> None:
    keys = ServiceKeys([SERVICES])
    told = settings(**SECRET)
    judge = all_tokens(
        told, Keys.configured(told, metrics=Metrics(), log=get_log()), keys, SystemClock()
    )
    given = token(SERVICES, harmonic_service="x")
    assert await kind(judge, given) == "service"
    keys.replace_secrets(["another secret of services, in these tests"])
    assert await kind(judge, given) == "refused"


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"service_secret": USERS}, "another one than users' secrets"),
        ({"service_old_secrets": SERVICES}, "goes with HARMONIC_SERVICE_SECRET"),
        ({"service_audience": "services"}, "needs another HARMONIC_JWT_AUDIENCE"),
        ({"service_audience": "a", "jwt_audience": "a"}, "needs another HARMONIC_JWT_AUDIENCE"),
        ({"service_secret": "short"}, "at least 16"),
    ],
)
def test_settings_that_do_not_tell_services_from_users_are_refused(
    chosen: dict[str, str], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**chosen)


def test_old_secrets_of_services_are_believed() -> None:
    told = settings(**SECRET, service_old_secrets="one-old-secret two-old-secret")
    assert told.service_secrets == (SERVICES, "one-old-secret", "two-old-secret")
    assert isinstance(told.service_secret, SecretStr)

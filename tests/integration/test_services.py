"""Services: what their tokens let them do, one by one, and that others' tokens let nobody do it."""

import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from harmonic_local.stack import Stack
from harmonic_protocol.catalogue import OPERATIONS
from harness.client import PATIENCE_S, Client
from harness.operator import harmonic
from harness.payloads import ON_NOTHING
from harness.waiting import until
from harness.world import SECRET, World, started
from integration.test_sharing import is_out
from integration.test_tokens import revoke

SERVICE_SECRET = "the secret of services in the tests"
CALLS, PIECES = 40, 2
KINDS = ("public", "private")
BODIES: Mapping[str, dict[str, Any]] = {
    "create_universe": {"name": "Theirs"},
    "update_universe": {"name": "Mine"},
    "set_member": {"role": "view"},
    "change_parameters": {"physics": {"gravity": 1}},
    "compose_music": {"duration": 1},
}


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product where services may act, not often."""
    async with started(
        tmp_path_factory.mktemp("served"),
        HARMONIC_SERVICE_SECRET=SERVICE_SECRET,
        HARMONIC_ALLOWED_SERVICE_CALLS=str(CALLS),
        HARMONIC_ALLOWED_SERVICE_PIECES=str(PIECES),
    ) as running:
        yield running


class Services(World):
    """A test's view of it: also as a service, of which each test has its own."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        super().__init__(stack, http)
        self.service = self.name("scheduler")

    async def serves(
        self, method: str, path: str, body: Any = None, *, by: str | None = None, gateway: int = 0
    ) -> tuple[int, Any]:
        """A call of the test's service, or with another token."""
        token = service_token(self.service) if by is None else by
        headers = {"Authorization": f"Bearer {token}"}
        return await self.call(method, path, None, body, gateway=gateway, headers=headers)


@pytest.fixture
async def services(served: Stack) -> AsyncIterator[Services]:
    async with aiohttp.ClientSession() as http:
        view = Services(served, http)
        yield view
        await view.close()


def service_token(service: object, *, secret: str = SERVICE_SECRET, **claims: object) -> str:
    known = {"sub": "the backend", "exp": int(time.time()) + 3600, "harmonic_service": service}
    return jwt.encode({**known, **claims}, secret, "HS256")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_service_may_do_what_is_declared_for_services_and_nothing_else(
    services: Services, name: str, kind: str
) -> None:
    spec = OPERATIONS[name].spec
    owner = services.name("owner")
    universe = await services.universe(owner, visibility=kind, publicMode="view")
    path = spec.path.replace("{universeId}", universe).replace("{requestId}", "missing")
    body = BODIES.get(name)
    if name == "create_universe":
        body = {"name": "Theirs", "owner": owner}

    status, answer = await services.serves(spec.method, path.replace("{userId}", "ann"), body)

    if not spec.services:
        assert status == 403, answer
        assert answer["error"]["details"]["reason"] == "SERVICE"
    else:
        assert status == (404 if name in ON_NOTHING else spec.status), answer


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if "{" in one.spec.path])
async def test_a_universe_that_there_is_not_is_not_found_by_services_either(
    services: Services, name: str
) -> None:
    spec = OPERATIONS[name].spec
    path = spec.path.replace("{universeId}", services.name("missing"))
    path = path.replace("{requestId}", "x").replace("{userId}", "ann")
    status, _ = await services.serves(spec.method, path, BODIES.get(name))
    assert status == 404


async def test_a_service_creates_a_universe_for_a_user_who_owns_it(services: Services) -> None:
    ann = services.name("ann")
    status, made = await services.serves("POST", "/universes", {"name": "Gift", "owner": ann})
    assert (status, made["owner"], made["members"]) == (201, ann, {})
    path = f"/universes/{made['id']}"
    assert (await services.call("PATCH", path, ann, {"name": "Mine"}))[0] == 200
    _, page = await services.call("GET", "/universes?limit=100", ann)
    assert made["id"] in {item["id"] for item in page["items"]}
    _, page = await services.serves("GET", "/universes?limit=100")
    assert made["id"] not in {item["id"] for item in page["items"]}


@pytest.mark.parametrize("owner", [None, "service:other"])
async def test_a_service_owns_nothing_itself(services: Services, owner: str | None) -> None:
    body = {"name": "Nobody's"} | ({} if owner is None else {"owner": owner})
    status, answer = await services.serves("POST", "/universes", body)
    assert status == 400
    assert answer["error"]["details"]["fields"][0]["field"] == "owner"


async def test_a_user_creates_nothing_for_others(services: Services) -> None:
    ann = services.name("ann")
    body = {"name": "Gift", "owner": services.name("bob")}
    status, answer = await services.call("POST", "/universes", ann, body)
    assert (status, answer["error"]["details"]["reason"]) == (403, "NOT_SERVICE")
    assert (await services.call("POST", "/universes", ann, {**body, "owner": ann}))[0] == 201


async def test_what_a_service_creates_counts_for_its_owner(tmp_path: Path) -> None:
    async with (
        started(
            tmp_path / "few",
            gateways=1,
            musics=0,
            HARMONIC_SERVICE_SECRET=SERVICE_SECRET,
            HARMONIC_UNIVERSES_PER_USER="1",
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        few = Services(stack, http)
        body = {"name": "Gift", "owner": "ann"}
        assert (await few.serves("POST", "/universes", body))[0] == 201
        status, answer = await few.serves("POST", "/universes", body)
        assert (status, answer["error"]["details"]["reason"]) == (409, "QUOTA")
        assert (await few.serves("POST", "/universes", {**body, "owner": "bob"}))[0] == 201
        # Whoever may not name an owner learns nothing of what that owner has.
        status, _ = await few.call("POST", "/universes", "eve", body)
        assert status == 403


async def test_the_room_hears_what_a_service_changes_and_which_it_was(services: Services) -> None:
    universe, (ann,) = await services.together("ann")
    body = {"physics": {"gravity": 3}, "music": {"tempo": 90}, "opId": "once"}
    path = f"/universes/{universe}/parameters"

    status, answer = await services.serves("PATCH", path, body)

    assert status == 200
    physics = await ann.hears_next("physics_updated")
    music = await ann.hears_next("music_updated", seq=answer["seq"])
    told = {(each["userId"], each["service"]) for each in (physics, music)}
    assert told == {(f"service:{services.service}", services.service)}
    assert (physics["parameters"]["gravity"], music["parameters"]["tempo"]) == (3, 90)
    # The same once more is answered, and not carried out again.
    assert await services.serves("PATCH", path, body, gateway=1) == (200, answer)
    _, page = await services.call("GET", f"/universes/{universe}/events", "ann")
    assert [each["data"]["service"] for each in page["items"][-2:]] == [services.service] * 2
    assert page["lastSeq"] == answer["seq"]


@pytest.mark.parametrize(
    "body", [{}, {"physics": {"gravity": 21}}, {"physics": {}}, {"universeId": "u", "physics": {}}]
)
async def test_a_service_is_held_to_the_ranges(services: Services, body: dict[str, Any]) -> None:
    universe = await services.universe()
    path = f"/universes/{universe}/parameters"
    status, answer = await services.serves("PATCH", path, body)
    assert (status, answer["error"]["code"]) == (400, "INVALID_PARAMETERS")


async def test_the_room_hears_the_piece_that_a_service_asked_for(services: Services) -> None:
    universe, (ann,) = await services.together("ann")
    path = f"/universes/{universe}/music"
    status, _ = await services.serves("POST", path, {"duration": 2, "seed": 7})
    assert status == 202
    piece = await ann.hears("music_generated", seed=7)
    assert (piece["userId"], piece["service"]) == (
        f"service:{services.service}",
        services.service,
    )
    _, listed = await services.serves("GET", path)
    # A link works as long as the service may see the universe: where it is private, too.
    ann_path = f"/universes/{universe}"
    assert (await services.call("PATCH", ann_path, "owner", {"visibility": "private"}))[0] == 200
    midi = listed["items"][0]["midi"].removeprefix("/api/v1")
    assert (await services.call("GET", midi))[0] == 200


async def test_a_service_moderates_and_those_concerned_are_told(services: Services) -> None:
    universe, (_, ann) = await services.together("owner", "ann")
    path = f"/universes/{universe}"

    assert (await services.serves("DELETE", f"{path}/participants/ann"))[0] == 204
    told = await ann.hears("room_error")
    assert (told["details"]["reason"], told["details"]["service"]) == ("KICKED", services.service)

    await ann.joins(universe)
    assert (await services.serves("PUT", f"{path}/bans/ann"))[0] == 204
    await is_out(ann, universe, "PERMISSION_DENIED")
    _, seen = await services.serves("GET", path)
    assert list(seen["bans"]) == ["ann"]
    assert (await services.serves("DELETE", f"{path}/bans/ann"))[0] == 204
    assert await ann.joins(universe)


@pytest.mark.parametrize(("method", "place"), [("DELETE", "participants"), ("PUT", "bans")])
async def test_a_service_does_nothing_to_the_owner(
    services: Services, method: str, place: str
) -> None:
    universe, _ = await services.together("owner")
    status, answer = await services.serves(method, f"/universes/{universe}/{place}/owner")
    assert (status, answer["error"]["details"]["reason"]) == (400, "OWNER")


@pytest.mark.parametrize(
    ("token", "reason", "claim"),
    [
        (service_token("x", secret=SECRET), "INVALID", None),
        (service_token("x", secret="a secret that nobody knows, long enough"), "INVALID", None),
        (service_token("x y"), "INVALID", "harmonic_service"),
        (service_token(""), "INVALID", "harmonic_service"),
        (service_token(True), "INVALID", "harmonic_service"),
        (service_token("x" * 65), "INVALID", "harmonic_service"),
        (service_token("x", exp=1), "EXPIRED", None),
        (
            jwt.encode({"sub": "x", "exp": 4_000_000_000}, SERVICE_SECRET, "HS256"),
            "INVALID",
            None,
        ),
        (
            jwt.encode({"sub": "service:x", "exp": 4_000_000_000}, SECRET, "HS256"),
            "INVALID",
            "sub",
        ),
    ],
)
async def test_tokens_that_are_neither_a_users_nor_a_services_are_refused(
    services: Services, token: str, reason: str, claim: str | None
) -> None:
    status, answer = await services.serves("GET", "/universes", by=token)
    assert status == 401
    details = answer["error"]["details"]
    assert (details["reason"], details.get("claim")) == (reason, claim)


async def test_where_services_are_not_switched_on_the_claim_says_nothing(world: World) -> None:
    ann = world.name("ann")
    claims = {"sub": ann, "exp": int(time.time()) + 3600, "harmonic_service": "x"}
    headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
    status, made = await world.call("POST", "/universes", None, {"name": "Mine"}, headers=headers)
    assert (status, made["owner"]) == (201, ann)
    other = service_token("x", secret=SERVICE_SECRET)
    status, _ = await world.call(
        "GET", "/universes", None, headers={"Authorization": f"Bearer {other}"}
    )
    assert status == 401


@pytest.mark.parametrize("namespace", ["/ws", "/"])
async def test_a_service_opens_no_socket(services: Services, namespace: str) -> None:
    token = service_token(services.service)
    refusal = await services.refused(token, namespace=namespace)
    assert refusal["data"]["code"] == "AUTH_ERROR"
    assert refusal["data"]["details"]["reason"] == "SERVICE"


async def test_a_user_does_not_go_on_as_a_service(services: Services) -> None:
    ann = await services.client(services.name("ann"))
    answer = await ann.asks("refresh_token", token=service_token(services.service))
    assert answer["error"]["code"] == "AUTH_ERROR"
    assert "t1" in await ann.asks("time_sync", t0=1)


@pytest.mark.parametrize("by", ["user", "token"])
async def test_a_revocation_counts_for_services(services: Services, by: str) -> None:
    jti = services.name("jti")
    token = service_token(services.service, jti=jti, iat=int(time.time()) - 10)
    assert (await services.serves("GET", "/universes", by=token))[0] == 200
    user = f"service:{services.service}"
    await revoke(services, *(("--user", user) if by == "user" else ("--jti", jti)))
    for gateway in range(2):

        async def is_refused(gateway: int = gateway) -> bool:
            status, _ = await services.serves("GET", "/universes", by=token, gateway=gateway)
            return status != 200

        await until(is_refused, PATIENCE_S)
        status, answer = await services.serves("GET", "/universes", by=token, gateway=gateway)
        assert (status, answer["error"]["details"]["reason"]) == (401, "REVOKED")


async def test_a_services_calls_are_counted_for_itself_over_all_gateways(
    services: Services,
) -> None:
    refused = 'allowances_total{outcome="refused",rate="service_calls"}'
    before = await services.metric(refused)
    for number in range(CALLS):
        status, answer = await services.serves("GET", "/universes?limit=1", gateway=number % 2)
        assert status == 200, answer
    status, answer = await services.serves("GET", "/universes?limit=1")
    assert (status, answer["error"]["code"]) == (429, "RATE_LIMITED")
    assert answer["error"]["details"]["limit"] == CALLS
    assert await services.metric(refused) == before + 1
    # Another service has its own.
    other = service_token(services.name("other"))
    assert (await services.serves("GET", "/universes?limit=1", by=other))[0] == 200


async def test_a_services_pieces_are_counted_apart(services: Services) -> None:
    for _ in range(PIECES):
        universe = await services.universe()
        path = f"/universes/{universe}/music"
        assert (await services.serves("POST", path, {"duration": 1}))[0] == 202
    status, answer = await services.serves("POST", path, {"duration": 1})
    assert (status, answer["error"]["details"]["limit"]) == (429, PIECES)
    assert (await services.serves("GET", path))[0] == 200


async def test_pieces_that_are_switched_off_are_so_for_services(services: Services) -> None:
    universe = await services.universe()
    ann = await services.client(services.name("ann"))
    assert (await harmonic(services.stack, "switch", "music", "off")).status == 0
    try:

        async def is_switched_off() -> bool:
            return await reason_of(ann, universe) == "SWITCHED_OFF"

        # Her gateway has heard of it once she is refused for that.
        await until(is_switched_off, PATIENCE_S)
        path = f"/universes/{universe}/music"
        status, answer = await services.serves("POST", path, {"duration": 1})
        assert (status, answer["error"]["details"]["reason"]) == (403, "SWITCHED_OFF")
    finally:
        assert (await harmonic(services.stack, "switch", "music", "on")).status == 0


async def reason_of(client: Client, universe: str) -> str:
    answer = await client.asks("generate_music", universeId=universe, duration=1)
    return str(answer["error"]["details"]["reason"])

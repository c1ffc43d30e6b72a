"""What the HTTP API refuses: in one format, with a reason, and without a hint at what is hidden."""

from typing import Any

import pytest

from harness.world import World

OPERATIONS = [
    ("POST", "/universes", {"name": "A universe"}),
    ("GET", "/universes", None),
    ("GET", "/universes/ID", None),
    ("PATCH", "/universes/ID", {"name": "Another"}),
    ("DELETE", "/universes/ID", None),
    ("PUT", "/universes/ID/members/ann", {"role": "edit"}),
    ("DELETE", "/universes/ID/members/ann", None),
    ("DELETE", "/universes/ID/participants/ann", None),
    ("PUT", "/universes/ID/bans/ann", None),
    ("DELETE", "/universes/ID/bans/ann", None),
    ("GET", "/universes/ID/participants", None),
    ("GET", "/universes/ID/events", None),
    ("GET", "/universes/ID/music", None),
    ("GET", "/universes/ID/music/request.mid", None),
]
ON_ONE_UNIVERSE = [operation for operation in OPERATIONS if "ID" in operation[1]]
BY_ITS_OWNER = [operation for operation in ON_ONE_UNIVERSE if operation[0] != "GET"]


def error_of(answer: Any) -> dict[str, Any]:
    """The error of an answer in the API's format."""
    assert answer.keys() == {"error"}
    error: dict[str, Any] = answer["error"]
    assert error.keys() == {"code", "message", "details"}
    assert error["message"]
    return error


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
async def test_every_operation_needs_a_token(
    world: World, method: str, path: str, body: Any
) -> None:
    status, answer = await world.call(method, path, None, body)

    assert status == 401
    error = error_of(answer)
    assert error["code"] == "AUTH_ERROR"
    assert error["details"]["reason"] == "MISSING"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Bearer garbage", "INVALID"),
        ("Bearer ", "MISSING"),
        ("Basic YW5uOmFubg==", "MISSING"),
        ("garbage", "MISSING"),
    ],
)
async def test_a_bad_token_is_refused(world: World, header: str, reason: str) -> None:
    status, answer = await world.call("GET", "/universes", headers={"Authorization": header})

    assert status == 401
    assert error_of(answer)["details"]["reason"] == reason


async def test_an_expired_token_is_refused(world: World) -> None:
    header = {"Authorization": f"Bearer {world.token('ann', lifetime_s=-60)}"}

    status, answer = await world.call("GET", "/universes", headers=header)

    assert status == 401
    assert error_of(answer)["details"]["reason"] == "EXPIRED"


@pytest.mark.parametrize(("method", "path", "body"), ON_ONE_UNIVERSE)
async def test_a_hidden_universe_looks_like_one_that_never_was(
    world: World, method: str, path: str, body: Any
) -> None:
    hidden = await world.universe("owner", visibility="private")

    answers = [
        await world.call(method, path.replace("ID", universe), "ann", body)
        for universe in (hidden, "never-was")
    ]

    for status, answer in answers:
        assert status == 404
        assert error_of(answer)["code"] == "NOT_FOUND"
        del answer["error"]["details"]["errorId"]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("method", "path", "body"), BY_ITS_OWNER)
async def test_what_only_the_owner_may_do_is_refused_to_others(
    world: World, method: str, path: str, body: Any
) -> None:
    universe = await world.universe("owner")
    await world.call("PUT", f"/universes/{universe}/members/ann", "owner", {"role": "edit"})

    status, answer = await world.call(method, path.replace("ID", universe), "ann", body)

    assert status == 403
    error = error_of(answer)
    assert error["code"] == "PERMISSION_DENIED"
    assert error["details"]["reason"] == "NOT_OWNER"
    assert await world.logged(error["details"]["errorId"])


async def test_there_is_nothing_at_other_addresses(world: World) -> None:
    for path in ("/nothing", "/universes/", "/universes/a/b", ""):
        status, answer = await world.call("GET", path, "ann")
        assert status == 404
        assert error_of(answer)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/universes", {"GET", "POST"}),
        ("POST", "/universes/u", {"GET", "PATCH", "DELETE"}),
        ("GET", "/universes/u/members/ann", {"PUT", "DELETE"}),
        ("DELETE", "/openapi.json", {"GET"}),
    ],
)
async def test_another_method_is_refused_with_those_that_are_allowed(
    world: World, method: str, path: str, allowed: set[str]
) -> None:
    headers = {"Authorization": f"Bearer {world.token('ann')}"}
    url = f"{world.stack.urls[0]}/api/v1{path}"

    async with world.http.request(method, url, headers=headers) as response:
        answer = await response.json()

    assert response.status == 405
    assert set(response.headers["Allow"].split(", ")) - {"HEAD"} == allowed
    assert error_of(answer)["details"]["reason"] == "METHOD"


async def send(
    world: World, data: str | bytes, content_type: str = "application/json", method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    """The status and the error of a creation with this body."""
    headers = {"Authorization": f"Bearer {world.token('ann')}", "Content-Type": content_type}
    url = f"{world.stack.urls[0]}/api/v1/universes"
    async with world.http.request(method, url, data=data, headers=headers) as response:
        return response.status, error_of(await response.json())


async def test_a_body_of_more_than_64_kib_is_too_large(world: World) -> None:
    status, error = await send(world, '{"name":"' + "x" * 70_000 + '"}')

    assert status == 413
    assert error["details"]["reason"] == "TOO_LARGE"
    assert error["details"]["limitBytes"] == 65536


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_refused(world: World, content_type: str) -> None:
    status, error = await send(world, '{"name":"A"}', content_type)

    assert status == 415
    assert error["details"]["reason"] == "CONTENT_TYPE"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "NOT_JSON"),
        ("{", "NOT_JSON"),
        (b"\xff\xfe", "NOT_JSON"),
        ("[" * 30_000, "NOT_JSON"),
        ("null", "NOT_AN_OBJECT"),
        ("[1]", "NOT_AN_OBJECT"),
        ('"name"', "NOT_AN_OBJECT"),
    ],
    ids=["empty", "cut", "bytes", "deep", "null", "list", "string"],
)
async def test_a_body_that_is_no_json_object_is_refused(
    world: World, body: str | bytes, reason: str
) -> None:
    status, error = await send(world, body)

    assert status == 400
    assert error["code"] == "INVALID_PARAMETERS"
    assert error["details"]["reason"] == reason


WIDE = ",".join(f'"field-{number}":1' for number in range(65))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"name":' + "[" * 50 + "]" * 50 + "}", "TOO_DEEP"),
        ("{" + WIDE + "}", "TOO_MANY_VALUES"),
        ('{"name":{' + WIDE + "}}", "TOO_MANY_VALUES"),
        ('{"name":[' + ",".join(["1"] * 9000) + "]}", "TOO_MANY_VALUES"),
    ],
    ids=["deep", "wide", "wide inside", "long"],
)
async def test_a_body_that_no_call_could_have_is_not_looked_at_field_by_field(
    world: World, body: str, reason: str
) -> None:
    status, error = await send(world, body)

    assert status == 400
    assert error["code"] == "INVALID_PARAMETERS"
    assert error["details"]["reason"] == reason


async def test_a_query_of_very_many_fields_is_not_looked_at_one_by_one(world: World) -> None:
    query = "&".join(f"field-{number}=1" for number in range(65))
    status, answer = await world.call("GET", f"/universes?{query}", "ann")

    assert status == 400
    assert error_of(answer)["details"]["reason"] == "TOO_MANY_VALUES"


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ('{"name":"A","maxParticipants":NaN}', "maxParticipants", "must be a whole number"),
        ('{"name":"A","maxParticipants":1e400}', "maxParticipants", "must be a whole number"),
        ('{"name":"A","maxParticipants":0}', "maxParticipants", "must be at least 1"),
        ('{"name":"A","maxParticipants":1001}', "maxParticipants", "must be at most 1000"),
        ('{"name":"A","maxParticipants":"5"}', "maxParticipants", "must be a whole number"),
        ('{"name":"A","visibility":"secret"}', "visibility", "must be one of"),
        ('{"name":"A","publicMode":null}', "publicMode", "must be one of"),
        ('{"name":"A","id":"a.b"}', "id", "must match"),
        ('{"name":"A","id":""}', "id", "must match"),
        ('{"name":"A","max_participants":5}', "max_participants", "is not a known field"),
        ("{}", "name", "is missing"),
        ('{"name":7}', "name", "must be a string"),
        ('{"name":' + "[" * 10 + "]" * 10 + "}", "name", "must be a string"),
    ],
)
async def test_a_wrong_field_is_named_with_its_reason(
    world: World, wrong: str, field: str, reason: str
) -> None:
    status, error = await send(world, wrong)

    assert status == 400
    assert error["code"] == "INVALID_PARAMETERS"
    (problem,) = error["details"]["fields"]
    assert problem["field"] == field
    assert problem["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"name": None}, "name"),
        ({"owner": None}, "owner"),
        ({"participants": 3}, "participants"),
        ({"universeId": "another"}, "universeId"),
        ({"id": "another"}, "id"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(
    world: World, body: dict[str, Any], field: str
) -> None:
    universe = await world.universe("ann")

    status, answer = await world.call("PATCH", f"/universes/{universe}", "ann", body)

    assert status == 400
    assert [problem["field"] for problem in error_of(answer)["details"]["fields"]] == [field]


@pytest.mark.parametrize("body", [{}, {"role": "owner"}, {"role": None}, {"role": "edit", "x": 1}])
async def test_a_role_that_there_is_not_is_refused(world: World, body: dict[str, Any]) -> None:
    universe = await world.universe("ann")

    status, answer = await world.call("PUT", f"/universes/{universe}/members/bob", "ann", body)

    assert status == 400
    assert error_of(answer)["code"] == "INVALID_PARAMETERS"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "universe",
    ["%ff", "%00", "a%2Fb", "%0d%0aX:1", "..%2f..", "u" * 65, "*", "%3E", "%F0%9F%9A%80"],
)
async def test_an_id_that_cannot_be_is_refused(world: World, method: str, universe: str) -> None:
    body = {"name": "A"} if method == "PATCH" else None

    status, answer = await world.call(method, f"/universes/{universe}", "ann", body)

    assert status in {400, 404}
    assert error_of(answer)["code"] in {"INVALID_PARAMETERS", "NOT_FOUND"}


async def test_a_user_id_of_more_than_255_characters_is_refused(world: World) -> None:
    universe = await world.universe("ann")
    path = f"/universes/{universe}/members/{'u' * 256}"

    status, answer = await world.call("PUT", path, "ann", {"role": "view"})

    assert status == 400
    assert error_of(answer)["code"] == "INVALID_PARAMETERS"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("e\u0301tude", "étude"),
        ("  Space  ", "Space"),
        ("宇宙 🚀", "宇宙 🚀"),
        ("x" * 100, "x" * 100),
        ("<b>'; DROP TABLE", "<b>'; DROP TABLE"),
    ],
)
async def test_a_name_is_kept_composed_and_as_text(world: World, name: str, kept: str) -> None:
    _, universe = await world.call("POST", "/universes", "ann", {"name": name})

    assert universe["name"] == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 101,
        "a\u202eb",
        "a\u2066b",
        "a\u200bb",
        "a\u0000b",
        "a\nb",
        "\ufeffa",
        "\ud800",
    ],
    ids=ascii,
)
async def test_a_name_that_deceives_is_refused(world: World, name: str) -> None:
    universe = await world.universe("ann")

    created = await world.call("POST", "/universes", "ann", {"name": name})
    renamed = await world.call("PATCH", f"/universes/{universe}", "ann", {"name": name})

    for status, answer in (created, renamed):
        assert status == 400
        assert [problem["field"] for problem in error_of(answer)["details"]["fields"]] == ["name"]

"""Which web pages may use a gateway, and what every answer says to browsers."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from harmonic_local.stack import Stack
from harness.world import World, started

PAGE, STRANGER = "https://app.example", "https://evil.example"


@pytest.fixture(scope="module")
async def listed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product that lets one page in."""
    async with started(
        tmp_path_factory.mktemp("listed"),
        gateways=1,
        musics=0,
        HARMONIC_ALLOWED_ORIGINS=f"{PAGE}, https://other.example:8443",
    ) as running:
        yield running


@pytest.fixture
async def gate(listed: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(listed, http)
        yield view
        await view.close()


async def get(
    world: World, path: str, *, method: str = "GET", **headers: str
) -> aiohttp.ClientResponse:
    """An answer, read to its end; a header's name has underscores for hyphens."""
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    async with world.http.request(
        method, URL(world.stack.urls[0] + path, encoded=True), headers=said
    ) as response:
        await response.read()
        return response


POLL = "/socket.io/?EIO=4&transport=polling"
DOCUMENT = "/api/v1/openapi.json"


@pytest.mark.parametrize("path", [POLL, DOCUMENT, "/healthz"])
async def test_a_listed_page_may_see_answers(gate: World, path: str) -> None:
    answer = await get(gate, path, Origin=PAGE)

    assert answer.status == 200
    assert answer.headers.getall("Access-Control-Allow-Origin") == [PAGE]
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", [POLL, DOCUMENT, "/healthz", "/nowhere"])
@pytest.mark.parametrize(
    "origin",
    [
        STRANGER,
        "null",
        "https://app.example.evil.example",
        "https://app.example:444",
        "http://app.example",
        "https://other.example",
        "",
    ],
)
async def test_another_page_is_refused_and_sees_nothing(
    gate: World, path: str, origin: str
) -> None:
    answer = await get(gate, path, Origin=origin)

    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "claim",
    [
        {"Host": "evil.example"},
        {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"},
        {"Forwarded": "host=evil.example;proto=https"},
    ],
)
async def test_a_page_is_not_let_in_for_what_a_request_says_of_the_server(
    gate: World, claim: dict[str, str]
) -> None:
    answer = await get(gate, POLL, Origin=STRANGER, **claim)

    assert answer.status == 403


@pytest.mark.parametrize("path", ["/socket.io/", "/ws/"])
async def test_a_cross_site_websocket_is_refused(gate: World, path: str) -> None:
    token = gate.token("ann")
    url = f"{gate.stack.urls[0]}{path}?EIO=4&transport=websocket&token={token}"

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await gate.http.ws_connect(url, headers={"Origin": STRANGER})

    assert refused.value.status == 403


async def test_a_listed_page_may_open_a_websocket(gate: World) -> None:
    url = f"{gate.stack.urls[0]}/socket.io/?EIO=4&transport=websocket"

    async with gate.http.ws_connect(url, headers={"Origin": PAGE}) as websocket:
        assert (await websocket.receive_str()).startswith("0{")


async def test_a_session_of_a_program_cannot_be_gone_on_with_by_a_page(gate: World) -> None:
    async with gate.http.get(gate.stack.urls[0] + POLL) as opened:
        sid = (await opened.text()).split('"sid":"')[1].split('"')[0]

    answer = await get(gate, f"{POLL}&sid={sid}", method="POST", Origin=STRANGER)

    assert answer.status == 403


async def test_programs_without_an_origin_are_let_in(gate: World) -> None:
    ann = await gate.client("ann")

    await ann.hears("connect_success")


async def test_a_listed_page_may_call_the_api_with_a_token(gate: World) -> None:
    answer = await get(
        gate,
        "/api/v1/universes",
        method="OPTIONS",
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type",
    )

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


async def test_a_page_may_send_the_headers_that_its_tools_add(gate: World) -> None:
    asked = "authorization,traceparent,sentry-trace,baggage"
    answer = await get(
        gate,
        "/socket.io/?EIO=4&transport=polling",
        method="OPTIONS",
        Origin=PAGE,
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers=asked,
    )

    assert answer.status == 204
    assert asked in answer.headers["Access-Control-Allow-Headers"]


async def test_headers_that_are_none_are_not_echoed(gate: World) -> None:
    for asked in ("a b", "x" * 2000, "a,,b", "a: b"):
        answer = await get(
            gate,
            "/api/v1/universes",
            method="OPTIONS",
            Origin=PAGE,
            Access_Control_Request_Method="GET",
            Access_Control_Request_Headers=asked,
        )
        assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"


async def test_another_page_may_not(gate: World) -> None:
    answer = await get(
        gate,
        "/api/v1/universes",
        method="OPTIONS",
        Origin=STRANGER,
        Access_Control_Request_Method="POST",
    )

    assert answer.status == 403
    assert "Access-Control-Allow-Methods" not in answer.headers


async def test_by_default_no_page_is_let_in(world: World) -> None:
    answer = await get(world, DOCUMENT, Origin=world.stack.urls[0])

    assert answer.status == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (POLL, 200),
        ("/socket.io/", 400),
        ("/socket.io/?EIO=4&transport=polling&sid=none", 400),
        (DOCUMENT, 200),
        ("/api/v1/universes", 401),
        ("/nowhere", 404),
        ("/healthz", 200),
        ("/readyz", 200),
    ],
)
async def test_every_answer_tells_browsers_to_make_nothing_of_it(
    world: World, path: str, status: int
) -> None:
    answer = await get(world, path)

    assert answer.status == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Strict-Transport-Security" not in answer.headers
    assert answer.headers["Server"] == "harmonic"

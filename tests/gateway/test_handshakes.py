"""Handshakes that are taken without python-engineio are those that it would take, as it would."""

import itertools

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from harmonic_gateway.sockets.handshakes import Handshakes

_QUERIES = (
    *("EIO=4&transport=polling", "EIO=4&transport=websocket", "transport=polling&EIO=4&t=abc"),
    *("EIO=4&EIO=3&transport=polling", "EIO=3&EIO=4&transport=polling", "EIO=4&transport="),
    *("EIO=4&transport=polling&transport=websocket", "EIO=4&transport=websocket&transport=polling"),
    *("EIO=4&transport=polling&sid=", "EIO=4&transport=polling&sid=&sid=x", "EIO=4"),
    *("EIO=4&transport=polling&j=0", "EIO=4&transport=polling&j=", "EIO=4&transport=polling&j=x"),
    *("EIO=%34&transport=polling", "EIO=4&transport=pol%6Cing", "EIO=4+&transport=polling"),
    *("EIO=4;transport=polling", "EIO=4&transport=polling;sid=x", "eio=4&transport=polling"),
    *("EIO=&EIO=4&transport=polling", "EIO=4&transport=&transport=polling", "EIO=4&transport=x"),
    *("", "EIO=4&transport=polling&token=x%00y", "EIO=4&transport=WEBSOCKET"),
)
_METHODS = ("GET", "POST", "OPTIONS", "PUT")
_UPGRADES = (None, "websocket", "WebSocket", "h2c", "websocket, h2c")


@pytest.mark.parametrize("query", _QUERIES)
async def test_a_plain_handshake_is_taken_as_it_would_be_anyway(query: str) -> None:
    begun: list[str] = []

    async def begin(_: web.Request, transport: str) -> web.StreamResponse:
        begun.append(transport)
        return web.Response(status=200)

    handshakes = Handshakes(begin)
    for method, upgrade in itertools.product(_METHODS, _UPGRADES):
        headers = {} if upgrade is None else {"Upgrade": upgrade}
        request = make_mocked_request(method, f"/socket.io/?{query}", headers)
        taken = (await handshakes.answer(request)).status, begun.copy()
        begun.clear()
        read = (await handshakes.handle_request(request)).status, begun.copy()
        begun.clear()
        assert taken == read, (method, upgrade)

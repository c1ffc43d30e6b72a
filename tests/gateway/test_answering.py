"""Answers to polls: those whose head is kept go over the wire as those that are composed."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from harmonic_gateway.http.listening import add_headers
from harmonic_gateway.http.origins import Origins
from harmonic_gateway.sockets.answering import MAX_KINDS, AnswerComposer
from harmonic_gateway.sockets.polling import BAD_REQUEST, PollAnswer

_PAGE = "https://page.example"
_ANSWERS = {
    "/short": PollAnswer(200, b"ok"),
    "/long": PollAnswer(200, b"x" * 200_000),
    "/gzipped": PollAnswer(200, b"no gzip, which nobody reads here", gzips=True),
    "/bad": BAD_REQUEST,
}
_DATE = re.compile(rb"(Date: )[^\r]+")


class _Server:
    """An application with all that every answer has, and the bytes that it answers with."""

    def __init__(self) -> None:
        self.composer = AnswerComposer()
        self._app = web.Application()
        self._app.router.add_route("*", "/{name}", self._answer)
        add_headers(self._app, Origins(frozenset({_PAGE})), secure=True)
        self._runner = web.AppRunner(self._app, access_log=None)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        return self.composer.response(request, _ANSWERS[request.path])

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def ask(self, *heads: str) -> bytes:
        """All that comes on one connection, on which the last request ends it."""
        port = self._runner.addresses[0][1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("".join(f"{head}\r\nHost: a\r\n\r\n" for head in heads).encode())
        answer = await reader.read()
        writer.close()
        return _DATE.sub(rb"\1now", answer)


@pytest.fixture
async def server() -> AsyncIterator[_Server]:
    made = _Server()
    await made.start()
    yield made
    await made.stop()


def _fields(answer: bytes) -> tuple[list[bytes], bytes]:
    """An answer's lines in any order, and its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return sorted(head.split(b"\r\n")), body


@pytest.mark.parametrize("path", _ANSWERS)
@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", " HTTP/1.1\r\nConnection: close"),
        ("POST", " HTTP/1.1\r\nConnection: close"),
        ("GET", " HTTP/1.0"),
        ("GET", f" HTTP/1.1\r\nConnection: close\r\nOrigin: {_PAGE}"),
        ("GET", " HTTP/1.1\r\nConnection: close\r\nOrigin: https://another.example"),
        ("HEAD", " HTTP/1.1\r\nConnection: close"),
        ("OPTIONS", " HTTP/1.1\r\nConnection: close"),
    ],
)
async def test_the_second_answer_of_a_kind_is_as_the_first(
    server: _Server, path: str, method: str, rest: str
) -> None:
    first, second = [_fields(await server.ask(f"{method} {path}{rest}")) for _ in range(2)]
    assert second == first
    assert first[1] == (b"" if method == "HEAD" else _ANSWERS[path].body)


async def test_what_every_answer_has_is_on_those_whose_head_is_kept(server: _Server) -> None:
    head = f"GET /short HTTP/1.1\r\nConnection: close\r\nOrigin: {_PAGE}"
    await server.ask(head)
    lines, _ = _fields(await server.ask(head))
    assert {
        b"Cache-Control: no-store",
        b"X-Content-Type-Options: nosniff",
        b"Strict-Transport-Security: max-age=31536000",
        f"Access-Control-Allow-Origin: {_PAGE}".encode(),
        b"Vary: Origin",
    } <= set(lines)


async def test_an_answer_has_its_own_length_and_nothing_of_another_page(server: _Server) -> None:
    close = "HTTP/1.1\r\nConnection: close"
    await server.ask(f"GET /short {close}\r\nOrigin: {_PAGE}", f"GET /short {close}")
    lines, body = _fields(await server.ask(f"GET /long {close}"))
    assert b"Content-Length: 200000" in lines
    assert len(body) == 200_000
    assert not any(b"Access-Control-Allow-Origin" in line for line in lines)


async def test_a_connection_stays_for_the_next_request_where_it_may(server: _Server) -> None:
    stays = [f"GET {path} HTTP/1.1" for path in ("/short", "/short", "/long", "/short")]
    answers = await server.ask(*stays, "GET /short HTTP/1.1\r\nConnection: close")
    assert answers.count(b"HTTP/1.1 200 OK") == len(stays) + 1
    assert answers.count(b"Connection: close") == 1


async def test_kinds_are_kept_in_a_bounded_number(server: _Server) -> None:
    for number in range(MAX_KINDS + 10):
        page = f"https://page-{number}.example"
        await server.ask(f"GET /short HTTP/1.1\r\nConnection: close\r\nOrigin: {page}")
    assert server.composer.kinds == MAX_KINDS

"""HTTP requests to the API and to Engine.IO, and bytes that are none, as they go over the wire."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from fuzz.packets import damaged
from fuzz.payloads import ROOM, UNIVERSES, encoded, hostile, mutated, valid
from harmonic_protocol.catalogue import OPERATIONS
from harmonic_protocol.messages.declaration import API_PREFIX

_METHODS: Sequence[str] = (
    *("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PRI"),
    *("BREW", "get", "G\x00T", "X" * 200),
)
_SEGMENTS: Sequence[str] = (
    *(*UNIVERSES, *UNIVERSES, "user-1", "user-2", "%2e%2e", "..", "%00", "%ff", "%2F", "%", "%zz"),
    *("a%20b", "%F0%9F%8E%B5", "\xe9", "*", "a" * 300, "a" * 9000, "", "a;b=c", "%u0041", "{", "+"),
)
_PATHS: Sequence[str] = (
    *(
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/openapi.json",
        "/api/v1",
        "/api/v2/universes",
    ),
    *("//", "/api/v1//universes", "/api/v1/universes/", "/../etc/passwd", "*", "http://evil/x", ""),
    *(
        "/socket.io/",
        "/ws/",
        "/ws",
        "/socket.io",
        "/favicon.ico",
        "/.git/config",
        "/%2e%2e/",
        "x:1",
    ),
)
_QUERIES: Sequence[str] = (
    *("", "?", "?limit=1", "?limit=-1", "?limit=99999999999999999999", "?limit=NaN", "?cursor=0"),
    *("?cursor=-1", "?cursor=9223372036854775808", "?limit=1&limit=2", "?universeId=x", "?%ff=%fe"),
    *(
        "?EIO=4&transport=polling",
        "?EIO=3&transport=polling",
        "?EIO=4&transport=websocket",
        "?&&=&=",
    ),
    *("?EIO=4&transport=polling&j=0", "?EIO=4&transport=polling&sid=x", "?EIO=4&transport=polling"),
    *("?EIO=4&EIO=4&transport=polling", "?transport=", "?EIO=4&transport=polling&b64=1&t=x"),
    *("?EIO=4&transport=websocket&sid=g1.x", "?cursor=1e3", "?limit=%31", "?" + "a=b&" * 500),
    *("?EIO=4&transport=polling&token=" + "x" * 7000, "?EIO=4&transport=polling&sid[]=1"),
)
_EXTRA: Sequence[bytes] = (
    *[b""] * 8,
    *(b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    *(
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + rest
        for rest in (
            b"Sec-WebSocket-Version: 13\r\n",
            b"Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n",
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ====\r\n",
        )
    ),
    *(b"Origin: https://evil.example\r\n", b"Origin: null\r\n", b"Origin: \xff\r\n"),
    *(b"X-Forwarded-For: 1.2.3.4\r\n", b"X-Forwarded-For: ::1, , x\r\nForwarded: for=x\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n", b"Content-Encoding: br\r\n"),
    *(
        b"Expect: 100-continue\r\n",
        b"Expect: tea\r\n",
        b"Cookie: a=b; c\r\n",
        b"Range: bytes=0-\r\n",
    ),
    *(b"X-A: " + b"a" * 9000 + b"\r\n", b"X-A: b\r\n" * 200, b"X-A : b\r\n", b": b\r\n", b"A\r\n"),
    *(b"X-A: \x00\r\n", b"X-A: \xc3\xa9\r\n", b" folded\r\n", b"Accept-Encoding: gzip\r\n"),
    *(b"Host: a\r\nHost: b\r\n", b"If-None-Match: *\r\n", b"X-HTTP-Method-Override: DELETE\r\n"),
    *(b"Access-Control-Request-Method: PUT\r\n", b"Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\n"),
)
_TYPES: Sequence[bytes] = (
    *[b"application/json"] * 8,
    *(b"", b"text/plain", b"application/json; charset=utf-16", b"application/json;charset=\xff"),
    *(b"multipart/form-data", b"application/x-www-form-urlencoded", b"application/JSON", b"a/b/c"),
)
#: How a body is announced: its true length, if there is one, and what is said of it.
_LENGTHS: Sequence[tuple[str, str]] = (
    *[("true", "")] * 12,
    *(("said", size) for size in ("0", "1", "70000", "99999999999", "-1", "x", "+5", "5, 5", "٣")),
    *(("chunks", ending) for ending in ("0\r\n\r\n", "", "x\r\n", "ffffffffffffffff\r\n", "0\r\n")),
    ("both", "5"),
    ("none", ""),
)
_TOKENS: Sequence[str] = (
    *(
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0.",
        "Basic YTpi",
    ),
    *(
        "bearer TOKEN",
        "Bearer  TOKEN",
        "TOKEN",
        "Bearer TOKEN.x",
        "Bearer \xff",
        "Bearer " + "x" * 8000,
    ),
    "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6eyJhIjoxfX0.eyJzdWIiOlsxXX0.c2ln",
)


def _body(kind: tuple[str, str], body: bytes) -> tuple[bytes, bytes]:
    how, said = kind
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    match how:
        case "true":
            return b"Content-Length: %d\r\n" % len(body), body
        case "said":
            return f"Content-Length: {said}\r\n".encode(), body
        case "chunks":
            return b"Transfer-Encoding: chunked\r\n", chunk + said.encode()
        case "both":
            head = f"Content-Length: {said}\r\nTransfer-Encoding: chunked\r\n".encode()
            return head, chunk + b"0\r\n\r\n"
        case _:
            return b"", body


def _request(drawn: tuple[Any, ...]) -> bytes:
    method, target, query, token, content_type, extra, kind, body = drawn
    length, sent = _body(kind, body) if body or kind[0] != "true" else (b"", b"")
    typed = b"Content-Type: %s\r\n" % content_type if body else b""
    said = f"Authorization: {token}\r\n".encode("latin-1") if token else b""
    line = f"{method} {target}{query} HTTP/1.1\r\n".encode("latin-1", "replace")
    return b"".join(
        (
            line,
            b"Host: localhost\r\nConnection: close\r\n",
            said,
            typed,
            extra,
            length,
            b"\r\n",
            sent,
        )
    )


def _json(value: Any) -> bytes:
    return encoded(value).encode(errors="surrogatepass")


def _operations(tokens: Sequence[str]) -> st.SearchStrategy[bytes]:
    authorized = [f"Bearer {token}" for token in tokens]
    segments = st.sampled_from(_SEGMENTS)

    def of(model: Any) -> st.SearchStrategy[bytes]:
        spec = model.spec
        names = [part[1:].partition("}")[0] for part in spec.path.split("/") if part[:1] == "{"]
        fields = valid(model).map(
            lambda value: {name: item for name, item in value.items() if name not in names}
        )

        def target(filled: tuple[str, ...]) -> str:
            return API_PREFIX + _filled(spec.path, dict(zip(names, filled, strict=True)))

        takes_body = spec.method in {"POST", "PUT", "PATCH"}
        return st.tuples(
            st.sampled_from((*[spec.method] * 8, *_METHODS)),
            st.tuples(*[segments] * len(names)).map(target),
            st.sampled_from(_QUERIES) if spec.method == "GET" else st.just(""),
            st.sampled_from((*authorized * 2, *_TOKENS)),
            st.sampled_from(_TYPES),
            st.sampled_from(_EXTRA),
            st.sampled_from(_LENGTHS),
            damaged(mutated(fields).map(_json)) if takes_body else st.just(b""),
        ).map(_request)

    return st.one_of([of(model) for model in OPERATIONS.values()])


def _filled(path: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value if value.isascii() else quote(value))
    return path


def requests(tokens: Sequence[str]) -> st.SearchStrategy[bytes]:
    """One request, mostly of the API, by somebody whose token is good, mostly."""
    anything = st.tuples(
        st.sampled_from(_METHODS),
        st.sampled_from(_PATHS),
        st.sampled_from(_QUERIES),
        st.sampled_from((*(f"Bearer {token}" for token in tokens), *_TOKENS)),
        st.sampled_from(_TYPES),
        st.sampled_from(_EXTRA),
        st.sampled_from(_LENGTHS),
        hostile.map(_json),
    ).map(_request)
    operations = _operations(tokens)
    return st.one_of(operations, operations, anything)


#: Where somebody says that a stream is to go on: at an event's id, or at what is none.
_EVENT_IDS: Sequence[str] = (
    *[""] * 4,
    *("0", "-1", f"{ROOM}:1", f"{ROOM}:1:abcdef", f"{ROOM}:0:000000:1", f"{ROOM}:{2**63}"),
    *(f"{ROOM}:1:abcdef,{ROOM}:2:abcdef", "fuzz-1:1", ":" * 900, "x" * 7000, "%00", "\u00a0"),
)


def streams(tokens: Sequence[str]) -> st.SearchStrategy[bytes]:
    """A request for a stream of events, or for a link to one."""

    def made(drawn: tuple[str, str, str, str]) -> bytes:
        universe, token, place, where = drawn
        path = f"{API_PREFIX}/universes/{universe}/stream"
        head = ""
        match where:
            case "query":
                path += f"?lastEventId={quote(place)}"
            case "link":
                path += "/link"
            case "made-up link":
                path += f"?link={quote(place)}{token[-40:]}"
            case _:
                head = f"Last-Event-ID: {place}\r\n" if place else ""
        lines = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n{head}\r\n"
        return lines.encode("latin-1", "replace")

    return st.tuples(
        st.sampled_from((*[ROOM] * 5, *UNIVERSES)),
        st.sampled_from((*[f"Bearer {token}" for token in tokens] * 2, *_TOKENS)),
        st.sampled_from(_EVENT_IDS),
        st.sampled_from(("header", "header", "query", "link", "made-up link")),
    ).map(made)


_NO_HTTP: Sequence[bytes] = (
    *(b"", b"\x00", b"\r\n", b"\r\n" * 500, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    *(
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1",
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
    ),
    *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET  /  HTTP/1.1\r\n\r\n", b"\xff\xfe" * 100),
    *(
        b"A" * 9000,
        b"A" * 100_000,
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"{}\n",
        b"PING\r\n",
    ),
    *(
        b"CONNECT evil:443 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nA: b",
    ),
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 60,
    b"POST /ws/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcdeGET /healthz HTTP/1.1\r\n\r\n",
)

#: Bytes for the port that clients connect to.
raw_bytes: st.SearchStrategy[bytes] = st.one_of(
    damaged(st.sampled_from(_NO_HTTP)),
    st.binary(max_size=200),
)

"""The playground: a page to try the product with, served as it was built.

``make playground`` builds it from ``shared/playground`` into this package.
"""

import gzip
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from aiohttp import ETag, web

from harmonic_gateway.settings import GatewaySettings

#: The page may load from the gateway alone. Its markup has no inline code or style.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}
#: Browsers revalidate the page each time; its files have digests in their names.
_PAGE_CACHING = "no-cache"
_ASSET_CACHING = "public, max-age=31536000, immutable"
_PAGE = "index.html"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_GZIP_LEVEL = 9

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def playground_routes(settings: GatewaySettings) -> list[web.RouteDef]:
    """A route for each file of the page, which is at ``/``; no route if it is switched off."""
    if not settings.playground:
        return []
    return [
        web.get("/" if path == _PAGE else f"/{path}", _serving(PurePosixPath(path), body))
        for path, body in _files(resources.files("harmonic_gateway") / "playground")
    ]


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _serving(path: PurePosixPath, body: bytes) -> Handler:
    """A handler with one file's bytes, compressed once."""
    compressed = gzip.compress(body, _GZIP_LEVEL, mtime=0)
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    headers = {
        **PAGE_HEADERS,
        "Cache-Control": _PAGE_CACHING if path.name == _PAGE else _ASSET_CACHING,
        "ETag": f'"{digest}"',
        "Vary": "Accept-Encoding",
    }
    media_type = _MEDIA_TYPES[path.suffix]

    async def serve(request: web.Request) -> web.StreamResponse:
        if ETag(digest) in (request.if_none_match or ()):
            return web.Response(status=web.HTTPNotModified.status_code, headers=headers)
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        return web.Response(
            body=compressed if packed else body,
            content_type=media_type,
            charset="utf-8",
            headers={**headers, "Content-Encoding": "gzip"} if packed else headers,
        )

    return serve

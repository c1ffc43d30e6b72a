"""The keys that tokens are verified with: shared secrets, and a set of public keys (RFC 7517).

Which algorithms and which keys are believed is configured, never taken from a token.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics

HMAC_ALGORITHMS = ("HS256",)
PUBLIC_KEY_ALGORITHMS = ("RS256", "ES256", "EdDSA")
#: How often a set of keys is read again, and how soon again for a key that is not known.
REFRESH_INTERVAL_S = 300.0
MIN_REFRESH_INTERVAL_S = 10.0
FETCH_TIMEOUT_S = 5.0
#: A set of keys is a few KiB; more is something else.
MAX_JWKS_BYTES = 256 * 1024
MAX_KEYS = 100


class Keys:
    """All keys; the public ones are kept while their source cannot be read."""

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        jwks_url: str | None,
        jwks_file: str | None,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._secrets = tuple(secrets)
        self._url = jwks_url
        self._file = jwks_file
        self._public: Mapping[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._log = log
        self._failures = metrics.counter("jwks_failures", "times that the keys could not be read")
        metrics.gauge("jwks_keys", "public keys known").set_function(lambda: len(self._public))

    @property
    def _has_source(self) -> bool:
        return self._url is not None or self._file is not None

    async def candidates(self, algorithm: object, key_id: object) -> list[Any]:
        """The keys that a token of such a header may be signed with; none: it is not believed."""
        if algorithm in HMAC_ALGORITHMS:
            return list(self._secrets)
        if algorithm not in PUBLIC_KEY_ALGORITHMS or not isinstance(key_id, str):
            return []
        if key_id not in self._public:
            await self._refresh(MIN_REFRESH_INTERVAL_S)
        key = self._public.get(key_id)
        return [key] if key is not None and key.algorithm_name == algorithm else []

    async def keep_fresh(self) -> None:
        """Read the public keys now and again, for ever."""
        while self._has_source:
            await self._refresh(0)
            await asyncio.sleep(REFRESH_INTERVAL_S)

    async def _refresh(self, min_age_s: float) -> None:
        if not self._has_source:
            return
        async with self._reading:
            loop = asyncio.get_running_loop()
            if loop.time() - self._read_at < min_age_s:
                return
            self._read_at = loop.time()
            try:
                self._public = _read_set(await self._fetch())
            except (
                OSError,
                ValueError,
                TypeError,
                aiohttp.ClientError,
                TimeoutError,
                jwt.PyJWTError,
            ) as error:
                self._failures.inc()
                self._log.warning("jwks_not_read", reason=type(error).__name__)

    async def _fetch(self) -> bytes:
        if self._file is not None:
            return await asyncio.to_thread(Path(self._file).read_bytes)
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(str(self._url), allow_redirects=False) as response,
        ):
            response.raise_for_status()
            return await response.content.read(MAX_JWKS_BYTES)


def _read_set(text: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys by id; a set without any is as good as none."""
    document = json.loads(text)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise TypeError("no set of keys")
    found: dict[str, jwt.PyJWK] = {}
    for entry in entries[:MAX_KEYS]:
        is_key = isinstance(entry, dict) and entry.get("kty") in {"RSA", "EC", "OKP"}
        if not is_key or not isinstance(entry.get("kid"), str):
            continue
        key = jwt.PyJWK(entry)
        if key.algorithm_name in PUBLIC_KEY_ALGORITHMS:
            found[entry["kid"]] = key
    if not found:
        raise ValueError("no usable key")
    return found

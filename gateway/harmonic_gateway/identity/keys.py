"""The keys that tokens are verified with: shared secrets, and a published set of public keys.

Which algorithms and which keys are believed is configured, never taken from a token. A key that
is not known may be newer than the set at hand: then the set is read again before the token is
refused. While it cannot be read, nobody can tell, and the refusal is transient.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
import jwt
from jwt.algorithms import HMACAlgorithm
from jwt.utils import base64url_encode

from harmonic_gateway import metrics as table
from harmonic_gateway.identity.jwks import PUBLIC_KEY_ALGORITHMS, KeySet, read_key_set
from harmonic_gateway.identity.proofs import fingerprint
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.causes import Cause
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics

HMAC_ALGORITHMS = ("HS256",)
#: How often a set of keys is read again.
REFRESH_INTERVAL_S = 300.0
#: Between two reads for a key that is not known. It doubles with each read that brings nothing
#: new, up to the second bound: strangers must not have the provider asked again and again.
MIN_REFRESH_INTERVAL_S = 1.0
MAX_REFRESH_INTERVAL_S = 10.0
#: A token of a key that is not known waits at most so long for the next read.
PATIENCE_S = 1.0
#: A key that was not in the set when it was asked for is not looked for again for so long. So many
#: of them are remembered.
ABSENT_S = 10.0
MAX_ABSENT_KEYS = 1000
FETCH_TIMEOUT_S = 5.0
#: A set of keys is a few KiB; more is something else.
MAX_JWKS_BYTES = 256 * 1024
_CHUNK_BYTES = 16 * 1024


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
        self.replace_secrets(secrets)
        self._url = jwks_url
        self._file = jwks_file
        self._public = KeySet()
        self._begun = 0
        self._read_at_s: float | None = None
        self._absent: dict[tuple[str, str | None], float] = {}
        self._failed = False
        self._next_read_s = float("-inf")
        self._pause_s = MIN_REFRESH_INTERVAL_S
        self._reading = asyncio.Lock()
        self._loaded = asyncio.Event()
        self._log = log
        self._failures = metrics.counter(table.JWKS_FAILURES)
        metrics.gauge_from(table.JWKS_KEYS, lambda: len(self._public.keys))
        metrics.gauge_from(table.JWKS_KEYS_SKIPPED, lambda: len(self._public.skipped))
        metrics.gauge_from(table.JWKS_AGE, self._age_s)

    @classmethod
    def configured(cls, settings: GatewaySettings, *, metrics: Metrics, log: BoundLogger) -> Self:
        """The keys that the settings name."""
        return cls(
            secrets=settings.secrets,
            jwks_url=settings.jwks_url,
            jwks_file=settings.jwks_file,
            metrics=metrics,
            log=log,
        )

    def replace_secrets(self, secrets: Sequence[str]) -> None:
        """Believe these shared secrets from now on, and no others."""
        self._secrets = shared_keys(secrets)
        self._newest = next(iter(secrets), None)
        self.fingerprint = fingerprint(secrets)

    @property
    def signing_secret(self) -> str:
        """The shared secret that new tokens are signed with; raise ``LookupError`` without one."""
        if self._newest is None:
            raise LookupError("there is no shared secret to sign tokens with")
        return self._newest

    @property
    def _has_source(self) -> bool:
        return self._url is not None or self._file is not None

    def _age_s(self) -> float:
        """Seconds since the set of keys was read; 0 if it was not."""
        if self._read_at_s is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._read_at_s

    async def loaded(self) -> None:
        """Return once the keys are there; at once where there is no set to read."""
        if self._has_source:
            await self._loaded.wait()

    async def candidates(self, algorithm: object, key_id: object) -> list[Any] | Refused:
        """The keys that a token of such a header may be signed with; none: it is not believed.

        A transient refusal where the key may be a new one and the set cannot be read.
        """
        if algorithm in HMAC_ALGORITHMS:
            return list(self._secrets)
        if algorithm not in PUBLIC_KEY_ALGORITHMS or not isinstance(key_id, str | None):
            return []
        if not self._has_source:
            return []
        wanted = (str(algorithm), key_id)
        key = self._public.find(*wanted)
        if key is None and not self._is_known_absent(wanted):
            refusal = await self._read_anew()
            key = self._public.find(*wanted)
            if key is None and refusal is not None:
                return refusal
            if key is None:
                self._note_absent(wanted)
        return [key] if key is not None else []

    def _is_known_absent(self, wanted: tuple[str, str | None]) -> bool:
        return self._absent.get(wanted, 0.0) > asyncio.get_running_loop().time()

    def _note_absent(self, wanted: tuple[str, str | None]) -> None:
        if len(self._absent) >= MAX_ABSENT_KEYS:
            del self._absent[next(iter(self._absent))]
        self._absent[wanted] = asyncio.get_running_loop().time() + ABSENT_S

    async def keep_fresh(self) -> None:
        """Read the public keys now and again, for ever."""
        loop = asyncio.get_running_loop()
        while self._has_source:
            async with self._reading:
                await self._read()
            pause_s = REFRESH_INTERVAL_S
            if self._failed:
                pause_s = max(self._next_read_s - loop.time(), 0)
            await asyncio.sleep(pause_s)

    async def _read_anew(self) -> Refused | None:
        """Read the set once from its beginning; a transient refusal if that cannot be done soon."""
        loop = asyncio.get_running_loop()
        # A read that has begun may show the set as it was before the token's key was published.
        wanted = self._begun + 1
        async with self._reading:
            if self._begun < wanted:
                wait_s = self._next_read_s - loop.time()
                if wait_s > PATIENCE_S:
                    return _unavailable(wait_s)
                await asyncio.sleep(max(wait_s, 0))
                await self._read()
        return _unavailable(self._next_read_s - loop.time()) if self._failed else None

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        self._begun += 1
        before = self._public.keys.keys()
        try:
            found = read_key_set(await self._fetch())
        except (OSError, ValueError, TypeError, RecursionError, aiohttp.ClientError) as error:
            self._failed = True
            self._failures.inc()
            self._log.warning("jwks_not_read", reason=type(error).__name__)
        else:
            self._failed = False
            self._read_at_s = loop.time()
            if found.skipped != self._public.skipped:
                for skipped in found.skipped:
                    self._log.warning("jwk_skipped", kid=skipped.key_id, reason=skipped.reason)
            self._public = found
            self._loaded.set()
        is_fruitless = self._failed or self._public.keys.keys() == before
        doubled_s = min(2 * self._pause_s, MAX_REFRESH_INTERVAL_S)
        self._pause_s = doubled_s if is_fruitless else MIN_REFRESH_INTERVAL_S
        self._next_read_s = loop.time() + self._pause_s

    async def _fetch(self) -> bytes:
        if self._file is not None:
            return await asyncio.to_thread(Path(self._file).read_bytes)
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        body = bytearray()
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(str(self._url), allow_redirects=False) as response,
        ):
            response.raise_for_status()
            # What is there at a time is a part: the body is read to its end.
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                body.extend(chunk)
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError("too large for a set of keys")
        return bytes(body)


class _PreparedHmac(HMACAlgorithm):
    """HMAC with keys that were prepared before: PyJWT would look for a certificate in each again.

    That takes ten times as long as the HMAC.
    """

    def prepare_key(self, key: str | bytes) -> bytes:
        return key.encode() if isinstance(key, str) else key

    def check_key_length(self, key: bytes) -> None:  # noqa: ARG002 -- as it is called
        return None


def shared_keys(secrets: Sequence[str]) -> list[jwt.PyJWK]:
    """Shared secrets as keys; none of one that PyJWT takes for something else than a secret."""
    original, prepared = HMACAlgorithm(HMACAlgorithm.SHA256), _PreparedHmac(HMACAlgorithm.SHA256)
    keys: list[jwt.PyJWK] = []
    for secret in secrets:
        with suppress(jwt.InvalidKeyError):
            text = base64url_encode(original.prepare_key(secret)).decode()
            key = jwt.PyJWK({"kty": "oct", "alg": HMAC_ALGORITHMS[0], "k": text})
            key.Algorithm = prepared
            keys.append(key)
    return keys


def _unavailable(wait_s: float) -> Refused:
    """The refusal of a token that cannot be judged now; its bearer succeeds later."""
    return refused(
        Code.INTERNAL_ERROR,
        "The keys that tokens are verified with cannot be read at the moment",
        reason=Reason.KEYS_UNAVAILABLE,
        cause=Cause.KEYS_UNAVAILABLE,
        retryAfterMs=max(int(wait_s * 1000), 0) + 1000,
    )

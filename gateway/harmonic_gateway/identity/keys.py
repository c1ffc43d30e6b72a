"""The keys that verify tokens: shared secrets, and a published set of public keys.

The settings name the accepted algorithms and keys; a token never does. An unknown key may be newer
than the set in memory. So the set is read again before the token is refused. While the set cannot
be read, the refusal is transient.
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
#: Seconds between two regular reads of a set of keys.
REFRESH_INTERVAL_S = 300.0
#: Seconds between two reads for an unknown key. They double with each read without new keys, up to
#: the second bound: forged tokens must not cause a stream of requests to the provider.
MIN_REFRESH_INTERVAL_S = 1.0
MAX_REFRESH_INTERVAL_S = 10.0
#: How long a token with an unknown key waits for the next read at most.
PATIENCE_S = 1.0
#: How long a key that was missing from the set is not looked for again, and how many such keys are
#: kept.
ABSENT_S = 10.0
MAX_ABSENT_KEYS = 1000
FETCH_TIMEOUT_S = 5.0
#: A set of keys has a few KiB; a larger document is refused.
MAX_JWKS_BYTES = 256 * 1024
_CHUNK_BYTES = 16 * 1024


class Keys:
    """All keys. Public keys stay in use while their source cannot be read."""

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
        """Accept these shared secrets from now on, and no others."""
        self._secrets = shared_keys(secrets)
        self._newest = next(iter(secrets), None)
        self.fingerprint = fingerprint(secrets)

    @property
    def signing_secret(self) -> str:
        """The shared secret that signs new tokens; raise ``LookupError`` if there is none."""
        if self._newest is None:
            raise LookupError("there is no shared secret to sign tokens with")
        return self._newest

    @property
    def _has_source(self) -> bool:
        return self._url is not None or self._file is not None

    def _age_s(self) -> float:
        """Seconds since the set of keys was last read; 0 if it never was."""
        if self._read_at_s is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._read_at_s

    async def loaded(self) -> None:
        """Wait until the set of keys was read; return at once if none is configured."""
        if self._has_source:
            await self._loaded.wait()

    async def candidates(self, algorithm: object, key_id: object) -> list[Any] | Refused:
        """The keys that may have signed a token with this header; an empty list refuses the token.

        A transient refusal if the key may be a new one and the set cannot be read.
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
        """Read the public keys again at intervals, for ever."""
        loop = asyncio.get_running_loop()
        while self._has_source:
            async with self._reading:
                await self._read()
            pause_s = REFRESH_INTERVAL_S
            if self._failed:
                pause_s = max(self._next_read_s - loop.time(), 0)
            await asyncio.sleep(pause_s)

    async def _read_anew(self) -> Refused | None:
        """Wait for a read of the set that begins now or later; a transient refusal if it fails.

        Also refuse if the next read is more than ``PATIENCE_S`` away.
        """
        loop = asyncio.get_running_loop()
        # A read that has already begun may return the set from before the key was published.
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
            # One read returns a part only, so read the body to its end.
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                body.extend(chunk)
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError("too large for a set of keys")
        return bytes(body)


class _PreparedHmac(HMACAlgorithm):
    """HMAC with keys that were checked before.

    PyJWT would check each time that a key is not a certificate, which takes ten times as long as
    the HMAC.
    """

    def prepare_key(self, key: str | bytes) -> bytes:
        return key.encode() if isinstance(key, str) else key

    def check_key_length(self, key: bytes) -> None:  # noqa: ARG002 -- as it is called
        return None


def shared_keys(secrets: Sequence[str]) -> list[jwt.PyJWK]:
    """Shared secrets as keys, without those that PyJWT takes for something else than a secret."""
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
    """The refusal of a token that cannot be verified now, with the time of the next try."""
    return refused(
        Code.INTERNAL_ERROR,
        "The keys that tokens are verified with cannot be read at the moment",
        reason=Reason.KEYS_UNAVAILABLE,
        cause=Cause.KEYS_UNAVAILABLE,
        retryAfterMs=max(int(wait_s * 1000), 0) + 1000,
    )

"""The gateway's settings, which operators set by ``HARMONIC_…`` variables."""

import hashlib
import re
from collections.abc import Callable
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from harmonic_gateway.allowlists import networks, origins, own_origins
from harmonic_protocol.messages.declaration import KIB
from harmonic_protocol.messages.extensions import ExtensionNames
from harmonic_runtime.process.settings import ServiceSettings

_PREFIX = re.compile(r"[a-z0-9-]{1,32}")


def _checked(read: Callable[[str], object]) -> Callable[[str], str]:
    """A validator that returns a text unchanged, or raises what ``read`` raises for it."""

    def check(text: str) -> str:
        read(text)
        return text

    return check


class GatewaySettings(ServiceSettings):
    """The gateway's settings. Without a key to verify tokens with, it does not start."""

    service: ClassVar[str] = "gateway"

    extensions: ExtensionNames = ""
    jwt_secret: Annotated[
        SecretStr | None,
        Field(min_length=16, description="shared secret of HS256 tokens, at least 16 characters"),
    ] = None
    jwt_old_secrets: Annotated[
        SecretStr | None,
        Field(description="secrets that are still believed, separated by white space"),
    ] = None
    jwks_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://",
            description="where the public keys of RS256, ES256 and EdDSA tokens are (a JWKS)",
        ),
    ] = None
    jwks_file: Annotated[str | None, Field(description="a file that holds them instead")] = None
    jwt_issuer: Annotated[str | None, Field(description="the `iss` that tokens must have")] = None
    jwt_audience: Annotated[
        str | None, Field(description="the `aud` that tokens must have, or one of theirs")
    ] = None
    service_secret: Annotated[
        SecretStr | None,
        Field(
            min_length=16,
            description="shared secret of services' HS256 tokens, at least 16 characters: with it,"
            " or with an audience of their own, services may call the HTTP API. Once no replica of"
            " an earlier version runs",
        ),
    ] = None
    service_old_secrets: Annotated[
        SecretStr | None,
        Field(description="secrets of services that are still believed, separated by white space"),
    ] = None
    service_audience: Annotated[
        str | None,
        Field(
            description="the `aud` that services' tokens must have, or one of theirs; they are"
            " signed with users' keys where services have no secret"
        ),
    ] = None
    session_secret: Annotated[
        SecretStr | None,
        Field(
            min_length=16,
            description="what clients that come back are known by; needed without a JWT secret",
        ),
    ] = None
    session_old_secrets: Annotated[
        SecretStr | None,
        Field(description="session secrets that are still believed, separated by white space"),
    ] = None
    token_warning_s: Annotated[
        float, Field(ge=0, le=3600, description="time before a token's expiry to warn its client")
    ] = 60.0
    token_grace_s: Annotated[
        float, Field(ge=0, le=3600, description="time after it in which a newer one is taken")
    ] = 30.0
    audio_bytes_per_s: Annotated[
        int,
        Field(
            ge=KIB,
            le=2**30,
            description="bytes of live signals of each kind that a room is sent a second; beyond,"
            " the newest of each sender is",
        ),
    ] = 2048 * KIB
    events_per_s: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="events of one connection, on average; each 32 KiB of one count as another",
        ),
    ] = 50
    events_burst: Annotated[
        int, Field(ge=1, le=1_000_000, description="events of one connection at once")
    ] = 100
    connection_cpu_percent: Annotated[
        float,
        Field(
            gt=0,
            le=100,
            description="percents of a core that one connection's messages may cost to read, carry"
            " out and refuse, on average",
        ),
    ] = 5.0
    user_cpu_percent: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            description="the same for all connections and calls of a user to one gateway",
        ),
    ] = 10.0
    refusals_per_s: Annotated[
        float,
        Field(
            gt=0,
            le=1_000_000,
            description="refused messages of one connection on average: beyond, it is read more"
            " slowly",
        ),
    ] = 60.0
    refusals_burst: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="refused messages of one connection at once; after as many more while it is"
            " read slowly, it is closed",
        ),
    ] = 600
    connects_per_s: Annotated[
        float, Field(gt=0, le=1_000_000, description="connects of one address, on average")
    ] = 100.0
    connects_burst: Annotated[
        int, Field(ge=1, le=1_000_000, description="connects of one address at once")
    ] = 1_000
    late_clients_per_address: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="clients of one address that may take longer than 10 s, up to 45 s, from"
            " opening a session to their CONNECT, as those do that fetch a token meanwhile",
        ),
    ] = 100
    failed_calls_per_s: Annotated[
        float,
        Field(
            gt=0,
            le=1_000_000,
            description="API calls without a good token, of one address on average",
        ),
    ] = 10.0
    failed_calls_burst: Annotated[
        int,
        Field(
            ge=1, le=1_000_000, description="API calls of one address without a good token, at once"
        ),
    ] = 200
    connections_per_user: Annotated[
        int, Field(ge=1, le=1_000_000, description="connections that a user may have here at once")
    ] = 64
    host: Annotated[str, Field(description="address to listen on for clients")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port for clients; 0: any")] = 8000
    keepalive_timeout_s: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            description="seconds that a connection is kept for its next request: more than proxies"
            " in front keep theirs, which nginx does for 60",
        ),
    ] = 75.0
    tls_cert_file: Annotated[
        str | None, Field(description="own certificate for clients (PEM); needs a key")
    ] = None
    tls_key_file: Annotated[str | None, Field(description="key of that certificate (PEM)")] = None
    allowed_origins: Annotated[
        str,
        AfterValidator(_checked(origins)),
        Field(
            description="origins of web pages that may connect, separated by commas:"
            " `https://app.example`, `https://*.app.example`, `null`, `file://`; `*` for all."
            " Programs that say no origin always may"
        ),
    ] = ""
    public_urls: Annotated[
        str,
        AfterValidator(_checked(own_origins)),
        Field(
            description="addresses that clients know the gateway by, separated by commas:"
            " `https://live.example`. Programs that say it as their origin may connect"
        ),
    ] = ""
    trusted_proxies: Annotated[
        str,
        AfterValidator(_checked(networks)),
        Field(
            description="networks of proxies whose X-Forwarded-For is believed (CIDR), separated"
            " by commas"
        ),
    ] = ""
    playground: Annotated[
        bool, Field(description="whether `/` is a page to see, hear and change universes with")
    ] = True
    guest_tokens: Annotated[
        bool,
        Field(
            description="for development only: anybody gets a token at `/guest-tokens`, as a user"
            " of its own; needs a JWT secret"
        ),
    ] = False
    request_timeout_s: Annotated[
        float, Field(gt=0, le=60, description="seconds that a client's command may take")
    ] = 3.0
    queued_commands: Annotated[
        int, Field(ge=1, le=10_000, description="commands that may wait on one connection")
    ] = 256
    queued_bytes: Annotated[
        int, Field(ge=KIB, description="bytes of commands that may wait on one connection")
    ] = 1024 * KIB
    send_buffer_bytes: Annotated[
        int, Field(ge=KIB, description="bytes that may wait for one client to read them")
    ] = 1024 * KIB
    rooms_per_connection: Annotated[
        int, Field(ge=1, le=100, description="rooms that one connection may be in")
    ] = 8
    owed_bytes_per_user: Annotated[
        int,
        Field(
            ge=KIB,
            le=2**40,
            description="bytes of missed events that a user's clients may be owed at once: until"
            " they have read them, others connect later",
        ),
    ] = 32 * 1024 * KIB
    owed_frames_per_user: Annotated[
        int, Field(ge=1, le=100_000_000, description="the same in events")
    ] = 100_000
    recovery_window_s: Annotated[
        float,
        Field(ge=0, le=86_400, description="seconds in which what was missed is sent again"),
    ] = 120.0
    departure_grace_s: Annotated[
        float,
        Field(ge=0, le=60, description="seconds a participant stays after a broken transport"),
    ] = 10.0
    drain_stagger_s: Annotated[
        float,
        Field(ge=0, le=300, description="time over which a stop spreads its clients' return"),
    ] = 3.0
    ping_interval_s: Annotated[int, Field(ge=1, le=60, description="seconds between pings")] = 5
    ping_timeout_s: Annotated[int, Field(ge=1, le=60, description="seconds to answer a ping")] = 4

    @model_validator(mode="after")
    def _has_both_files(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("HARMONIC_TLS_CERT_FILE and HARMONIC_TLS_KEY_FILE go together")
        return self

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if self.jwks_url is not None and self.jwks_file is not None:
            raise ValueError("HARMONIC_JWKS_URL and HARMONIC_JWKS_FILE exclude one another")
        if self.jwt_secret is None and self.jwks_url is None and self.jwks_file is None:
            raise ValueError(
                "HARMONIC_JWT_SECRET must be set, or HARMONIC_JWKS_URL or HARMONIC_JWKS_FILE"
            )
        if self.jwt_secret is None and self.guest_tokens:
            raise ValueError("HARMONIC_GUEST_TOKENS needs HARMONIC_JWT_SECRET")
        if self.jwt_secret is None and self.session_secret is None:
            raise ValueError("HARMONIC_SESSION_SECRET must be set where HARMONIC_JWT_SECRET is not")
        return self

    @model_validator(mode="after")
    def _tells_services_from_users(self) -> Self:
        if set(self.service_secrets) & set(self.secrets):
            raise ValueError("HARMONIC_SERVICE_SECRET must be another one than users' secrets")
        if self.service_old_secrets is not None and self.service_secret is None:
            raise ValueError("HARMONIC_SERVICE_OLD_SECRETS goes with HARMONIC_SERVICE_SECRET")
        if self.service_audience is None or self.service_secret is not None:
            return self
        if self.jwt_audience is None or self.jwt_audience == self.service_audience:
            raise ValueError(
                "HARMONIC_SERVICE_AUDIENCE without HARMONIC_SERVICE_SECRET needs another"
                " HARMONIC_JWT_AUDIENCE, which tells users' tokens from services'"
            )
        return self

    @property
    def lets_services_act(self) -> bool:
        """Whether tokens of services are accepted."""
        return self.service_secret is not None or self.service_audience is not None

    @property
    def service_secrets(self) -> tuple[str, ...]:
        """The shared secrets that may sign services' tokens, the current one first."""
        return _believed(self.service_secret, self.service_old_secrets)

    @property
    def session_prefix(self) -> str:
        """The beginning of every Engine.IO session id, so that a balancer can route on it.

        It is the instance's name if that has at most 32 lower-case letters, digits and hyphens.
        """
        if _PREFIX.fullmatch(self.instance):
            return self.instance
        digest = hashlib.blake2b(self.instance.encode(), digest_size=6).hexdigest()
        readable = re.sub(r"[^a-z0-9-]", "-", self.instance.lower())[:16]
        return f"{readable}-{digest}"

    @property
    def origins(self) -> frozenset[str]:
        """The origins that may connect, including the gateway's own."""
        return origins(self.allowed_origins) | own_origins(self.public_urls)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The shared secrets that may sign tokens, the current one first."""
        return _believed(self.jwt_secret, self.jwt_old_secrets)

    @property
    def recovery_secrets(self) -> tuple[str, ...]:
        """The shared secrets for proofs of ``pid``s and other texts, the current one first."""
        if self.session_secret is None:
            return self.secrets
        old = self.session_old_secrets.get_secret_value() if self.session_old_secrets else ""
        return (self.session_secret.get_secret_value(), *old.split())


def _believed(current: SecretStr | None, old: SecretStr | None) -> tuple[str, ...]:
    """The current secret and those that it replaced, as far as they are set."""
    first, others = (each.get_secret_value() if each else "" for each in (current, old))
    return tuple(filter(None, (first, *others.split())))

"""What an operator may set of the gateway, all by ``HARMONIC_…`` variables."""

from typing import Annotated

from pydantic import Field, SecretStr

from harmonic_protocol.messages.declaration import KIB
from harmonic_runtime.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """The gateway's settings. Without a key to verify tokens with, it does not start."""

    jwt_secret: Annotated[
        SecretStr,
        Field(min_length=16, description="shared secret of HS256 tokens, at least 16 characters"),
    ]
    host: Annotated[str, Field(description="address to listen on for clients")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port for clients; 0: any")] = 8000
    gateway_name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9-]{1,32}$",
            description="begins every Engine.IO session id, so that a balancer can route on it",
        ),
    ] = "g1"
    allowed_origins: Annotated[
        str,
        Field(description="origins of web pages that may connect, separated by commas; or `*`"),
    ] = "*"
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
    recovery_window_s: Annotated[
        float,
        Field(ge=0, le=86_400, description="seconds in which what was missed is sent again"),
    ] = 120.0
    departure_grace_s: Annotated[
        float,
        Field(ge=0, le=60, description="seconds a participant stays after a broken transport"),
    ] = 10.0
    ping_interval_s: Annotated[int, Field(ge=1, le=60, description="seconds between pings")] = 5
    ping_timeout_s: Annotated[int, Field(ge=1, le=60, description="seconds to answer a ping")] = 4

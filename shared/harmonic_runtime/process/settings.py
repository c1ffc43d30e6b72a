"""What an operator may set, from environment variables, with a sentence for every mistake.

Every service derives its own class from :class:`ServiceSettings`; the reference page is made
from the same declarations. A number's unit stands last in its name.
"""

import sys
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from harmonic_runtime.process.entropy import new_id

ENV_PREFIX = "HARMONIC_"
#: The exit status of a process that refuses its settings.
INVALID_SETTINGS_STATUS = 2
MIB = 1024 * 1024

S = TypeVar("S", bound="ServiceSettings")


def _servers(value: str) -> str:
    for url in value.split(","):
        scheme, separator, address = url.strip().partition("://")
        if not separator or scheme not in {"nats", "tls"} or not address:
            raise ValueError("must name servers as nats://host:port, separated by commas")
        if "@" in address:
            # A URL is logged; a password in it would be, too.
            raise ValueError("must not hold a user: set HARMONIC_NATS_USER and _PASSWORD instead")
    return value


class ServiceSettings(BaseSettings):
    """What all services have in common."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, hide_input_in_errors=True, extra="ignore"
    )

    nats_url: Annotated[
        str,
        AfterValidator(_servers),
        Field(description="NATS servers, `nats://` or `tls://`, separated by commas"),
    ] = "nats://127.0.0.1:4222"
    nats_user: Annotated[
        SecretStr | None, Field(description="user at the NATS servers; needs a password")
    ] = None
    nats_password: Annotated[
        SecretStr | None, Field(description="password at the NATS servers; needs a user")
    ] = None
    nats_ca_file: Annotated[
        str | None, Field(description="certificates to verify the NATS servers with (PEM)")
    ] = None
    nats_cert_file: Annotated[
        str | None, Field(description="own certificate for the NATS servers (PEM); needs a key")
    ] = None
    nats_key_file: Annotated[str | None, Field(description="key of the own certificate (PEM)")] = (
        None
    )
    nats_inbox_prefix: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
            max_length=64,
            description="where replies to this process go: one prefix a service keeps them apart",
        ),
    ] = "_INBOX"
    bus_start_timeout_s: Annotated[
        float, Field(ge=0.1, le=600, description="time that the bus has to be there at the start")
    ] = 30.0
    bus_pending_bytes: Annotated[
        int,
        Field(
            ge=MIB,
            le=4096 * MIB,
            description="messages that wait to be handled; beyond, they are dropped and counted",
        ),
    ] = 64 * MIB
    bus_outbound_bytes: Annotated[
        int,
        Field(
            ge=MIB,
            le=4096 * MIB,
            description="data that waits for the broker to read it; beyond, sending is refused",
        ),
    ] = 16 * MIB
    replica_id: str = Field(
        default_factory=new_id,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="what this process is called among its replicas; fresh at every start",
    )
    log_format: Annotated[
        Literal["json", "console"], Field(description="a JSON object a line, or text for people")
    ] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="the least level logged")
    ] = "info"
    ops_host: Annotated[
        str, Field(description="address of `/healthz`, `/readyz` and `/metrics`")
    ] = "127.0.0.1"
    ops_port: Annotated[
        int, Field(ge=0, le=65535, description="their port; 0: any free one, which is logged")
    ] = 0
    drain_notice_s: Annotated[
        float,
        Field(
            ge=0,
            le=60,
            description="time between telling the load balancer of a stop and stopping",
        ),
    ] = 0.0
    stop_timeout_s: Annotated[
        float, Field(ge=0.1, le=600, description="time that a stop may take, then it is cut short")
    ] = 25.0

    @model_validator(mode="after")
    def _pairs(self) -> "ServiceSettings":
        for one, other in (
            ("nats_user", "nats_password"),
            ("nats_cert_file", "nats_key_file"),
        ):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{variable(one)} and {variable(other)} go together")
        return self


def variable(field: str) -> str:
    """The environment variable that sets a field."""
    return f"{ENV_PREFIX}{field.upper()}"


def load_settings(cls: type[S]) -> S:
    """The settings from the environment.

    What cannot be used is told on standard error, a sentence a problem, without the value; then
    the process ends with status 2.
    """
    try:
        return cls()
    except ValidationError as error:
        problems = [_sentence(problem) for problem in error.errors(include_input=False)]
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(INVALID_SETTINGS_STATUS)


def _sentence(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if not problem["loc"]:
        return f"{message}."
    name = variable(str(problem["loc"][0]))
    match problem["type"]:
        case "missing":
            return f"{name} must be set."
        case "string_pattern_mismatch":
            return f"{name} must match {problem['ctx']['pattern']}."
        case "value_error":
            return f"{name} {message}."
        case _:
            for wording in ("Input should be ", "Value should have ", "String should have "):
                if message.startswith(wording):
                    verb = "be" if wording.startswith("Input") else "have"
                    return f"{name} must {verb} {message.removeprefix(wording)}."
            return f"{name} is not valid: {message[0].lower()}{message[1:]}."


def describe_settings(cls: type[ServiceSettings]) -> str:
    """The reference of a service's settings: a Markdown table."""
    rows = ["| Variable | Default | Unit and bounds | What it is |", "|---|---|---|---|"]
    for name, field in cls.model_fields.items():
        cells = (_default(field), _bounds(name, field), field.description or "")
        rows.append(" | ".join((f"| `{variable(name)}`", *map(_escaped, cells))) + " |")
    return "\n".join(rows) + "\n"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "made at the start"
    if field.default is PydanticUndefined:
        return "**required**"
    return "none" if field.default is None else f"`{field.default}`"


_UNITS = {"_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes", "_seconds": "seconds"}
_BOUNDS = (
    ("gt", "above {}"),
    ("ge", "at least {}"),
    ("lt", "below {}"),
    ("le", "at most {}"),
    ("min_length", "at least {} characters"),
    ("max_length", "at most {} characters"),
    ("pattern", "matches `{}`"),
)


def _bounds(name: str, field: FieldInfo) -> str:
    parts = [unit for suffix, unit in _UNITS.items() if name.endswith(suffix)]
    choices = getattr(field.annotation, "__args__", ())
    if choices and not any(isinstance(choice, type) for choice in choices):
        parts.append(" or ".join(f"`{choice}`" for choice in choices))
    for limit in field.metadata:
        for attribute, wording in _BOUNDS:
            bound = getattr(limit, attribute, None)
            if bound is not None:
                parts.append(wording.format(bound))
    return ", ".join(parts)

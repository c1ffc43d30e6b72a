"""The settings of a service, from environment variables, with a sentence for every mistake.

Every service derives its own class from :class:`ServiceSettings`; the reference page is made
from the same declarations. A number's unit stands last in its name.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from harmonic_runtime.process.entropy import new_id

ENV_PREFIX = "HARMONIC_"
#: The exit status of a process that refuses its settings.
INVALID_SETTINGS_STATUS = 2
#: A file that holds a secret has no more than this.
MAX_SECRET_BYTES = 64 * 1024
#: What Kubernetes puts into the environment for a Service whose name makes ours of it.
_SERVICE_LINK = "tcp://"
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


def _unique_name() -> str:
    """The name of a replica without a configured one: this machine's name and a random part."""
    host = "".join(c if c.isascii() and c.isalnum() else "-" for c in socket.gethostname())
    own = new_id()[:8].replace("-", "0").replace("_", "1").lower()
    return f"{host.strip('-')[:64] or 'host'}-{own}"


class ServiceSettings(BaseSettings):
    """What all services have in common."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, hide_input_in_errors=True, extra="ignore"
    )

    #: What the service is called: in its replies' subjects, and in logs.
    service: ClassVar[str] = "operator"

    instance: str = Field(
        default_factory=_unique_name,
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        description="what this replica is called in logs, metrics and at the broker, as a pod's"
        " name; unique among the replicas of a service",
    )
    commit: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,64}$",
            description="the commit that the running code is of, for metrics; images set it",
        ),
    ] = "unknown"
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
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
            max_length=64,
            description="where replies to this process go; `_INBOX.` and the service's name if it"
            " is not set, as the broker's permissions have it",
        ),
    ] = None
    bus_start_timeout_s: Annotated[
        float,
        Field(
            ge=0.1,
            le=86_400,
            description="time to wait at the start for NATS, and then for its streams",
        ),
    ] = 300.0
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
    log_format: Annotated[
        Literal["json", "console"], Field(description="a JSON object a line, or text for people")
    ] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="the least level logged")
    ] = "info"
    traces_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://\S+$",
            description="where spans of traces are sent to, as OTLP over HTTP, for example"
            " `http://collector:4318/v1/traces`; not set: none are recorded",
        ),
    ] = None
    traces_share: Annotated[
        float,
        Field(ge=0, le=1, description="share of the traces that begin here which are recorded"),
    ] = 0.01
    ops_host: Annotated[
        str, Field(description="address of `/healthz`, `/readyz` and `/metrics`")
    ] = "127.0.0.1"
    ops_port: Annotated[
        int, Field(ge=0, le=65535, description="their port, which is logged; 0: any free one")
    ] = 9100
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

    _replica_id: str = PrivateAttr(default_factory=new_id)
    _secret_files: dict[str, Path] = PrivateAttr(default_factory=dict)

    @property
    def secret_files(self) -> list[Path]:
        """The files that secrets were read from."""
        return list(self._secret_files.values())

    def with_secrets_anew(self) -> Self:
        """The same settings, with the secrets that stand in their files now.

        Raise ``OSError`` or ``ValueError`` if a file cannot be used.
        """
        secrets = {name: read_secret(path) for name, path in self._secret_files.items()}
        given = {name: getattr(self, name) for name in self.model_fields_set}
        # Validated as at the start: a secret may be too short.
        type(self)(**{**given, **secrets})
        return self.model_copy(update=secrets)

    @property
    def replica_id(self) -> str:
        """A name of this process that no other process ever has: new at every start."""
        return self._replica_id

    @property
    def inbox_prefix(self) -> str:
        """Where replies to this process go."""
        return self.nats_inbox_prefix or f"_INBOX.{self.service}"

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


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is a secret: shown nowhere, and to be had from a file."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def load_settings(cls: type[S]) -> S:
    """The settings from the environment, and secrets from the files that it names.

    For each value that cannot be used, standard error has a sentence without the value. Then the
    process ends with status 2.
    """
    problems = _service_links(cls)
    secrets = _read_secrets(cls, problems)
    try:
        if not problems:
            settings = cls(**{name: secret for name, (_, secret) in secrets.items()})
            settings._secret_files.update({name: path for name, (path, _) in secrets.items()})
            return settings
    except ValidationError as error:
        problems = [_sentence(problem) for problem in error.errors(include_input=False)]
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(INVALID_SETTINGS_STATUS)


def _service_links(cls: type[ServiceSettings]) -> list[str]:
    return [
        f"{variable(name)} is an address that Kubernetes service links put there:"
        " set enableServiceLinks to false for the pod, or name the Service otherwise."
        for name in cls.model_fields
        if os.environ.get(variable(name), "").startswith(_SERVICE_LINK)
    ]


def _read_secrets(cls: type[ServiceSettings], problems: list[str]) -> dict[str, tuple[Path, Any]]:
    """The secrets that stand in files; what is wrong with them is added to ``problems``."""
    found: dict[str, tuple[Path, Any]] = {}
    for name, field in cls.model_fields.items():
        path = os.environ.get(f"{variable(name)}_FILE") if is_secret(field) else None
        if path is None:
            continue
        if variable(name) in os.environ:
            problems.append(f"{variable(name)} and {variable(name)}_FILE exclude one another.")
            continue
        try:
            found[name] = (Path(path), read_secret(Path(path)))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"{variable(name)}_FILE names a file that cannot be read: {reason}.")
    return found


def read_secret(path: Path) -> SecretStr:
    """A secret from a file, without the white space around it.

    Raise ``OSError`` or ``ValueError`` if it cannot be read, or holds no secret.
    """
    with path.open("rb") as file:
        content = file.read(MAX_SECRET_BYTES + 1)
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"it has more than {MAX_SECRET_BYTES} bytes")
    text = content.decode().strip()
    if not text:
        raise ValueError("it is empty")
    return SecretStr(text)


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

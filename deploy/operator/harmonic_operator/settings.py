"""How the operator's command finds the bus: by the same variables as a service."""

from typing import Annotated, ClassVar

from pydantic import Field

from harmonic_runtime.process.settings import ServiceSettings


class OperatorSettings(ServiceSettings):
    """The settings for the bus, as a service has them, with a shorter wait."""

    service: ClassVar[str] = "operator"

    bus_start_timeout_s: Annotated[
        float, Field(ge=0.1, le=86_400, description="time to wait for the bus")
    ] = 5.0
    operator_name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            description="who the audit log is to say did what a command does, if not the account"
            " that runs it",
        ),
    ] = None
    nats_monitor_urls: Annotated[
        str | None,
        Field(
            pattern=r"^\s*https?://[^\s,]+(\s*,\s*https?://[^\s,]+)*\s*$",
            max_length=4096,
            description="monitoring ports of brokers, `http://host:8222`, separated by commas:"
            " `harmonic status` and `harmonic restore` ask there how much a broker may store",
        ),
    ] = None

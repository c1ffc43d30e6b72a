"""The settings of the state service, all by ``HARMONIC_…`` variables."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harmonic_protocol.messages.declaration import RateClass
from harmonic_protocol.messages.extensions import ExtensionNames
from harmonic_runtime.process.settings import ServiceSettings

#: Records of a log that are reserved for what makes a universe smaller: leaving, and deletion.
RESERVED_RECORDS = 512


def _number(value: object) -> object:
    """The number in an environment variable's text: a choice of numbers takes no text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class StateSettings(ServiceSettings):
    """The state service's settings; the defaults suit one machine."""

    service: ClassVar[str] = "state"

    extensions: ExtensionNames = ""
    stream_replicas: Annotated[
        Literal[1, 3],
        BeforeValidator(_number),
        Field(description="copies of every stream; 3 in production"),
    ] = 1
    append_timeout_s: Annotated[
        float, Field(gt=0, le=30, description="seconds to wait for one append to be stored")
    ] = 2.0
    snapshot_every_records: Annotated[
        int, Field(ge=1, le=100_000, description="records of a log between two snapshots")
    ] = 256
    history_snapshots: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="snapshots, a log is kept back to the oldest of which, for replay",
        ),
    ] = 16
    log_records: Annotated[
        int,
        Field(
            ge=1024,
            le=1_000_000,
            description="records of a log at most: reached only while no snapshot can be stored;"
            f" at least {RESERVED_RECORDS} more than HARMONIC_HISTORY_SNAPSHOTS + 2 times"
            " HARMONIC_SNAPSHOT_EVERY_RECORDS",
        ),
    ] = 16_384
    packs_snapshots: Annotated[
        bool,
        Field(
            description="store universes packed, with room for more `opId`s: once no replica of an"
            " earlier version runs"
        ),
    ] = False
    leases_allowances: Annotated[
        bool,
        Field(
            description="let gateways hold half of what users may update as leases, in place of"
            " asking the broker each time: once no gateway of an earlier version runs, whose users"
            " would have the other half only"
        ),
    ] = False
    stores_moderation: Annotated[
        bool,
        Field(
            description="let users be banned and erased, and universes handed over: once no replica"
            " of an earlier version runs, which passes over it, and forgets it with its next"
            " snapshot"
        ),
    ] = False
    stores_bars: Annotated[
        bool,
        Field(
            description="let universes play endless pieces: once no replica of an earlier version"
            " runs, which passes over their bars, and forgets the piece with its next snapshot"
        ),
    ] = False
    endless_pieces: Annotated[
        int,
        Field(
            ge=1,
            le=20_000,
            description="endless pieces whose bars a replica records; it begins no more, and goes"
            " on with those of a replica that died",
        ),
    ] = 1_000
    cached_universes_bytes: Annotated[
        int,
        Field(ge=2**20, description="what universes may take in memory, roughly, in bytes"),
    ] = 256 * 2**20
    ring_bytes: Annotated[
        int,
        Field(
            ge=2**10,
            le=2**26,
            description="the latest records of a universe kept in memory, in bytes",
        ),
    ] = 64 * 2**10
    queued_requests_per_universe: Annotated[
        int, Field(ge=1, le=100_000, description="requests that may wait for one universe")
    ] = 1_000
    universes_per_user: Annotated[
        int, Field(ge=1, le=10_000, description="universes that a user may own")
    ] = 1_000
    gateway_lease_s: Annotated[
        float,
        Field(
            ge=2,
            le=60,
            description="seconds after a gateway's last sign of life until its participants leave",
        ),
    ] = 12.0
    snapshot_stream_bytes: Annotated[
        int, Field(ge=2**20, description="bytes of snapshots kept at most, of all universes")
    ] = 4 * 2**30
    allowed_parameter_updates: Annotated[
        int, Field(ge=1, le=1_000_000, description="parameter updates of a user in any minute")
    ] = RateClass.PARAMETERS.allowance
    allowed_generations: Annotated[
        int, Field(ge=1, le=1_000_000, description="pieces that a user asks for in any minute")
    ] = RateClass.GENERATIONS.allowance
    allowed_joins_and_leaves: Annotated[
        int, Field(ge=1, le=1_000_000, description="joins and leaves of a user in any minute")
    ] = RateClass.ROOMS.allowance
    allowed_operations: Annotated[
        int, Field(ge=1, le=1_000_000, description="calls of the HTTP API in any minute, by user")
    ] = RateClass.OPERATIONS.allowance
    allowed_service_calls: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="calls of the HTTP API in any minute, by service"),
    ] = RateClass.SERVICE_CALLS.allowance
    allowed_service_pieces: Annotated[
        int, Field(ge=1, le=1_000_000, description="pieces that a service asks for in any minute")
    ] = RateClass.SERVICE_PIECES.allowance
    revocations_kept_s: Annotated[
        int,
        Field(
            ge=60,
            le=366 * 86_400,
            description="seconds that revocations are kept: longer than any token lives",
        ),
    ] = 90 * 86_400
    audit_kept_s: Annotated[
        int,
        Field(
            ge=60,
            le=10 * 366 * 86_400,
            description="seconds that entries of the audit log are kept, if their bytes have room",
        ),
    ] = 90 * 86_400
    audit_stream_bytes: Annotated[
        int,
        Field(ge=2**20, description="bytes of the audit log kept at most, the newest entries"),
    ] = 256 * 2**20
    session_stream_bytes: Annotated[
        int, Field(ge=2**20, description="bytes of sessions kept at most, the newest ones")
    ] = 2**30
    notes_stream_bytes: Annotated[
        int, Field(ge=2**20, description="bytes of generated pieces kept at most")
    ] = 256 * 2**20

    @model_validator(mode="after")
    def _log_has_room(self) -> Self:
        least = (self.history_snapshots + 2) * self.snapshot_every_records + RESERVED_RECORDS
        if self.log_records < least:
            raise ValueError(
                f"HARMONIC_LOG_RECORDS must be at least {least}, for HARMONIC_HISTORY_SNAPSHOTS"
                f" = {self.history_snapshots} and HARMONIC_SNAPSHOT_EVERY_RECORDS"
                f" = {self.snapshot_every_records}"
            )
        return self

    @property
    def uncovered_records(self) -> int:
        """Records above the latest snapshot from which on only leaving and deletion are stored."""
        history = self.history_snapshots * self.snapshot_every_records
        return self.log_records - history - RESERVED_RECORDS

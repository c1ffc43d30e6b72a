"""What operators ask of replicas, and are answered: one declaration per request.

A request goes to ``hu.operate.<service>.<request>``, where all replicas of the service hear it;
one that is meant for a single replica names its instance in a header. Requests about one universe
go to its owner, see :mod:`harmonic_protocol.internal`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field

from harmonic_protocol.messages.declaration import Switch
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import Timestamp

#: The services that have replicas.
SERVICES = ("gateway", "state", "music")
#: Says that a request is meant for the replica with this instance name, and for no other.
INSTANCE = "Hu-Instance"
#: Universes that are listed at most.
MAX_BUSIEST = 100
#: For how long a bound on a gateway's connections is kept at most, if nobody lifts it.
MAX_BOUND_S = 600.0


class BusyUniverse(ServiceModel):
    """How many requests a second a universe had lately."""

    universe_id: str
    requests_per_s: float
    connections: int


class Description(ServiceModel):
    """A replica as it is at the moment.

    ``state`` is as ``/readyz`` says it; ``waiting_for`` is what the start waits for. ``values`` are
    its metrics that rise and fall, and ``increases`` by how much its counters rose within
    ``window_s``; both by the metric's name with its labels. ``busiest`` are the universes that it
    owns with the most requests; ``switched_off`` is what it refuses since an operator said so.
    ``secrets`` tell its secrets from those of other replicas, by what they are for; a secret does
    not follow from what is said of it.
    """

    service: str
    instance: str
    replica: str
    version: str
    state: str
    waiting_for: str | None = None
    uptime_s: float
    window_s: float
    values: dict[str, float] = Field(default_factory=dict)
    increases: dict[str, float] = Field(default_factory=dict)
    busiest: tuple[BusyUniverse, ...] = ()
    switched_off: tuple[Switch, ...] = ()
    secrets: dict[str, str] = Field(default_factory=dict)


class Done(ServiceModel):
    """The request was carried out, or has begun to be; ``connections`` are those concerned."""

    connections: int = 0


class OperatorRequest(ServiceModel):
    """Asked of replicas by an operator."""

    name: ClassVar[str]
    #: The services that answer it.
    services: ClassVar[tuple[str, ...]]
    answer: ClassVar[type[ServiceModel]]


class Describe(OperatorRequest):
    """How the replica is; a state replica lists its ``busiest`` universes, so many."""

    name: ClassVar = "describe"
    services: ClassVar = SERVICES
    answer: ClassVar = Description

    busiest: Annotated[int, Field(ge=0, le=MAX_BUSIEST)] = 1


class Drain(OperatorRequest):
    """Take no new client, and close all there are within ``over_s``: they come back elsewhere.

    With ``undo``, take clients again.
    """

    name: ClassVar = "drain"
    services: ClassVar = ("gateway",)
    answer: ClassVar = Done

    over_s: Annotated[float, Field(ge=0, le=MAX_BOUND_S)] = 10.0
    undo: bool = False


class MoveClients(OperatorRequest):
    """Have so many clients come back elsewhere, those that are here longest, within ``over_s``.

    For ``for_s``, no new client is taken while there are ``most`` or more.
    """

    name: ClassVar = "move_clients"
    services: ClassVar = ("gateway",)
    answer: ClassVar = Done

    clients: Annotated[int, Field(ge=0)]
    over_s: Annotated[float, Field(ge=0, le=MAX_BOUND_S)]
    most: Annotated[int, Field(ge=0)]
    for_s: Annotated[float, Field(ge=0, le=MAX_BOUND_S)]


#: All requests by name.
OPERATOR_REQUESTS: Mapping[str, type[OperatorRequest]] = MappingProxyType(
    {request.name: request for request in (Describe, Drain, MoveClients)}
)


class ReplicaEntry(ServiceModel):
    """What is stored of a replica while it runs: an operator knows by it who should answer.

    One that stopped in order has ``left``.
    """

    service: str
    instance: str
    replica: str
    version: str
    at: Timestamp
    left: bool = False


class Revoked(ServiceModel):
    """Tokens are not good any more: a user's that were issued until ``at``, or a certain one.

    ``at`` is Unix time in seconds; whose tokens they are is said by the subject.
    """

    at: float


class SwitchSet(ServiceModel):
    """What an operator set a switch to, and when."""

    on: bool
    at: Timestamp


class Restored(ServiceModel):
    """Streams were restored from a backup, in which they ended at these sequences.

    What was stored after the backup is lost: no universe's log that ends there is gone on with as
    if nothing had been.
    """

    ends: dict[str, int]
    at: Timestamp

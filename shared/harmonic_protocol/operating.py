"""Requests of operators to replicas, and their answers: one declaration per request.

A request goes to ``hu.operate.<service>.<request>``, which all replicas of the service hear. A
request for a single replica names its instance in a header. Requests about one universe go to its
owner, see :mod:`harmonic_protocol.intervening`.
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
#: The header that names the only replica to answer a request, by its instance name.
INSTANCE = "Hu-Instance"
#: Universes that are listed at most.
MAX_BUSIEST = 100
#: Seconds that a bound on a gateway's connections is kept at most, unless it is lifted.
MAX_BOUND_S = 600.0


class BusyUniverse(ServiceModel):
    """The recent requests per second of a universe."""

    universe_id: str
    requests_per_s: float
    connections: int


class Description(ServiceModel):
    """A replica's current state.

    ``state`` is as in ``/readyz``; ``waiting_for`` is what the start waits for. ``values`` are its
    metrics that rise and fall, and ``increases`` the increases of its counters within ``window_s``;
    both by the metric's name with its labels. ``busiest`` are the universes that it owns with the
    most requests. ``switched_off`` is what it refuses because of operators' switches. ``secrets``
    are fingerprints by purpose, to compare secrets between replicas; no secret can be derived from
    them.
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
    """The request was carried out, or has begun to be; ``connections`` counts those concerned."""

    connections: int = 0


class OperatorRequest(ServiceModel):
    """A request of an operator to replicas."""

    name: ClassVar[str]
    #: The services that answer it.
    services: ClassVar[tuple[str, ...]]
    answer: ClassVar[type[ServiceModel]]


class Describe(OperatorRequest):
    """The replica's state; a state replica lists its ``busiest`` universes, at most this many."""

    name: ClassVar = "describe"
    services: ClassVar = SERVICES
    answer: ClassVar = Description

    busiest: Annotated[int, Field(ge=0, le=MAX_BUSIEST)] = 1


class Drain(OperatorRequest):
    """Take no new client, and close all connections within ``over_s``: clients reconnect elsewhere.

    With ``undo``, take clients again.
    """

    name: ClassVar = "drain"
    services: ClassVar = ("gateway",)
    answer: ClassVar = Done

    over_s: Annotated[float, Field(ge=0, le=MAX_BOUND_S)] = 10.0
    undo: bool = False


class MoveClients(OperatorRequest):
    """Have a number of clients, the longest connected, reconnect elsewhere within ``over_s``.

    For ``for_s``, take no new client while there are ``most`` or more.
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
    """What is stored of a running replica, so that an operator knows which ones should answer.

    A replica that stopped in order has ``left``.
    """

    service: str
    instance: str
    replica: str
    version: str
    at: Timestamp
    left: bool = False


class Revoked(ServiceModel):
    """Tokens are revoked: a user's that were issued until ``at``, or a certain one.

    ``at`` is Unix time in seconds; the subject names the user or the token.
    """

    at: float


class SwitchSet(ServiceModel):
    """The state that an operator set a switch to, and when."""

    on: bool
    at: Timestamp


class Restored(ServiceModel):
    """Streams were restored from a backup, in which they ended at these sequences.

    Records stored after the backup are lost. The log of a universe that ends there must not
    continue as if there had been none.
    """

    ends: dict[str, int]
    at: Timestamp

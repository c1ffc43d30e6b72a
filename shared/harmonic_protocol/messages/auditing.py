"""The audit log: who did what to whom, and when.

An entry about a universe is stored under ``hu.audit.universe.<universe>.<who>.<whom>``, any other
under ``hu.audit.instance.<action>.<who>.<whom>``. The last two tokens are digests of the users
concerned, as everywhere in subjects (``audience_of``), or ``service``, ``operator`` and ``nobody``.
So all entries that name a user are found by ``hu.audit.*.*.<digest>.*`` and
``hu.audit.*.*.*.<digest>``. To erase a user, they are removed, or stored anew without the name
under ``nobody``: an entry names users only in ``userId`` and ``target``. An entry that is stored
anew keeps its ``id``. The log of its universe may have the same in an ``action_noted`` event.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from harmonic_protocol.messages.declaration import Grant, OperationSpec
from harmonic_protocol.messages.universes import MAX_CURSOR, MAX_PAGE, UniverseOperation
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import ServiceName, Timestamp, UniverseId, UserId


class AuditEntry(WireModel):
    """An action on a universe or on the instance."""

    id: Annotated[str, Field(description="the entry's own id")]
    at: Timestamp
    action: Annotated[str, Field(description="what was done: an operation, command or verb")]
    user_id: Annotated[
        UserId | None, Field(description="who did it: a user, a service, or an operator's name")
    ] = None
    operator: Annotated[bool | None, Field(description="whether an operator did it")] = None
    service: ServiceName | None = None
    target: Annotated[UserId | None, Field(description="the user to whom it was done")] = None
    universe_id: UniverseId | None = None
    details: Annotated[
        dict[str, Any] | None, Field(description="what it was set to, by the names of requests")
    ] = None


class AuditPage(WireModel):
    """A part of an audit log; ``nextCursor`` asks for the next, and is absent at the end."""

    items: tuple[AuditEntry, ...]
    next_cursor: str | None = None


class ListAudit(UniverseOperation):
    """Who changed settings and roles, moderated, or acted as a service or operator, and when.

    The oldest first, as far as the entries are kept.
    """

    spec: ClassVar = OperationSpec(
        "list_audit", "GET", "/universes/{universeId}/audit", grant=Grant.OWNER
    )
    answer: ClassVar = AuditPage

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    cursor: Annotated[int, Field(ge=0, le=MAX_CURSOR)] = 0

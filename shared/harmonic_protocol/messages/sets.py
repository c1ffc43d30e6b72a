"""Parameter sets: the declaration of one, and all messages that are derived from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field, create_model

from harmonic_protocol.messages.declaration import (
    Changes,
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    OwnerCommand,
    RateClass,
    changes_of,
)
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import ServiceName, Timestamp, UniverseId, UserId

P = TypeVar("P", bound=WireModel)


class ParameterCommand(OwnerCommand):
    """A command that changes parameters of one or more sets."""

    def changes(self) -> dict[str, Changes]:
        """The changes by the name of their set."""
        raise NotImplementedError


class UpdateSet(ParameterCommand):
    """A command that changes the parameters of one set."""

    set_name: ClassVar[str]

    parameters: Changes

    def changes(self) -> dict[str, Changes]:
        """The parameters that were sent."""
        return {self.set_name: self.parameters}


class ParametersUpdated(Event):
    """The common part of all ``*_updated`` events: ``changed`` names the fields that were sent.

    After a return, one event for each set gives the ``current`` values, with the user and time of
    the last change: nothing happened just then, so it has no ``seq``. An event that the client
    missed is ``replayed``: its values may be outdated. A change by a service has its name in
    ``service``.
    """

    set_name: ClassVar[str]

    universe_id: UniverseId
    user_id: UserId
    timestamp: Timestamp
    changed: tuple[str, ...]
    seq: int | None = None
    current: Literal[True] | None = None
    replayed: Literal[True] | None = None
    service: ServiceName | None = None
    parameters: Any


@dataclass(frozen=True, slots=True)
class ParameterSet(Generic[P]):
    """A set of a universe's parameters; ``example`` is a change of it for the documents.

    ``names`` are the parameters' names on the wire, by those in Python, in their order.
    """

    name: str
    values: type[P]
    changes: type[Changes]
    command: type[UpdateSet]
    event: type[ParametersUpdated]
    example: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        names = {key: one.alias or key for key, one in self.values.model_fields.items()}
        object.__setattr__(self, "names", MappingProxyType(names))

    def of(self, parameters: WireModel) -> P:
        """The values of this set, out of all parameters."""
        values: P = getattr(parameters, self.name)
        return values


def parameter_set(
    name: str, values: type[P], example: Mapping[str, object] | None = None
) -> ParameterSet[P]:
    """Declare a set by its name and its values, each of which has a range and a default.

    Its command is ``update_<name>``, its event ``<name>_updated``; the classes are named alike.
    """
    stem, words = name.title().replace("_", ""), name.replace("_", " ")
    changes = changes_of(values, f"{stem}Changes")
    command = create_model(
        f"Update{stem}",
        __base__=UpdateSet,
        __module__=values.__module__,
        __doc__=f"Change {words} parameters.",
        parameters=(changes, ...),
    )
    updated = f"{name}_updated"
    command.set_name = name
    command.spec = CommandSpec(f"update_{name}", RateClass.PARAMETERS, (updated,))
    event = create_model(
        f"{stem}Updated",
        __base__=ParametersUpdated,
        __module__=values.__module__,
        __doc__=f"Someone changed {words} parameters; all of them as they are now.",
        parameters=(values, Field(description=f"All {words} parameters as they are now.")),
    )
    event.set_name = name
    event.spec = EventSpec(updated, Delivery.REPLAYED)
    first = next(iter(values.model_fields))
    shown = example or {first: values.model_fields[first].default}
    return ParameterSet(name, values, changes, command, event, shown)

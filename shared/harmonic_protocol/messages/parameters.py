"""The table of a universe's parameter sets, and the messages that contain all of them.

A set is declared here by one line. Its command, its event, its part of ``update_parameters``, of
snapshots and of what clients are sent, and its documentation are derived from that.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from harmonic_protocol.messages.declaration import Changes, CommandSpec, RateClass, by_name
from harmonic_protocol.messages.extensions import EXTENSIONS
from harmonic_protocol.messages.sets import (
    ParameterCommand,
    ParameterSet,
    ParametersUpdated,
    parameter_set,
)
from harmonic_protocol.schema import ClientModel, ServiceModel, WireModel
from harmonic_protocol.values import MusicParameters, PhysicsParameters, VisualizationParameters

PHYSICS = parameter_set("physics", PhysicsParameters, {"gravity": 4.2})
MUSIC = parameter_set("music", MusicParameters, {"tempo": 96, "key": "D", "scale": "dorian"})
VISUALIZATION = parameter_set(
    "visualization", VisualizationParameters, {"colorScheme": "ocean", "particleCount": 8000}
)

_SETS: tuple[ParameterSet[Any], ...] = (
    PHYSICS,
    MUSIC,
    VISUALIZATION,
    *EXTENSIONS.parameter_sets(),
)
PARAMETER_SETS: Mapping[str, ParameterSet[Any]] = MappingProxyType(
    by_name((one.name, one) for one in _SETS)
)


def _with_sets(base: type[BaseModel], fields: Mapping[str, object]) -> Any:
    """A base class with a field for each set."""
    return create_model(f"_{base.__name__}WithSets", __base__=base, **fields)  # type: ignore[call-overload]


_Values = _with_sets(
    WireModel, {name: (one.values, one.values()) for name, one in PARAMETER_SETS.items()}
)
_Events = _with_sets(
    ServiceModel, {name: (one.event | None, None) for name, one in PARAMETER_SETS.items()}
)
_Changes = _with_sets(
    ClientModel,
    {name: (one.changes, Field(default=None)) for name, one in PARAMETER_SETS.items()},
)


class Parameters(_Values):  # type: ignore[valid-type,misc]
    """The parameter sets of a universe."""


class StoredParameters(Parameters):
    """The parameter sets as they are stored: unknown ones are kept unchanged.

    So a service without an extension loses none of its values.
    """

    model_config = ConfigDict(extra="allow")


class CurrentValues(_Events):  # type: ignore[valid-type,misc]
    """The parameter sets as of a position, each with the user and time of its last change.

    A service that does not know a set leaves it out.
    """

    def events(self) -> list[ParametersUpdated]:
        """The values of each set that is present, in the table's order."""
        values = (getattr(self, name) for name in PARAMETER_SETS)
        return [value for value in values if value is not None]


class ChangesOfSets(_Changes):  # type: ignore[valid-type,misc]
    """The changes of one or more parameter sets."""

    def changes(self) -> dict[str, Changes]:
        """The parameters that were sent, by set, in the table's order."""
        sent = {name: getattr(self, name) for name in PARAMETER_SETS}
        return {name: changes for name, changes in sent.items() if changes is not None}

    @model_validator(mode="after")
    def _names_a_set(self) -> Self:
        if not self.changes():
            *others, last = PARAMETER_SETS
            raise ValueError(f"must hold {', '.join(others)} or {last}")
        return self


class UpdateParameters(ChangesOfSets, ParameterCommand):
    """Change several parameter sets at once: all of it happens, or nothing."""

    spec: ClassVar = CommandSpec(
        "update_parameters",
        RateClass.PARAMETERS,
        tuple(one.event.spec.name for one in PARAMETER_SETS.values()),
    )

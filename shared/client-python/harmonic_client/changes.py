"""Parameters and changes of parameters, as callers of this client write and read them.

Fields have the names of the contract's classes, such as ``air_resistance``: on the wire they are
in camel case. Parameter sets that only the server knows are passed on as they are.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from harmonic_protocol.messages import parameters as contract
from harmonic_protocol.values import (
    ColorScheme,
    Key,
    MusicParameters,
    PhysicsParameters,
    Scale,
    VisualizationParameters,
)

#: Values by parameter set and field: those that are to change.
Changes = Mapping[str, Mapping[str, Any]]


class PhysicsChanges(TypedDict, total=False):
    """The physics parameters that are to change."""

    gravity: float
    friction: float
    elasticity: float
    air_resistance: float
    time_scale: float


class MusicChanges(TypedDict, total=False):
    """The music parameters that are to change."""

    harmony: float
    tempo: float
    key: Key
    scale: Scale
    rhythm_complexity: float
    melody_range: float


class VisualizationChanges(TypedDict, total=False):
    """The visualization parameters that are to change."""

    brightness: float
    saturation: float
    complexity: float
    color_scheme: ColorScheme
    particle_count: int
    glow_intensity: float


class UniverseParameters(contract.Parameters):
    """All parameters of a universe."""

    physics: PhysicsParameters
    music: MusicParameters
    visualization: VisualizationParameters


def given(
    physics: PhysicsChanges | None,
    music: MusicChanges | None,
    visualization: VisualizationChanges | None,
    others: Mapping[str, Mapping[str, Any]],
) -> Changes:
    """The given changes, without sets that were not given."""
    named = {"physics": physics, "music": music, "visualization": visualization, **others}
    return {name: dict(fields) for name, fields in named.items() if fields is not None}


def to_wire(changes: Changes) -> dict[str, dict[str, Any]]:
    """The changes as they are sent."""
    return {
        name: {to_camel(field): value for field, value in fields.items()}
        for name, fields in changes.items()
    }


def field_names(values: BaseModel, wire_names: Iterable[str]) -> frozenset[str]:
    """The names of fields, by their names on the wire."""
    by_wire_name = {field.alias: name for name, field in type(values).model_fields.items()}
    return frozenset(by_wire_name.get(name, name) for name in wire_names)

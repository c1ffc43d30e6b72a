"""Changing a universe's parameters: any subset of a set, merged field by field."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

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
from harmonic_protocol.values import (
    MusicParameters,
    PhysicsParameters,
    Timestamp,
    UniverseId,
    UserId,
    VisualizationParameters,
)

PhysicsChanges = changes_of(PhysicsParameters, "PhysicsChanges")
MusicChanges = changes_of(MusicParameters, "MusicChanges")
VisualizationChanges = changes_of(VisualizationParameters, "VisualizationChanges")


class ParameterCommand(OwnerCommand):
    """A command that changes parameters: it yields the changes of each set that it names."""

    def changes(self) -> dict[str, Changes]:
        """The changes by the name of their set: ``physics``, ``music``, ``visualization``."""
        raise NotImplementedError


class UpdatePhysics(ParameterCommand):
    """Change physics parameters."""

    spec: ClassVar = CommandSpec("update_physics", RateClass.PARAMETERS, ("physics_updated",))

    parameters: PhysicsChanges  # type: ignore[valid-type]

    def changes(self) -> dict[str, Changes]:
        """The physics parameters that were sent."""
        return {"physics": self.parameters}


class UpdateMusic(ParameterCommand):
    """Change music parameters."""

    spec: ClassVar = CommandSpec("update_music", RateClass.PARAMETERS, ("music_updated",))

    parameters: MusicChanges  # type: ignore[valid-type]

    def changes(self) -> dict[str, Changes]:
        """The music parameters that were sent."""
        return {"music": self.parameters}


class UpdateVisualization(ParameterCommand):
    """Change visualization parameters."""

    spec: ClassVar = CommandSpec(
        "update_visualization", RateClass.PARAMETERS, ("visualization_updated",)
    )

    parameters: VisualizationChanges  # type: ignore[valid-type]

    def changes(self) -> dict[str, Changes]:
        """The visualization parameters that were sent."""
        return {"visualization": self.parameters}


class UpdateParameters(ParameterCommand):
    """Change several parameter sets at once: all of it happens, or nothing."""

    spec: ClassVar = CommandSpec(
        "update_parameters",
        RateClass.PARAMETERS,
        ("physics_updated", "music_updated", "visualization_updated"),
    )

    physics: PhysicsChanges = Field(default=None)  # type: ignore[valid-type]
    music: MusicChanges = Field(default=None)  # type: ignore[valid-type]
    visualization: VisualizationChanges = Field(default=None)  # type: ignore[valid-type]

    def changes(self) -> dict[str, Changes]:
        """The parameters that were sent, by set, in the order physics, music, visualization."""
        sets = {
            "physics": self.physics,
            "music": self.music,
            "visualization": self.visualization,
        }
        return {name: changes for name, changes in sets.items() if changes is not None}

    @model_validator(mode="after")
    def _names_a_set(self) -> Self:
        if not self.changes():
            raise ValueError("must hold physics, music or visualization")
        return self


class ParametersUpdated(Event):
    """What all ``*_updated`` events share: ``changed`` names the fields that were sent.

    After a return, one of each tells the ``current`` values with the last change's user and
    time: nothing happened just then, so it has no ``seq``.
    """

    universe_id: UniverseId
    user_id: UserId
    timestamp: Timestamp
    changed: tuple[str, ...]
    seq: int | None = None
    current: Literal[True] | None = None
    parameters: Any


class PhysicsUpdated(ParametersUpdated):
    """Someone changed physics parameters; all of them as they are now."""

    spec: ClassVar = EventSpec("physics_updated", Delivery.REPLAYED)

    parameters: PhysicsParameters


class MusicUpdated(ParametersUpdated):
    """Someone changed music parameters; all of them as they are now."""

    spec: ClassVar = EventSpec("music_updated", Delivery.REPLAYED)

    parameters: MusicParameters


class VisualizationUpdated(ParametersUpdated):
    """Someone changed visualization parameters; all of them as they are now."""

    spec: ClassVar = EventSpec("visualization_updated", Delivery.REPLAYED)

    parameters: VisualizationParameters

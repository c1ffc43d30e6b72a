"""Previews: values that a user tries out, shown to the others, stored nowhere.

A preview of a field ends with an update of the field, another preview of the same user without it,
the user's leaving, or a second without a further preview.
"""

from typing import Any, ClassVar

from pydantic import Field, create_model

from harmonic_protocol.messages.declaration import (
    Audience,
    Changes,
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    LiveSignal,
    RateClass,
)
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.values import Timestamp, UniverseId, UserId

_SETS: Any = {name: (one.changes, Field(default=None)) for name, one in PARAMETER_SETS.items()}


class _Previewed(Event):
    universe_id: UniverseId
    user_id: UserId
    timestamp: Timestamp


class ParametersPreviewed(create_model("_PreviewedSets", __base__=_Previewed, **_SETS)):  # type: ignore[misc]
    """Someone else in the room tries values out; only an update changes the stored ones.

    It replaces the user's earlier preview. It ends with an update of its values, with a preview of
    none, with ``participant_left``, and after a second without another one.
    """

    spec: ClassVar = EventSpec("parameters_previewed", Delivery.LIVE, Audience.OTHERS)


class PreviewParameters(create_model("_PreviewSets", __base__=LiveSignal, **_SETS)):  # type: ignore[misc]
    """Show the others values before an update of them; without any values, end the preview."""

    spec: ClassVar = CommandSpec(
        "preview_parameters", RateClass.SIGNALS, answers=("parameters_previewed",)
    )
    event: ClassVar = ParametersPreviewed

    def previewed(self) -> dict[str, Changes]:
        """The values that were sent, by set, in the table's order."""
        sent = {name: getattr(self, name) for name in PARAMETER_SETS}
        return {name: changes for name, changes in sent.items() if changes is not None}

"""An extension, as somebody outside the product writes it: the tide, and where one points."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harmonic_protocol.messages.declaration import (
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    LiveSignal,
    RateClass,
)
from harmonic_protocol.messages.extensions import Extension
from harmonic_protocol.messages.sets import parameter_set
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import Timestamp, UniverseId, UserId

Share = Annotated[float, Field(ge=0.0, le=1.0, description="a share of the window")]


class TideParameters(WireModel):
    """How high the water stands in a universe."""

    height: Annotated[float, Field(ge=0.0, le=12.0, description="metres")] = 1.5
    phase: Annotated[Literal["ebb", "flood"], Field(description="which way it goes")] = "flood"
    swell_count: Annotated[int, Field(ge=0, le=100, description="waves a minute")] = 6


class PointerMoved(Event):
    """Where an editor points."""

    spec: ClassVar = EventSpec("pointer_moved", Delivery.LIVE)

    universe_id: UniverseId
    x: Share
    y: Share
    user_id: UserId
    timestamp: Timestamp


class MovePointer(LiveSignal):
    """Show the room where one points."""

    spec: ClassVar = CommandSpec("move_pointer", RateClass.SIGNALS, ("pointer_moved",))
    event: ClassVar = PointerMoved

    x: Share
    y: Share


EXTENSION = Extension(
    parameter_sets=(parameter_set("tide", TideParameters, {"height": 4}),),
    signals=(MovePointer,),
)

"""An extension with a bug in it, and one that a state service without it does not know."""

from typing import ClassVar

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


class WeatherParameters(WireModel):
    """What only gateways know of."""

    wind: float = Field(default=1.0, ge=0.0, le=12.0, description="metres a second")


class Broken(Event):
    """Never comes."""

    spec: ClassVar = EventSpec("broken", Delivery.LIVE)

    universe_id: UniverseId
    user_id: UserId
    timestamp: Timestamp


class Break(LiveSignal):
    """Meets a bug."""

    spec: ClassVar = CommandSpec("break", RateClass.SIGNALS, ("broken",))
    event: ClassVar = Broken

    def relayed(self, *, user_id: str, timestamp: str) -> Event:
        raise ZeroDivisionError(f"no signal of {user_id} at {timestamp}")


EXTENSION = Extension(
    parameter_sets=(parameter_set("weather", WeatherParameters, {"wind": 4}),), signals=(Break,)
)

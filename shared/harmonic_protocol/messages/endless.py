"""The endless piece: a universe plays bar by bar, and changes of parameters are heard.

Each bar is composed from the parameters at the time when the universe's owner records it, shortly
before it begins. All bars of a piece depend only on its seed and those records.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harmonic_protocol.messages.declaration import (
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    OwnerCommand,
    RateClass,
    Switch,
)
from harmonic_protocol.messages.music import Seed
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import (
    Key,
    MeterName,
    Note,
    Program,
    Scale,
    Stroke,
    StyleName,
    Timestamp,
    UniverseId,
    UserId,
    VoiceName,
)

#: Bytes of a bar's message at most.
MAX_BAR_BYTES = 48 * 1024

StreamId = Annotated[str, Field(description="which endless piece it is")]
BarNumber = Annotated[int, Field(ge=0, description="the bar's number in the piece, from 0")]
StartsAt = Annotated[
    Timestamp, Field(description="when the bar begins, by the clock that `time_sync` tells")
]


class EndlessPiece(WireModel):
    """The endless piece that a universe plays."""

    stream_id: StreamId
    user_id: Annotated[UserId, Field(description="who started it")]
    style: StyleName | None = None
    seed: Seed
    started_at: Annotated[Timestamp, Field(description="when it was started")]


class StartMusic(OwnerCommand):
    """Have the universe play an endless piece; it needs edit mode.

    A universe plays one at a time: a second start is refused, with the reason `PLAYING`. It counts
    as a music generation request. The piece ends by `stop_music`, or 30 seconds after the last
    participant has left.
    """

    spec: ClassVar = CommandSpec(
        "start_music", RateClass.GENERATIONS, ("music_started",), switch=Switch.MUSIC
    )

    style: Annotated[
        StyleName | None,
        Field(description="What the piece is to be like; without it, a style is drawn."),
    ] = None
    seed: Seed | None = None


class StopMusic(OwnerCommand):
    """End the universe's endless piece; it needs edit mode, and counts as a parameter update."""

    spec: ClassVar = CommandSpec("stop_music", RateClass.PARAMETERS, ("music_stopped",))


class MusicStarted(Event):
    """The universe plays an endless piece from now on: its bars follow as `music_bar`."""

    spec: ClassVar = EventSpec("music_started", Delivery.REPLAYED)

    universe_id: UniverseId
    stream_id: StreamId
    user_id: UserId
    style: StyleName | None = None
    seed: Seed
    timestamp: Timestamp
    seq: int
    replayed: Literal[True] | None = None


class MusicStopped(Event):
    """The endless piece is over: nothing of it sounds from ``endsAt`` on.

    ``reason`` is `stopped`, by the user ``userId``, or `empty`: nobody was left to hear it.
    """

    spec: ClassVar = EventSpec("music_stopped", Delivery.REPLAYED)

    universe_id: UniverseId
    stream_id: StreamId
    reason: Annotated[
        Literal["stopped", "empty"], Field(description="why: a user ended it, or all have left")
    ]
    user_id: UserId | None = None
    ends_at: Annotated[Timestamp, Field(description="from when on nothing of it sounds")]
    timestamp: Timestamp
    seq: int
    replayed: Literal[True] | None = None


class BarForecast(WireModel):
    """The bar after another one, as it will be unless a parameter is changed before its record."""

    duration: Annotated[float, Field(gt=0, description="seconds")]
    notes: tuple[Note, ...]
    instruments: dict[VoiceName, Program] | None = None
    drums: tuple[Stroke, ...] | None = None


class MusicBar(Event):
    """A bar of the endless piece, sent between one and three seconds before it begins.

    Each bar begins when the one before ends. After an outage of the server, the next bar may begin
    later, never earlier. The notes' ``startTime`` counts from the bar's beginning; a note may ring
    beyond the bar's end. ``asOf`` is the `seq` of the last update whose values are heard. Bars that
    have not ended are sent again to a client that enters or returns: tell repeated bars by their
    ``streamId`` and ``bar``. A client whose connection is broken when the next bar is due plays
    ``forecast`` in its place.
    """

    spec: ClassVar = EventSpec("music_bar", Delivery.TIMED)

    universe_id: UniverseId
    stream_id: StreamId
    bar: BarNumber
    starts_at: StartsAt
    duration: Annotated[float, Field(gt=0, description="seconds")]
    tempo: float
    key: Key
    scale: Scale
    as_of: Annotated[int, Field(description="the `seq` of the last update that it follows")]
    notes: tuple[Note, ...]
    style: StyleName | None = None
    meter: MeterName | None = None
    instruments: dict[VoiceName, Program] | None = None
    drums: tuple[Stroke, ...] | None = None
    forecast: BarForecast | None = None

"""Audio analysis: a live signal from one editor to the room, stored nowhere."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from harmonic_protocol.messages.declaration import (
    KIB,
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    LiveSignal,
    RateClass,
    Switch,
)
from harmonic_protocol.schema import ClientModel
from harmonic_protocol.values import Timestamp, UniverseId, UserId

MAX_SAMPLES = 2048
MAX_AUDIO_MESSAGE_BYTES = 128 * KIB
MAX_ATTACHMENT_BYTES = 8 * KIB

#: The first invalid number ends validation: naming thousands would cost as much as validating a
#: hundred good lists.
Samples = Annotated[list[float], Field(max_length=MAX_SAMPLES, fail_fast=True)]
Spectrum = Annotated[list[float | None], Field(max_length=MAX_SAMPLES, fail_fast=True)]
TypedArray = Annotated[
    bytes,
    Field(max_length=MAX_ATTACHMENT_BYTES, description="a typed array, as a binary attachment"),
]


#: A time in ISO 8601, with or without seconds, their fraction and an offset.
ClientTimestamp = Annotated[
    str,
    StringConstraints(
        pattern=r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?$",
        max_length=40,
    ),
    Field(description="a time by the client's clock, as ISO 8601 writes it"),
]


class Analysis(ClientModel):
    """Numbers, or a typed array relayed byte for byte; ``null`` in ``frequencies`` is silence."""

    frequencies: Spectrum | TypedArray
    waveform: Samples | TypedArray
    timestamp: ClientTimestamp


class AudioAnalyzed(Event):
    """What an editor hears, with the editor's own time in ``analysis.timestamp``."""

    spec: ClassVar = EventSpec("audio_analyzed", Delivery.LIVE)

    universe_id: UniverseId
    analysis: Analysis
    user_id: UserId
    timestamp: Timestamp


class AudioAnalysis(LiveSignal):
    """Show the room what one hears."""

    spec: ClassVar = CommandSpec(
        "audio_analysis",
        RateClass.SIGNALS,
        answers=("audio_analyzed",),
        max_bytes=MAX_AUDIO_MESSAGE_BYTES,
        switch=Switch.AUDIO,
    )
    event: ClassVar = AudioAnalyzed

    analysis: Analysis

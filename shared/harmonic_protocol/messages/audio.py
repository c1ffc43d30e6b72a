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
)
from harmonic_protocol.schema import ClientModel
from harmonic_protocol.values import Timestamp, UniverseId, UserId

MAX_SAMPLES = 2048
MAX_AUDIO_MESSAGE_BYTES = 128 * KIB
MAX_ATTACHMENT_BYTES = 8 * KIB

Samples = Annotated[list[float], Field(max_length=MAX_SAMPLES)]
Spectrum = Annotated[list[float | None], Field(max_length=MAX_SAMPLES)]
TypedArray = Annotated[
    bytes,
    Field(max_length=MAX_ATTACHMENT_BYTES, description="a typed array, as a binary attachment"),
]


class Analysis(ClientModel):
    """Numbers, or a typed array relayed byte for byte; ``null`` in ``frequencies`` is silence."""

    frequencies: Spectrum | TypedArray
    waveform: Samples | TypedArray
    timestamp: Annotated[str, StringConstraints(min_length=1, max_length=64)]


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
        RateClass.AUDIO,
        answers=("audio_analyzed",),
        max_bytes=MAX_AUDIO_MESSAGE_BYTES,
    )
    event: ClassVar = AudioAnalyzed

    analysis: Analysis

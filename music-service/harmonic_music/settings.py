"""The settings of the music service, all by ``HARMONIC_…`` variables."""

from typing import Annotated, ClassVar

from pydantic import Field

from harmonic_runtime.process.settings import ServiceSettings


class MusicSettings(ServiceSettings):
    """The music service's settings."""

    service: ClassVar[str] = "music"

    composers: Annotated[
        int, Field(ge=1, le=64, description="pieces under way at the same time")
    ] = 2

"""The common base of requests between services that no client can make."""

from typing import ClassVar

from harmonic_protocol.schema import ServiceModel


class InternalRequest(ServiceModel):
    """A request to an owner, by another service or by the owner itself."""

    name: ClassVar[str]
    #: Whether it may be carried out twice.
    repeatable: ClassVar[bool] = True

    @classmethod
    def operation(cls) -> str:
        """The name under which services exchange this request."""
        return cls.name


class InternalUniverseRequest(InternalRequest):
    """A request about one universe."""

    universe_id: str

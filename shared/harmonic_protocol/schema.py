"""The two strictnesses of the contract, as base classes.

What a client may say is checked to the letter (:class:`ClientModel`); what services
tell one another tolerates fields that a newer version added (:class:`ServiceModel`).
"""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """Snake case in Python, camel case on the wire; values never change once made."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        allow_inf_nan=False,
        ser_json_inf_nan="null",
    )

    def to_json(self) -> bytes:
        """The wire form: camel case, without the optional fields that nobody set to a value."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()

    def to_wire(self) -> dict[str, object]:
        """The wire form as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ClientModel(WireModel):
    """Something that a client may say: strict types, and no field that is not declared."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)


class ServiceModel(WireModel):
    """Something that services tell one another: a newer version may add fields."""

    model_config = ConfigDict(extra="ignore")

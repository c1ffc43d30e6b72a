"""The two strictnesses of the contract, as base classes.

Messages of clients are validated strictly (:class:`ClientModel`); messages between services
tolerate fields that a newer version added (:class:`ServiceModel`).
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

#: Models are frozen.
_set = object.__setattr__


class WireModel(BaseModel):
    """Snake case in Python, camel case on the wire; values never change once made."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        allow_inf_nan=False,
        ser_json_inf_nan="null",
    )

    def revised(self, changes: Mapping[str, Any]) -> Self:
        """The same with other values in some of its declared fields, which are not validated.

        Like ``model_copy``, in a third of the time.
        """
        if self.__pydantic_extra__:
            return self.model_copy(update=changes)
        made = self.__class__.__new__(self.__class__)
        _set(made, "__dict__", {**self.__dict__, **changes})
        _set(made, "__pydantic_fields_set__", {*self.__pydantic_fields_set__, *changes})
        _set(made, "__pydantic_extra__", self.__pydantic_extra__)
        _set(made, "__pydantic_private__", None)
        return made

    @classmethod
    def assembled(cls, values: dict[str, Any]) -> Self:
        """A message of values that are known to be valid: all of its fields, in their order.

        Like ``model_construct``, in a fifth of the time.
        """
        made = cls.__new__(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", set(values))
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made

    def to_json(self) -> bytes:
        """The wire form: camel case, without the optional fields that nobody set to a value."""
        # As ``model_dump_json`` does, which makes a text of it in between.
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)

    def to_wire(self) -> dict[str, object]:
        """The wire form as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ClientModel(WireModel):
    """A message of a client: strict types, and no field that is not declared."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)


class ServiceModel(WireModel):
    """A message between services: a newer version may add fields."""

    model_config = ConfigDict(extra="ignore")

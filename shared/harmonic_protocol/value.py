"""Classes whose instances never change, as type checkers ensure.

``dataclass(frozen=True)`` ensures it at run time as well, and takes three times as long to make an
instance. Use these classes for values made for every message, and frozen dataclasses otherwise.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots, whose instances are equal if all their fields are."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def individual(cls: type[T]) -> type[T]:
    """A dataclass with slots, whose instances are equal only to themselves."""
    return dataclass(slots=True, eq=False)(cls)

"""Classes whose instances never change once made, which type checkers see to.

``dataclass(frozen=True)`` sees to it at run time as well, and takes three times as long to make an
instance. These are for what is made for every message; the others are frozen dataclasses.
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
    """A dataclass with slots, whose instances are equal to themselves alone."""
    return dataclass(slots=True, eq=False)(cls)

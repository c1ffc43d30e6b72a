"""The errors that this client raises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused


class HarmonicError(Exception):
    """The base of all errors of this client."""


@dataclass(frozen=True, slots=True)
class FieldRefusal:
    """What is wrong with one field, named as on the wire, and its range where it has one."""

    field: str
    reason: str
    min: float | None = None
    max: float | None = None


class RefusedError(HarmonicError):
    """The server refused; the attributes say why, for programs."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused

    @property
    def code(self) -> Code:
        """The error code of the protocol."""
        return self.refused.code

    @property
    def reason(self) -> Reason | None:
        """The reason within the code; ``None`` if there is none, or one of a newer version."""
        return self.refused.reason

    @property
    def retry_after_ms(self) -> float | None:
        """The milliseconds after which the same request may be granted, if known."""
        told = self.refused.details.get("retryAfterMs")
        return float(told) if isinstance(told, int | float) else None

    @property
    def fields(self) -> tuple[FieldRefusal, ...]:
        """The fields that are not valid."""
        return tuple(
            FieldRefusal(told["field"], told["reason"], told.get("min"), told.get("max"))
            for told in self.refused.details.get("fields", ())
        )


class NotConnectedError(HarmonicError):
    """A connection could not be made now, or ended before it was accepted; another one may be.

    ``too_often`` says that the gateway refused it because the user connects too often.
    """

    def __init__(self, why: str, *, too_often: bool = False) -> None:
        super().__init__(why)
        self.too_often = too_often


class UnansweredError(HarmonicError):
    """No answer came in time. The command may have been carried out."""


class MissedEventsError(HarmonicError):
    """The consumer of ``async for`` was too slow, and ``missed`` events were dropped.

    The state of the universe is still right: begin another ``async for``, and read the state.
    """

    def __init__(self, missed: int) -> None:
        super().__init__(f"{missed} events were not taken in time")
        self.missed = missed


def refusal(answer: Mapping[str, Any]) -> RefusedError:
    """The refusal in an ack or in an answer of the HTTP API."""
    return RefusedError(Refused.model_validate(answer["error"]))

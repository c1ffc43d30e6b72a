"""JetStream's own API, asked over the bus: a JSON body there, a JSON body or an error back."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from harmonic_runtime.bus.client import Bus, BusUnavailable

#: How long one call may take: a stream whose leader is gone has another after 4 to 8 s.
API_TIMEOUT_S = 2.0
API_PREFIX = "$JS.API."


class ApiRefused(BusUnavailable):
    """JetStream answered with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.code = int(error.get("err_code", 0))
        super().__init__(f"{error.get('description', 'no description')} ({self.code})")


async def call(
    bus: Bus, name: str, body: Mapping[str, object], *, timeout_s: float = API_TIMEOUT_S
) -> Mapping[str, Any]:
    """The answer of one of the API's subjects.

    Raise :class:`ApiRefused` if it is an error, and :class:`BusUnavailable` where none comes.
    """
    message = await bus.request(API_PREFIX + name, to_json(body), timeout_s=timeout_s)
    answer: Mapping[str, Any] = from_json(message.payload)
    error = answer.get("error")
    if error is not None:
        raise ApiRefused(error)
    return answer

"""What travels beside a payload between services: who asks, until when, and the answer.

Identity is stamped by the gateway from the verified token; nothing here comes from a payload.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, unquote

from harmonic_protocol.refusals import Refused
from harmonic_protocol.schema import ServiceModel

USER = "Hu-User"
USERNAME = "Hu-Name"
CONNECTION = "Hu-Connection"
GATEWAY = "Hu-Gateway"
DEADLINE = "Hu-Deadline"
TRACE = "Hu-Trace"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and over which connection of which gateway (neither, for the HTTP API)."""

    user_id: str
    username: str
    connection_id: str = ""
    gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The headers of a request; ``deadline_ms`` is Unix time: past it, nobody waits any more."""

    caller: Caller
    deadline_ms: int
    trace_id: str

    def to_headers(self) -> dict[str, str]:
        """As NATS headers; text of any script is percent-encoded."""
        caller = self.caller
        return {
            USER: quote(caller.user_id, safe="|@:"),
            USERNAME: quote(caller.username, safe=" "),
            CONNECTION: caller.connection_id,
            GATEWAY: caller.gateway_id,
            DEADLINE: str(self.deadline_ms),
            TRACE: self.trace_id,
        }

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """Raise ``ValueError`` where the headers do not name a user and a deadline."""
        try:
            user_id = unquote(headers[USER])
            deadline_ms = int(headers[DEADLINE])
        except KeyError as missing:
            raise ValueError(f"no header {missing.args[0]}") from missing
        caller = Caller(
            user_id,
            unquote(headers.get(USERNAME, "")) or user_id,
            headers.get(CONNECTION, ""),
            headers.get(GATEWAY, ""),
        )
        return cls(caller, deadline_ms, headers.get(TRACE, ""))


class Reply(ServiceModel):
    """An answer between services: either ``error`` is set, or the request was carried out.

    ``seq`` numbers the last frame that members see of it; ``position`` is the log's sequence
    that holds it: whoever has seen the log up to there has seen it.
    """

    seq: int | None = None
    position: int | None = None
    result: dict[str, Any] | None = None
    error: Refused | None = None

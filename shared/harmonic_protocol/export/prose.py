"""The sentences of the documents on what the declarations say in a word."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from harmonic_protocol.messages.declaration import Audience, Delivery, RateClass
from harmonic_protocol.refusals import Code

TITLE = "Harmonic Universe"
SUMMARY = (
    "People share a universe: its physics, music and visualization parameters. They change them"
    " together, see who else is there, let the universe make music of them, and show one another"
    " what they hear."
)

#: The namespaces that are served, the canonical one first.
NAMESPACES = ("/ws", "/")
#: The HTTP path at which Engine.IO listens, and its alias.
ENGINE_PATHS = ("/socket.io/", "/ws/")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one user may do in any sliding minute, over all connections."""

    per_minute: int
    what: str

    def __str__(self) -> str:
        return f"{self.per_minute} {self.what} in any minute"


ALLOWANCES: Mapping[RateClass, Allowance] = {
    RateClass.PARAMETERS: Allowance(60, "parameter updates"),
    RateClass.GENERATIONS: Allowance(10, "music generation requests"),
    RateClass.ROOMS: Allowance(30, "joins and leaves"),
    RateClass.AUDIO: Allowance(600, "audio analyses"),
}

DELIVERIES: Mapping[Delivery, str] = {
    Delivery.REPLAYED: (
        "It is stored and numbered by `seq` before anyone sees it. A client that missed it while"
        " its session is recovered is sent it again."
    ),
    Delivery.PRESENCE: (
        "It is stored and numbered by `seq`, but never sent again: the list of participants in"
        " `room_joined` replaces what was missed."
    ),
    Delivery.LIVE: (
        "It is a live signal: not stored, not numbered, never sent again, and the first to be"
        " dropped under pressure."
    ),
    Delivery.DIRECT: "It is an answer to one connection, and not stored.",
}

AUDIENCES: Mapping[Audience, str] = {
    Audience.ROOM: "everyone in the room, the sender included",
    Audience.CALLER: "the connection that it concerns",
}

CODES: Mapping[Code, str] = {
    Code.AUTH_ERROR: (
        "The token is missing, expired or not valid; `details.reason` is `MISSING`, `EXPIRED`,"
        " `INVALID` or `REVOKED`."
    ),
    Code.NOT_FOUND: "There is no such thing, or the user may not know of it.",
    Code.PERMISSION_DENIED: (
        "The user may see the universe, but not do this; `details.reason` says why, for example"
        " `NOT_IN_ROOM` or `VIEW_ONLY`."
    ),
    Code.INVALID_PARAMETERS: (
        "The request is not what this document says; `details.fields` names each field at fault"
        " with its reason and range, or `details.reason` says what is wrong with the whole."
    ),
    Code.ROOM_FULL: "As many users as the universe takes are in its room.",
    Code.RATE_LIMITED: (
        "An allowance is used up, or too much is under way; who waits `details.retryAfterMs`"
        " milliseconds succeeds."
    ),
    Code.INTERNAL_ERROR: (
        "The server failed, or cannot do this at the moment; with `details.retryAfterMs`, it is"
        " worth another try after that time."
    ),
}

STATUSES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "`INVALID_PARAMETERS`: the request is not what this document says.",
    HTTPStatus.UNAUTHORIZED: "`AUTH_ERROR`: the token is missing, expired or not valid.",
    HTTPStatus.FORBIDDEN: "`PERMISSION_DENIED`: visible to the caller, but not allowed.",
    HTTPStatus.NOT_FOUND: "`NOT_FOUND`: not there, or not visible to the caller.",
    HTTPStatus.CONFLICT: "`INVALID_PARAMETERS`: the id is taken, for ever if it was ever used.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "`INVALID_PARAMETERS`: the body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "`INVALID_PARAMETERS`: the body is not said to be JSON.",
    HTTPStatus.TOO_MANY_REQUESTS: "`RATE_LIMITED`: try again after `Retry-After` seconds.",
    HTTPStatus.SERVICE_UNAVAILABLE: "`INTERNAL_ERROR`: try again after `Retry-After` seconds.",
}
OTHER_STATUS = "Any other failure, in the same form."

TOKEN = (
    "The token is a JSON Web Token whose `sub` is the user id. It is taken from `auth.token`, else"
    " from the header `Authorization: Bearer`, else from the query parameter `token`."
)
CONNECT_ERROR = (
    "The connection is refused. This is a CONNECT_ERROR packet of Socket.IO rather than an event:"
    " clients call their `connect_error` listeners with an `Error` whose `message` is the text and"
    " whose `data` holds `{error, code, details}`. The client does not try again by itself."
)

"""The reasons in refusals, one word each, with a sentence for people.

A reason is for programs. Clients must expect reasons that a newer version adds.
"""

from enum import StrEnum
from typing import Any, Self

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Explained(StrEnum):
    """A word on the wire, with a sentence that explains it."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A value with its word on the wire and its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """A schema that holds each word with its sentence."""
        return {
            "title": cls.__name__,
            "description": cls.__doc__,
            "type": "string",
            "oneOf": [{"const": word.value, "description": word.meaning} for word in cls],
        }


class Reason(Explained):
    """Why a request was refused, within its error code.

    It tells apart what one error code holds together; for an unknown one, act on the code.
    """

    # Tokens
    MISSING = "MISSING", "No token was given."
    EXPIRED = "EXPIRED", "The token has expired."
    INVALID = (
        "INVALID",
        "The token is not valid here, or it is another user's; `details.claim` may say why.",
    )
    REVOKED = "REVOKED", "The token was revoked."
    KEYS_UNAVAILABLE = "KEYS_UNAVAILABLE", "The keys of tokens cannot be read at the moment."

    # Permissions
    NOT_IN_ROOM = "NOT_IN_ROOM", "The connection is not in the universe's room."
    VIEW_ONLY = "VIEW_ONLY", "The connection may only view."
    NOT_OWNER = "NOT_OWNER", "Only the universe's owner may do this."
    REMOVED = "REMOVED", "The user was removed from the universe."
    KICKED = "KICKED", "An operator or the owner removed the user, who may join again."
    BANNED = "BANNED", "The universe's owner has banned the user."
    SWITCHED_OFF = "SWITCHED_OFF", "The operators have switched this off for the time being."
    SERVICE = "SERVICE", "Services may not do this."
    NOT_SERVICE = "NOT_SERVICE", "Only services may do this."
    ORIGIN = "ORIGIN", "Pages of this origin may not use the server."

    # Requests
    TOO_LARGE = "TOO_LARGE", "The message or the body has more bytes than `details.limitBytes`."
    TOO_DEEP = "TOO_DEEP", "The message nests deeper than `details.limitDepth` levels."
    TOO_MANY_VALUES = (
        "TOO_MANY_VALUES",
        "An object has over `details.limitFields` fields, or a message over `details.limitValues`.",
    )
    UNKNOWN_EVENT = "UNKNOWN_EVENT", "There is no command of this name."
    NOT_AN_OBJECT = "NOT_AN_OBJECT", "The payload is not one JSON object."
    NOT_JSON = "NOT_JSON", "The body is not JSON."
    NOT_WHOLE = "NOT_WHOLE", "The body ended early, or did not arrive in time."
    CONTENT_TYPE = "CONTENT_TYPE", "The body's content type or encoding is not served."
    METHOD = "METHOD", "The address does not serve this HTTP method."
    OP_ID_REUSED = "OP_ID_REUSED", "The `opId` was used for another command."
    OFFSET = "OFFSET", "The universe's log does not reach the position that was named."
    TRIMMED = "TRIMMED", "The universe's log does not reach back to the position that was named."

    # Universes
    TAKEN = "TAKEN", "The id is in use, or was once."
    QUOTA = "QUOTA", "The user owns `details.limit` universes, as many as a user may."
    OWNER = "OWNER", "The universe's owner has no role in it, and cannot be banned."
    NOT_MEMBER = "NOT_MEMBER", "Only a member of the universe can become its owner."
    TOO_MANY_MEMBERS = "TOO_MANY_MEMBERS", "The universe has `details.limit` members."
    TOO_MANY_BANS = "TOO_MANY_BANS", "The universe has `details.limit` bans."

    # Music
    PLAYING = "PLAYING", "The universe plays the endless piece `details.streamId` already."
    SILENT = "SILENT", "The universe plays no endless piece."

    # Load
    BUSY = "BUSY", "Earlier requests have to be finished first."
    CONNECTIONS = "CONNECTIONS", "The user has `details.limit` connections, as many as a user may."
    TOO_MANY_ROOMS = "TOO_MANY_ROOMS", "The connection is in `details.limit` rooms."
    SIGNAL_BYTES = "SIGNAL_BYTES", "The connection's live signals take too many bytes."
    REFUSALS = "REFUSALS", "The connection is closed: its messages were refused again and again."
    QUEUE_FULL = "QUEUE_FULL", "`details.limit` commands of the connection wait already."

    # Storage and time
    OVERDUE = "OVERDUE", "The request could not be begun within its time: nothing was done."
    OUTCOME_UNKNOWN = (
        "OUTCOME_UNKNOWN",
        "It is unknown whether the request was carried out; repeating it with its `opId` tells.",
    )
    NO_SPACE = (
        "NO_SPACE",
        "The universe holds `details.limitBytes` bytes of this, as many as it may.",
    )
    TOO_MANY_OPERATIONS = (
        "TOO_MANY_OPERATIONS",
        "The universe has no space to remember another `opId` within `details.windowMs`.",
    )
    STORAGE_FULL = "STORAGE_FULL", "There is no room to store this at the moment."
    STORAGE_UNREADABLE = (
        "STORAGE_UNREADABLE",
        "The broker does not show what it has stored of the universe: it has to be restarted.",
    )
    DAMAGED = "DAMAGED", "Stored data of the universe is lost, and the rest cannot be used alone."


class RecoveryOutcome(Explained):
    """What became of a client's earlier session when it connected."""

    RECOVERED = "recovered", "The session goes on: what was missed is sent after `room_joined`."
    PENDING = (
        "pending",
        (
            "Earlier connections of the user are asked whether they are alive. The rooms of one"
            " that is not follow within a ping timeout and a second, unless the client joins or"
            " leaves a room before."
        ),
    )
    NEW = "new", "A new session begins: the client joins its rooms itself."


class RecoveryReason(Explained):
    """Why an earlier session does not go on, or does not yet."""

    PENDING = "PENDING", "It is not known yet whether an earlier connection is broken."
    GOODBYE = "GOODBYE", "The client ended its session, and this one does not say its `pid`."
    WINDOW = "WINDOW", "The session ended longer ago than sessions are kept."
    DECLINED = "DECLINED", "The client said `recovery: 0`."
    TRIMMED = "TRIMMED", "The log does not hold all that was missed."
    NONE = "NONE", "There is no session that this client may continue."

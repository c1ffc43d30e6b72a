"""A page on errors: what each code and reason means, and what a client should do."""

from collections.abc import Iterator, Mapping

from harmonic_protocol.export import prose
from harmonic_protocol.export.tables import table
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import REASONS, Code

_OPENING = (
    (
        "A command that is refused is answered by its ack, if the client asked for one, and by an"
        " event: `room_error` for `join_room` and `leave_room`, `error` for all others. A refused"
        " connection is a `connect_error`. The HTTP API answers with a status and the same body."
    ),
    (
        "Each refusal has a `code`, a `message` for people, and `details` for programs."
        " `details.reason` is one of the words below, where one code has several. Decide by the"
        " reason, and by the code for a reason that you do not know: a newer server may give"
        " others. `details.errorId` finds the refusal in the server's logs: show it to the user,"
        " and quote it when you ask the operators."
    ),
)
_AGAIN_AFTER = "Try again after `details.retryAfterMs`."
_SAME_OP_ID = f"{_AGAIN_AFTER} Send the same `opId`."
_CORRECT = "Correct the program: the same request is refused again."
_TO_DO_BY_CODE: Mapping[Code, str] = {
    Code.AUTH_ERROR: "Get another token. If there is none, ask the user to log in.",
    Code.NOT_FOUND: "Say that there is no such universe, or that the user may not see it.",
    Code.PERMISSION_DENIED: "Show what is allowed. With `details.allowedMode`, join in that mode.",
    Code.INVALID_PARAMETERS: (
        "Correct the fields in `details.fields`: each has its name, what is wrong, and its range."
    ),
    Code.ROOM_FULL: "Say that the room is full, and let the user try again.",
    Code.RATE_LIMITED: (
        f"{_AGAIN_AFTER} Send the newest values then, not all that waited. The connection stays."
    ),
    Code.INTERNAL_ERROR: (
        f"{_AGAIN_AFTER} Without that field, say that it failed, and show `details.errorId`."
    ),
}
_TO_DO: Mapping[Reason, str] = {
    Reason.MISSING: "Give a token in `auth`.",
    Reason.EXPIRED: "Get a newer token. Send it by `refresh_token`, or connect again with it.",
    Reason.INVALID: "Ask the user to log in. If all tokens are refused, look at the settings.",
    Reason.REVOKED: "Ask the user to log in.",
    Reason.KEYS_UNAVAILABLE: _AGAIN_AFTER,
    Reason.NOT_IN_ROOM: "Join the room, and send the command again.",
    Reason.VIEW_ONLY: "Disable what edits. Joining with `mode: 'edit'` may be granted.",
    Reason.NOT_OWNER: "Hide what only owners may do.",
    Reason.REMOVED: "Leave the page: the user has no access any more.",
    Reason.KICKED: "Tell the user. Join again only when the user asks for it.",
    Reason.BANNED: "Tell the user, and do not try again.",
    Reason.PLAYING: "Show the piece that is played: `room_joined` and `music_started` tell of it.",
    Reason.SILENT: "Nothing is to be done: the piece is over.",
    Reason.SWITCHED_OFF: "Tell the user that it is off for now, and do not try again by itself.",
    Reason.SERVICE: "Use a user's token: a service's token is not for this.",
    Reason.NOT_SERVICE: "Do this in a server, with a service's token.",
    Reason.ORIGIN: "Ask the operators to add the page's origin to `HARMONIC_ALLOWED_ORIGINS`.",
    Reason.TOO_LARGE: "Send less: `connect_success.limits` has the bounds.",
    Reason.TOO_DEEP: _CORRECT,
    Reason.TOO_MANY_VALUES: "Send less in one message.",
    Reason.UNKNOWN_EVENT: f"{_CORRECT} Or the server is older than the client.",
    Reason.NOT_AN_OBJECT: "Send one JSON object as the event's only argument.",
    Reason.NOT_JSON: _CORRECT,
    Reason.NOT_WHOLE: "Send the request again.",
    Reason.CONTENT_TYPE: "Say `Content-Type: application/json`, and do not compress the body.",
    Reason.METHOD: _CORRECT,
    Reason.OP_ID_REUSED: "Make a new `opId` for each command.",
    Reason.OFFSET: "Begin anew, without the position.",
    Reason.TRIMMED: "Begin with what the log still has: read the universe as it is now.",
    Reason.TAKEN: "Choose another id, or leave it out, and the server makes one.",
    Reason.QUOTA: "Delete a universe first.",
    Reason.OWNER: "Hand the universe over first, by `PATCH` with `owner`.",
    Reason.NOT_MEMBER: "Make the user a member first.",
    Reason.TOO_MANY_MEMBERS: "Remove a member first.",
    Reason.TOO_MANY_BANS: "Lift a ban first.",
    Reason.BUSY: f"Wait for the answer to the request before. {_AGAIN_AFTER}",
    Reason.CONNECTIONS: "Close another tab or device of the user.",
    Reason.TOO_MANY_ROOMS: "Leave a room first, or open another connection.",
    Reason.SIGNAL_BYTES: f"Send signals less often, or smaller ones. {_AGAIN_AFTER}",
    Reason.REFUSALS: "Correct the program: it went on after many refusals.",
    Reason.QUEUE_FULL: "Wait for acks before you send more.",
    Reason.OVERDUE: _SAME_OP_ID,
    Reason.OUTCOME_UNKNOWN: _SAME_OP_ID,
    Reason.NO_SPACE: "Remove something first; in a full room, try again later.",
    Reason.TOO_MANY_OPERATIONS: _AGAIN_AFTER,
    Reason.STORAGE_FULL: "Tell the user. Operators are told by an alert.",
    Reason.STORAGE_UNREADABLE: "Tell the user, and ask the operators, with `details.errorId`.",
    Reason.DAMAGED: "Tell the user, and ask the operators, with `details.errorId`.",
}
_TITLE = "What does this error mean, and what do I do?"


def document() -> str:
    """The page."""
    return "\n\n".join(_blocks()) + "\n"


def _blocks() -> Iterator[str]:
    yield f"# {_TITLE}"
    yield "<!-- Generated from the declarations by `make contract`: change those. -->"
    yield from _OPENING
    for code in Code:
        yield f"## `{code}`"
        yield f"{prose.CODES[code]} {_TO_DO_BY_CODE[code]}"
        yield table(
            ("Reason", "Means", "What to do"),
            ((f"`{reason}`", reason.meaning, _TO_DO[reason]) for reason in REASONS[code]),
        )

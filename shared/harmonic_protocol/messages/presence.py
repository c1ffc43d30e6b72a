"""Presence: the states of participants, such as a cursor, a held slider or a status.

A client that enters is sent the last state of each participant in the room. States are stored
nowhere: gateways have them in memory.
"""

import json
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, WithJsonSchema

from harmonic_protocol.messages.declaration import (
    KIB,
    Audience,
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    LiveSignal,
    RateClass,
)
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import Mode, Timestamp, UniverseId, UserId

#: Bytes of a state as JSON text in UTF-8, and its levels of nesting, itself included, at most.
MAX_STATE_BYTES = 1 * KIB
MAX_STATE_DEPTH = 4
#: Bytes of the message around it, in which each character of the state may be an escape.
MAX_MESSAGE_BYTES = 8 * KIB
#: Bytes of one ``presence_states`` at most.
MAX_STATES_BYTES = 64 * KIB


def _bounded(state: dict[str, Any]) -> dict[str, Any]:
    """``state``, if it is JSON within the bounds; raise ``ValueError`` otherwise."""
    level: list[Any] = [state]
    for _ in range(MAX_STATE_DEPTH):
        children = [
            child for each in level for child in (each.values() if isinstance(each, dict) else each)
        ]
        level = [child for child in children if isinstance(child, dict | list)]
    if level:
        raise ValueError(f"must nest at most {MAX_STATE_DEPTH} levels deep")
    try:
        text = json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size_bytes = len(text.encode())
    except (TypeError, ValueError) as error:
        raise ValueError("must hold finite numbers, proper text and no attachments") from error
    if size_bytes > MAX_STATE_BYTES:
        raise ValueError(f"must take at most {MAX_STATE_BYTES} bytes")
    return state


PresenceState = Annotated[
    dict[str, Any],
    AfterValidator(_bounded),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
    Field(
        description=(
            f"any JSON object of at most {MAX_STATE_BYTES} bytes, {MAX_STATE_DEPTH} levels deep"
        )
    ),
]


class PresenceUpdated(Event):
    """A participant's new state, which replaces the last one as a whole.

    The user's other connections are sent it, too. ``participant_left`` ends it.
    """

    spec: ClassVar = EventSpec("presence_updated", Delivery.LIVE, Audience.OTHERS)

    universe_id: UniverseId
    state: PresenceState
    user_id: UserId
    timestamp: Timestamp


class UpdatePresence(LiveSignal):
    """Set the user's own state, which the others are sent.

    The server keeps it while the user is in the room. A client that returns, and finds no state of
    its own in ``presence_states``, sends it again.
    """

    spec: ClassVar = CommandSpec(
        "update_presence",
        RateClass.SIGNALS,
        answers=("presence_updated",),
        max_bytes=MAX_MESSAGE_BYTES,
    )
    event: ClassVar = PresenceUpdated
    mode: ClassVar[Mode] = "view"

    state: PresenceState


class ParticipantState(WireModel):
    """The state of one participant."""

    user_id: UserId
    state: PresenceState


class PresenceStates(Event):
    """The states of participants, after ``room_joined``.

    They come in one or more events, some of which may come later. Participants without a state are
    absent.
    """

    spec: ClassVar = EventSpec("presence_states", Delivery.DIRECT, Audience.CALLER)

    universe_id: UniverseId
    states: Annotated[
        tuple[ParticipantState, ...], Field(description="a state of each, in no order")
    ]

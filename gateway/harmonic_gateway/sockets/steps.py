"""The words of an Engine.IO session's table: its states, what happens to it, and what is done.

The table itself stands in ``lifecycle``.
"""

from enum import StrEnum, auto
from typing import NamedTuple


class State(StrEnum):
    """Where a session is."""

    OPENING = auto()
    POLLING = auto()
    PROBING = auto()
    PROBED = auto()
    WEBSOCKET = auto()
    SHUT_POLLING = auto()
    SHUT_PROBING = auto()
    SHUT_PROBED = auto()
    SHUT_WEBSOCKET = auto()
    MOVING = auto()
    LEFT = auto()
    CLOSED = auto()
    MOVED = auto()


class Input(StrEnum):
    """What happens to a session."""

    # Packets over the session's own transport. OTHER is one that a client may not send.
    MESSAGE = auto()
    PONG = auto()
    CLOSE = auto()
    OTHER = auto()
    # Of the WebSocket that a client tries: its probe, its wish to go over, its end before that.
    PROBE = auto()
    UPGRADE = auto()
    TRY_FAILED = auto()
    # Requests: one that says something, one that waits for something, one for a WebSocket.
    POST = auto()
    POLL = auto()
    SECOND_POLL = auto()
    POLL_DUE = auto()
    POLL_ABANDONED = auto()
    WEBSOCKET = auto()
    # Of this side: the session is shut, its client is given up or made a mistake, CLOSE was sent.
    SHUT = auto()
    GIVE_UP = auto()
    MISTAKE = auto()
    CLOSE_SENT = auto()
    # The session's WebSocket, or the request that was to become one, has ended.
    WEBSOCKET_ENDED = auto()
    # The client went over at another gateway, which asks for the session; whether that has it.
    HAND_OVER = auto()
    TAKEN_OVER = auto()
    NOT_TAKEN = auto()


class Do(StrEnum):
    """What is to be done after an input."""

    NOTHING = auto()
    # With packets.
    DELIVER = auto()
    COUNT_PONG = auto()
    REFUSE_PACKET = auto()
    # With requests. ANSWER is with what waits to be sent.
    TAKE_POST = auto()
    WAIT = auto()
    WAIT_SHORTLY = auto()
    ANSWER = auto()
    ANSWER_OR_CLOSE = auto()
    ANSWER_NOOP = auto()
    ANSWER_CLOSE = auto()
    REFUSE_REQUEST = auto()
    # With WebSockets.
    SERVE = auto()
    TRY = auto()
    TURN_DOWN = auto()
    ANSWER_PROBE = auto()
    GO_OVER = auto()
    GO_OVER_AND_SHUT = auto()
    # To end a session: let its client poll what waits, close or reset its WebSocket.
    DRAIN = auto()
    CLOSE_WEBSOCKET = auto()
    RESET_WEBSOCKET = auto()
    # To let another gateway go on with it: nothing happens here any more; it is forgotten.
    FREEZE = auto()
    FORGET = auto()
    # The end, and how it is reported.
    END_BROKEN = auto()
    END_GOODBYE = auto()
    END_BY_CODE = auto()


class Step(NamedTuple):
    """The state after an input, and what is to be done."""

    state: State
    do: Do

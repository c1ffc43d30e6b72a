"""The states of an Engine.IO session, and what each input does in each: a table, without I/O.

A session begins ``OPENING``. After that it is at a transport:

- ``POLLING``; ``PROBING`` while the client also tries a WebSocket; ``PROBED`` once its probe was
  answered; ``WEBSOCKET`` after the upgrade, or from the beginning. A client upgrades once, and
  never returns to polling.
- ``SHUT_…`` is the same after the server shut the session: packets of the client are ignored, and
  waiting packets are still sent.
- ``MOVING`` after the session was handed over to another gateway, at which the client upgraded to a
  WebSocket, until that gateway reports whether it took the session over.

It ends as ``LEFT`` if the client closed it, ``MOVED`` if another gateway continues it, else
``CLOSED``.

Invariants: an input that does not fit is refused or ignored, and changes nothing. No step leaves
``LEFT``, ``CLOSED`` or ``MOVED``. Each step into one of the first two reports the session's end,
and no other step does, so that an end is reported exactly once. A session that was handed over
sends and takes nothing here.
"""

from collections.abc import Mapping

from harmonic_gateway.sockets.steps import Do, Input, State, Step

Row = Mapping[Input, Step]

_GOODBYE = Step(State.LEFT, Do.END_GOODBYE)
_BROKEN = Step(State.CLOSED, Do.END_BROKEN)


#: Inputs of another gateway about a session that was not handed over to it.
_NOT_HANDED = {"HAND_OVER": Do.REFUSE_REQUEST, "TAKEN_OVER": Do.NOTHING, "NOT_TAKEN": Do.NOTHING}


def _stays(state: State, **does: Do) -> dict[Input, Step]:
    return {Input[name]: Step(state, do) for name, do in does.items()}


def _polls(state: State, shut: State) -> dict[Input, Step]:
    """The steps that all polling states share."""
    return {
        **_stays(
            state,
            MESSAGE=Do.DELIVER,
            PONG=Do.COUNT_PONG,
            OTHER=Do.REFUSE_PACKET,
            PROBE=Do.NOTHING,
            UPGRADE=Do.NOTHING,
            TRY_FAILED=Do.NOTHING,
            POST=Do.TAKE_POST,
            POLL=Do.WAIT,
            SECOND_POLL=Do.REFUSE_REQUEST,
            POLL_DUE=Do.ANSWER,
            CLOSE_SENT=Do.NOTHING,
            WEBSOCKET_ENDED=Do.NOTHING,
            **_NOT_HANDED,
        ),
        Input.CLOSE: _GOODBYE,
        Input.POLL_ABANDONED: _BROKEN,
        Input.WEBSOCKET: Step(State.PROBING, Do.TRY),
        Input.SHUT: Step(shut, Do.DRAIN),
        Input.GIVE_UP: _BROKEN,
        Input.MISTAKE: _BROKEN,
    }


def _tries(state: State, shut: State) -> dict[Input, Step]:
    """The same while the client tries a WebSocket: then it may abandon a poll."""
    failed = Step(State.POLLING, Do.NOTHING)
    return {
        **_polls(state, shut),
        Input.PROBE: failed,
        Input.UPGRADE: failed,
        Input.TRY_FAILED: failed,
        Input.POLL_ABANDONED: Step(state, Do.NOTHING),
        Input.WEBSOCKET: Step(state, Do.TURN_DOWN),
    }


def _shut(state: State, row: Row) -> dict[Input, Step]:
    """A polling state's row after the session was shut."""
    failed = Step(State.SHUT_POLLING, Do.NOTHING)
    back = {event: failed for event, step in row.items() if step.state is State.POLLING}
    return {
        **row,
        **back,
        **_stays(
            state,
            MESSAGE=Do.NOTHING,
            PONG=Do.NOTHING,
            OTHER=Do.NOTHING,
            POST=Do.REFUSE_REQUEST,
            POLL_DUE=Do.ANSWER_OR_CLOSE,
            SHUT=Do.NOTHING,
        ),
        Input.CLOSE_SENT: _BROKEN,
    }


_OPENING: Row = {
    **_stays(
        State.OPENING,
        MESSAGE=Do.REFUSE_PACKET,
        PONG=Do.REFUSE_PACKET,
        CLOSE=Do.REFUSE_PACKET,
        OTHER=Do.REFUSE_PACKET,
        PROBE=Do.NOTHING,
        UPGRADE=Do.NOTHING,
        TRY_FAILED=Do.NOTHING,
        POST=Do.REFUSE_REQUEST,
        SECOND_POLL=Do.REFUSE_REQUEST,
        POLL_DUE=Do.ANSWER,
        CLOSE_SENT=Do.NOTHING,
        **_NOT_HANDED,
    ),
    # The request that opens a session is its first poll, or becomes its WebSocket.
    Input.POLL: Step(State.POLLING, Do.WAIT),
    Input.WEBSOCKET: Step(State.WEBSOCKET, Do.SERVE),
    Input.POLL_ABANDONED: _BROKEN,
    Input.SHUT: _BROKEN,
    Input.GIVE_UP: _BROKEN,
    Input.MISTAKE: _BROKEN,
    Input.WEBSOCKET_ENDED: _BROKEN,
}

_POLLING: Row = _polls(State.POLLING, State.SHUT_POLLING)

_PROBING: Row = {
    **_tries(State.PROBING, State.SHUT_PROBING),
    Input.PROBE: Step(State.PROBED, Do.ANSWER_PROBE),
}

_PROBED: Row = {
    **_tries(State.PROBED, State.SHUT_PROBED),
    # The client waits for its poll to end before it upgrades. A client that has not received the
    # answer to its probe must not poll in a tight loop.
    Input.POLL: Step(State.PROBED, Do.WAIT_SHORTLY),
    Input.UPGRADE: Step(State.WEBSOCKET, Do.GO_OVER),
    Input.HAND_OVER: Step(State.MOVING, Do.FREEZE),
    # The client upgraded nevertheless.
    Input.NOT_TAKEN: _BROKEN,
}

_WEBSOCKET: Row = {
    **_stays(
        State.WEBSOCKET,
        MESSAGE=Do.DELIVER,
        PONG=Do.COUNT_PONG,
        OTHER=Do.REFUSE_PACKET,
        PROBE=Do.NOTHING,
        UPGRADE=Do.NOTHING,
        TRY_FAILED=Do.NOTHING,
        POST=Do.REFUSE_REQUEST,
        POLL=Do.REFUSE_REQUEST,
        SECOND_POLL=Do.REFUSE_REQUEST,
        # A poll that began before the upgrade.
        POLL_DUE=Do.ANSWER_NOOP,
        POLL_ABANDONED=Do.NOTHING,
        WEBSOCKET=Do.TURN_DOWN,
        CLOSE_SENT=Do.NOTHING,
        **_NOT_HANDED,
    ),
    Input.CLOSE: _GOODBYE,
    Input.SHUT: Step(State.SHUT_WEBSOCKET, Do.CLOSE_WEBSOCKET),
    Input.MISTAKE: Step(State.SHUT_WEBSOCKET, Do.CLOSE_WEBSOCKET),
    Input.GIVE_UP: Step(State.SHUT_WEBSOCKET, Do.RESET_WEBSOCKET),
    Input.WEBSOCKET_ENDED: Step(State.CLOSED, Do.END_BY_CODE),
}

_SHUT_POLLING: Row = {
    **_shut(State.SHUT_POLLING, _polls(State.SHUT_POLLING, State.SHUT_POLLING)),
    Input.WEBSOCKET: Step(State.SHUT_PROBING, Do.TRY),
}

_SHUT_PROBING: Row = {
    **_shut(State.SHUT_PROBING, _tries(State.SHUT_PROBING, State.SHUT_PROBING)),
    Input.PROBE: Step(State.SHUT_PROBED, Do.ANSWER_PROBE),
}

_SHUT_PROBED: Row = {
    **_shut(State.SHUT_PROBED, _tries(State.SHUT_PROBED, State.SHUT_PROBED)),
    Input.UPGRADE: Step(State.SHUT_WEBSOCKET, Do.GO_OVER_AND_SHUT),
    # The other gateway sends the waiting packets and then closes.
    Input.HAND_OVER: _BROKEN,
    Input.NOT_TAKEN: _BROKEN,
}

_SHUT_WEBSOCKET: Row = {
    **_stays(
        State.SHUT_WEBSOCKET,
        MESSAGE=Do.NOTHING,
        PONG=Do.NOTHING,
        OTHER=Do.NOTHING,
        PROBE=Do.NOTHING,
        UPGRADE=Do.NOTHING,
        TRY_FAILED=Do.NOTHING,
        POST=Do.REFUSE_REQUEST,
        POLL=Do.REFUSE_REQUEST,
        SECOND_POLL=Do.REFUSE_REQUEST,
        POLL_DUE=Do.ANSWER_NOOP,
        POLL_ABANDONED=Do.NOTHING,
        WEBSOCKET=Do.TURN_DOWN,
        SHUT=Do.NOTHING,
        MISTAKE=Do.NOTHING,
        GIVE_UP=Do.RESET_WEBSOCKET,
        CLOSE_SENT=Do.NOTHING,
        **_NOT_HANDED,
    ),
    Input.CLOSE: _GOODBYE,
    # The echo of our own close says nothing about what the client wants.
    Input.WEBSOCKET_ENDED: _BROKEN,
}


def _over(state: State, last_poll: Do) -> Row:
    """The row of a session that has ended: pending requests are answered, others refused."""
    return {
        **dict.fromkeys(Input, Step(state, Do.NOTHING)),
        **_stays(
            state,
            POST=Do.REFUSE_REQUEST,
            POLL=Do.REFUSE_REQUEST,
            SECOND_POLL=Do.REFUSE_REQUEST,
            POLL_DUE=last_poll,
            WEBSOCKET=Do.TURN_DOWN,
            HAND_OVER=Do.REFUSE_REQUEST,
        ),
    }


_MOVING: Row = {
    # Clients end their polls before they upgrade.
    **_over(State.MOVING, Do.REFUSE_REQUEST),
    Input.TAKEN_OVER: Step(State.MOVED, Do.FORGET),
    Input.NOT_TAKEN: _BROKEN,
}


TABLE: Mapping[State, Row] = {
    State.OPENING: _OPENING,
    State.POLLING: _POLLING,
    State.PROBING: _PROBING,
    State.PROBED: _PROBED,
    State.WEBSOCKET: _WEBSOCKET,
    State.SHUT_POLLING: _SHUT_POLLING,
    State.SHUT_PROBING: _SHUT_PROBING,
    State.SHUT_PROBED: _SHUT_PROBED,
    State.SHUT_WEBSOCKET: _SHUT_WEBSOCKET,
    State.MOVING: _MOVING,
    State.MOVED: _over(State.MOVED, Do.REFUSE_REQUEST),
    State.LEFT: _over(State.LEFT, Do.ANSWER_NOOP),
    State.CLOSED: _over(State.CLOSED, Do.ANSWER_CLOSE),
}

#: The states of sessions that have ended, and of those that use a WebSocket.
OVER = frozenset({State.LEFT, State.CLOSED, State.MOVED})
AT_WEBSOCKET = frozenset({State.WEBSOCKET, State.SHUT_WEBSOCKET})


def step(state: State, event: Input) -> Step:
    """The next state, and what to do, after an input in a state."""
    return TABLE[state][event]

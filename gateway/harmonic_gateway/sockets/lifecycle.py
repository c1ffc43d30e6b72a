"""The states of an Engine.IO session, and what each input does in each: a table, without I/O.

A session begins ``OPENING``. After that it is at a transport:

- ``POLLING``; while the client tries a WebSocket besides, ``PROBING``, and ``PROBED`` once its
  probe was answered; ``WEBSOCKET`` once the client went over, or from the beginning. A client
  goes over once, and not back.
- ``SHUT_…`` is the same after the server shut the session: what the client says is not taken any
  more, and what waits for it is still sent.

- ``MOVING`` from when another gateway, at which the client went over to a WebSocket, was handed
  the session, until that says whether it goes on there.

It ends ``LEFT`` if the client said so, ``MOVED`` if it goes on at another gateway, else ``CLOSED``.

What holds: what does not fit is refused or ignored, and changes nothing; no step leads out of
``LEFT``, ``CLOSED`` or ``MOVED``; each step that leads to one of the first two reports the
session's end, and no other step does, so that an end is reported exactly once; a session that was
handed over is sent nothing here, and takes nothing.
"""

from collections.abc import Mapping

from harmonic_gateway.sockets.steps import Do, Input, State, Step

Row = Mapping[Input, Step]

_GOODBYE = Step(State.LEFT, Do.END_GOODBYE)
_BROKEN = Step(State.CLOSED, Do.END_BROKEN)


#: Of what another gateway says of a session that it was not handed.
_NOT_HANDED = {"HAND_OVER": Do.REFUSE_REQUEST, "TAKEN_OVER": Do.NOTHING, "NOT_TAKEN": Do.NOTHING}


def _stays(state: State, **does: Do) -> dict[Input, Step]:
    return {Input[name]: Step(state, do) for name, do in does.items()}


def _polls(state: State, shut: State) -> dict[Input, Step]:
    """What all states have in common in which the client polls."""
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
    """The same while the client tries a WebSocket: then it may well abandon a poll."""
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
    # The client waits for its poll to end before it goes over. One that has not heard the answer
    # to its probe yet must not poll as fast as it can.
    Input.POLL: Step(State.PROBED, Do.WAIT_SHORTLY),
    Input.UPGRADE: Step(State.WEBSOCKET, Do.GO_OVER),
    Input.HAND_OVER: Step(State.MOVING, Do.FREEZE),
    # The client went over all the same.
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
        # A poll that began before the client went over.
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
    # What waits is all that the other gateway has to send.
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
    """A session that is over: what was under way is answered, and nothing else is taken."""
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
    # Clients end their polls before they go over.
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

#: The states of a session that is over, and of one that is at a WebSocket.
OVER = frozenset({State.LEFT, State.CLOSED, State.MOVED})
AT_WEBSOCKET = frozenset({State.WEBSOCKET, State.SHUT_WEBSOCKET})


def step(state: State, event: Input) -> Step:
    """What an input does to a session that is in a state."""
    return TABLE[state][event]

"""Engine.IO sessions as a table: every pair of a state and an input, and what holds for all."""

import itertools
from collections import deque

import pytest

from harmonic_gateway.sockets.lifecycle import AT_WEBSOCKET, OVER, TABLE, step
from harmonic_gateway.sockets.steps import Do, Input, State

ENDS = {Do.END_BROKEN, Do.END_GOODBYE, Do.END_BY_CODE}
POLLS = {
    State.POLLING,
    State.PROBING,
    State.PROBED,
    State.SHUT_POLLING,
    State.SHUT_PROBING,
    State.SHUT_PROBED,
}
SHUT = {State.SHUT_POLLING, State.SHUT_PROBING, State.SHUT_PROBED, State.SHUT_WEBSOCKET}

#: What each input does, a line a state: the state after it where it is another, and what is done.
#: What is not listed changes nothing and does nothing.
EXPECTED = {
    State.OPENING: """
        HAND_OVER REFUSE_REQUEST,
        MESSAGE REFUSE_PACKET, PONG REFUSE_PACKET, CLOSE REFUSE_PACKET, OTHER REFUSE_PACKET,
        POST REFUSE_REQUEST, SECOND_POLL REFUSE_REQUEST, POLL_DUE ANSWER, POLL POLLING WAIT,
        WEBSOCKET WEBSOCKET SERVE, POLL_ABANDONED CLOSED END_BROKEN, SHUT CLOSED END_BROKEN,
        GIVE_UP CLOSED END_BROKEN, MISTAKE CLOSED END_BROKEN, WEBSOCKET_ENDED CLOSED END_BROKEN
    """,
    State.POLLING: """
        HAND_OVER REFUSE_REQUEST,
        MESSAGE DELIVER, PONG COUNT_PONG, CLOSE LEFT END_GOODBYE, OTHER REFUSE_PACKET,
        POST TAKE_POST, POLL WAIT, SECOND_POLL REFUSE_REQUEST, POLL_DUE ANSWER,
        POLL_ABANDONED CLOSED END_BROKEN, WEBSOCKET PROBING TRY, SHUT SHUT_POLLING DRAIN,
        GIVE_UP CLOSED END_BROKEN, MISTAKE CLOSED END_BROKEN
    """,
    State.PROBING: """
        HAND_OVER REFUSE_REQUEST,
        MESSAGE DELIVER, PONG COUNT_PONG, CLOSE LEFT END_GOODBYE, OTHER REFUSE_PACKET,
        PROBE PROBED ANSWER_PROBE, UPGRADE POLLING NOTHING, TRY_FAILED POLLING NOTHING,
        POST TAKE_POST, POLL WAIT, SECOND_POLL REFUSE_REQUEST, POLL_DUE ANSWER,
        WEBSOCKET TURN_DOWN, SHUT SHUT_PROBING DRAIN,
        GIVE_UP CLOSED END_BROKEN, MISTAKE CLOSED END_BROKEN
    """,
    State.PROBED: """
        HAND_OVER MOVING FREEZE, NOT_TAKEN CLOSED END_BROKEN,
        MESSAGE DELIVER, PONG COUNT_PONG, CLOSE LEFT END_GOODBYE, OTHER REFUSE_PACKET,
        PROBE POLLING NOTHING, UPGRADE WEBSOCKET GO_OVER, TRY_FAILED POLLING NOTHING,
        POST TAKE_POST, POLL WAIT_SHORTLY, SECOND_POLL REFUSE_REQUEST, POLL_DUE ANSWER,
        WEBSOCKET TURN_DOWN, SHUT SHUT_PROBED DRAIN,
        GIVE_UP CLOSED END_BROKEN, MISTAKE CLOSED END_BROKEN
    """,
    State.WEBSOCKET: """
        HAND_OVER REFUSE_REQUEST,
        MESSAGE DELIVER, PONG COUNT_PONG, CLOSE LEFT END_GOODBYE, OTHER REFUSE_PACKET,
        POST REFUSE_REQUEST, POLL REFUSE_REQUEST, SECOND_POLL REFUSE_REQUEST,
        POLL_DUE ANSWER_NOOP, WEBSOCKET TURN_DOWN, SHUT SHUT_WEBSOCKET CLOSE_WEBSOCKET,
        MISTAKE SHUT_WEBSOCKET CLOSE_WEBSOCKET, GIVE_UP SHUT_WEBSOCKET RESET_WEBSOCKET,
        WEBSOCKET_ENDED CLOSED END_BY_CODE
    """,
    State.SHUT_POLLING: """
        HAND_OVER REFUSE_REQUEST,
        CLOSE LEFT END_GOODBYE, POST REFUSE_REQUEST, POLL WAIT, SECOND_POLL REFUSE_REQUEST,
        POLL_DUE ANSWER_OR_CLOSE, POLL_ABANDONED CLOSED END_BROKEN, WEBSOCKET SHUT_PROBING TRY,
        CLOSE_SENT CLOSED END_BROKEN, GIVE_UP CLOSED END_BROKEN, MISTAKE CLOSED END_BROKEN
    """,
    State.SHUT_PROBING: """
        HAND_OVER REFUSE_REQUEST,
        CLOSE LEFT END_GOODBYE, PROBE SHUT_PROBED ANSWER_PROBE, UPGRADE SHUT_POLLING NOTHING,
        TRY_FAILED SHUT_POLLING NOTHING, POST REFUSE_REQUEST, POLL WAIT,
        SECOND_POLL REFUSE_REQUEST, POLL_DUE ANSWER_OR_CLOSE, WEBSOCKET TURN_DOWN,
        CLOSE_SENT CLOSED END_BROKEN, GIVE_UP CLOSED END_BROKEN, MISTAKE CLOSED END_BROKEN
    """,
    State.SHUT_PROBED: """
        HAND_OVER CLOSED END_BROKEN, NOT_TAKEN CLOSED END_BROKEN,
        CLOSE LEFT END_GOODBYE, PROBE SHUT_POLLING NOTHING,
        UPGRADE SHUT_WEBSOCKET GO_OVER_AND_SHUT, TRY_FAILED SHUT_POLLING NOTHING,
        POST REFUSE_REQUEST, POLL WAIT, SECOND_POLL REFUSE_REQUEST, POLL_DUE ANSWER_OR_CLOSE,
        WEBSOCKET TURN_DOWN, CLOSE_SENT CLOSED END_BROKEN, GIVE_UP CLOSED END_BROKEN,
        MISTAKE CLOSED END_BROKEN
    """,
    State.SHUT_WEBSOCKET: """
        HAND_OVER REFUSE_REQUEST,
        CLOSE LEFT END_GOODBYE, POST REFUSE_REQUEST, POLL REFUSE_REQUEST,
        SECOND_POLL REFUSE_REQUEST, POLL_DUE ANSWER_NOOP, WEBSOCKET TURN_DOWN,
        GIVE_UP RESET_WEBSOCKET, WEBSOCKET_ENDED CLOSED END_BROKEN
    """,
    State.MOVING: """
        HAND_OVER REFUSE_REQUEST, POST REFUSE_REQUEST, POLL REFUSE_REQUEST,
        SECOND_POLL REFUSE_REQUEST, POLL_DUE REFUSE_REQUEST, WEBSOCKET TURN_DOWN,
        TAKEN_OVER MOVED FORGET, NOT_TAKEN CLOSED END_BROKEN
    """,
    State.MOVED: """
        HAND_OVER REFUSE_REQUEST, POST REFUSE_REQUEST, POLL REFUSE_REQUEST,
        SECOND_POLL REFUSE_REQUEST, POLL_DUE REFUSE_REQUEST, WEBSOCKET TURN_DOWN
    """,
    State.LEFT: """
        HAND_OVER REFUSE_REQUEST,
        POST REFUSE_REQUEST, POLL REFUSE_REQUEST, SECOND_POLL REFUSE_REQUEST,
        POLL_DUE ANSWER_NOOP, WEBSOCKET TURN_DOWN
    """,
    State.CLOSED: """
        HAND_OVER REFUSE_REQUEST,
        POST REFUSE_REQUEST, POLL REFUSE_REQUEST, SECOND_POLL REFUSE_REQUEST,
        POLL_DUE ANSWER_CLOSE, WEBSOCKET TURN_DOWN
    """,
}


def expected(state: State) -> dict[Input, tuple[State, Do]]:
    row = dict.fromkeys(Input, (state, Do.NOTHING))
    for entry in EXPECTED[state].split(","):
        name, *to, do = entry.split()
        row[Input[name]] = (State[to[0]] if to else state, Do[do])
    return row


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Input)
def test_every_input_does_in_every_state_what_the_protocol_says(state: State, event: Input) -> None:
    assert tuple(step(state, event)) == expected(state)[event]


def test_a_session_that_is_over_stays_over() -> None:
    for state, event in itertools.product(OVER, Input):
        assert step(state, event).state is state


def test_exactly_the_steps_that_end_a_session_report_its_end() -> None:
    for state, event in itertools.product(set(State) - OVER, Input):
        after, do = step(state, event)
        assert (after in OVER) == (do in {*ENDS, Do.FORGET}), (state, event)
        # Where it goes on at another gateway, that one will report its end.
        assert (after is State.MOVED) == (do is Do.FORGET)


def test_a_goodbye_is_what_the_client_said_and_nothing_else() -> None:
    for state, event in itertools.product(State, Input):
        after, do = step(state, event)
        speechless = {*OVER, State.OPENING, State.MOVING}
        said = event is Input.CLOSE and state not in speechless
        assert (do is Do.END_GOODBYE) == said
        assert (after is State.LEFT) == (said or state is State.LEFT)


def test_a_client_goes_over_once_and_not_back() -> None:
    for state, event in itertools.product(AT_WEBSOCKET, Input):
        assert step(state, event).state in AT_WEBSOCKET | OVER
    goes = {
        (state, event)
        for state, event in itertools.product(POLLS, Input)
        if step(state, event).state in AT_WEBSOCKET
    }
    assert goes == {(State.PROBED, Input.UPGRADE), (State.SHUT_PROBED, Input.UPGRADE)}


def test_a_session_that_was_handed_over_waits_for_the_other_gateways_word_and_no_other() -> None:
    leads_there = {
        (state, event)
        for state, event in itertools.product(set(State) - {State.MOVING}, Input)
        if step(state, event).state is State.MOVING
    }
    assert leads_there == {(State.PROBED, Input.HAND_OVER)}
    for event in set(Input) - {Input.TAKEN_OVER, Input.NOT_TAKEN}:
        after, do = step(State.MOVING, event)
        assert after is State.MOVING
        assert do in {Do.NOTHING, Do.REFUSE_REQUEST, Do.ANSWER_NOOP, Do.TURN_DOWN}


def test_what_a_client_says_is_not_taken_once_the_session_was_shut() -> None:
    for state, event in itertools.product(SHUT, Input):
        after, do = step(state, event)
        assert after in SHUT | OVER
        assert do not in {Do.DELIVER, Do.COUNT_PONG, Do.TAKE_POST}


def test_every_state_is_reached_and_every_session_can_end() -> None:
    ways: dict[State, list[Input]] = {State.OPENING: []}
    waiting = deque([State.OPENING])
    while waiting:
        state = waiting.popleft()
        for event in Input:
            after = step(state, event).state
            if after not in ways:
                ways[after] = [*ways[state], event]
                waiting.append(after)
    assert ways.keys() == set(State)
    for state in set(State) - OVER:
        assert any(step(state, event).state in OVER for event in Input)


def test_everything_that_is_to_be_done_is_done_somewhere() -> None:
    assert {to.do for row in TABLE.values() for to in row.values()} == set(Do)


@pytest.mark.parametrize(
    ("inputs", "does"),
    [
        (
            [Input.POLL, Input.WEBSOCKET, Input.PROBE, Input.POLL_DUE, Input.UPGRADE],
            [Do.WAIT, Do.TRY, Do.ANSWER_PROBE, Do.ANSWER, Do.GO_OVER],
        ),
        (
            [Input.POLL, Input.SHUT, Input.POLL_DUE, Input.CLOSE_SENT, Input.GIVE_UP],
            [Do.WAIT, Do.DRAIN, Do.ANSWER_OR_CLOSE, Do.END_BROKEN, Do.NOTHING],
        ),
        (
            [Input.WEBSOCKET, Input.SHUT, Input.MESSAGE, Input.WEBSOCKET_ENDED],
            [Do.SERVE, Do.CLOSE_WEBSOCKET, Do.NOTHING, Do.END_BROKEN],
        ),
        (
            [Input.POLL, Input.WEBSOCKET, Input.PROBE, Input.SHUT, Input.UPGRADE],
            [Do.WAIT, Do.TRY, Do.ANSWER_PROBE, Do.DRAIN, Do.GO_OVER_AND_SHUT],
        ),
        ([Input.POLL, Input.CLOSE, Input.POLL_DUE], [Do.WAIT, Do.END_GOODBYE, Do.ANSWER_NOOP]),
        ([Input.POLL, Input.MISTAKE, Input.POLL_DUE], [Do.WAIT, Do.END_BROKEN, Do.ANSWER_CLOSE]),
    ],
)
def test_conversations(inputs: list[Input], does: list[Do]) -> None:
    state = State.OPENING
    for event, do in zip(inputs, does, strict=True):
        state, done = step(state, event)
        assert done is do

"""Whatever is asked in whatever order: the invariants of the domain.

The requests are all that the catalogue declares, with any values that their declarations allow.
"""

from itertools import pairwise
from typing import Any, assert_never

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_protocol.log import (
    ActionNoted,
    BarRecorded,
    ConnectionJoined,
    ConnectionLeft,
    ConnectionModeChanged,
    HistoryForgotten,
    HistoryLost,
    MemberRemoved,
    MemberSet,
    MusicFailed,
    MusicRequested,
    MusicStored,
    OperationApplied,
    OwnerChanged,
    SettingsChanged,
    UniverseCreated,
    UniverseDeleted,
    UserBanned,
    UserUnbanned,
)
from harmonic_protocol.messages.endless import MusicStarted, MusicStopped
from harmonic_protocol.messages.rooms import ParticipantJoined, ParticipantLeft
from harmonic_protocol.messages.sets import ParametersUpdated
from harmonic_protocol.messages.universes import UniverseUpdated, UserErased
from harmonic_protocol.refusals import Refused
from harmonic_state.domain.answers import answer
from harmonic_state.domain.bounds import seats_bytes
from harmonic_state.domain.decide import Decision
from harmonic_state.domain.events import (
    LogEvent,
    UnknownEvent,
    decode_record,
    encode_record,
    frame_seq,
)
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import Universe
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.listing import CHANGES_LISTING, entries
from harmonic_state.snapshots import Snapshot, decode_snapshot, encode_snapshot
from state_service.asking import ASKED, NAMES, OPERATIONS_ASKED, STEPS, asked
from state_service.builders import History, caller, created, open_universe

SHOWN_SETTINGS = ("name", "owner", "visibility", "public_mode", "max_participants")
Steps = list[tuple[UniverseRequest, Any]]


class Member:
    """A client that knows nothing but what it was sent: a snapshot, and frames after it."""

    def __init__(self, universe: Universe) -> None:
        self.seq = universe.seq
        self.parameters = universe.parameters.to_wire()
        self.participants = {user: p.to_wire() for user, p in universe.participants().items()}
        self.is_open = not universe.deleted
        self.plays = universe.endless and universe.endless.stream_id
        self.settings = {name: getattr(universe, name) for name in SHOWN_SETTINGS}

    def sees(self, event: LogEvent) -> None:
        seq = frame_seq(event)
        if seq is not None:
            assert seq == self.seq + 1
            self.seq = seq
        match event:
            case ParametersUpdated():
                self.parameters[event.set_name] = event.parameters.to_wire()
            case ParticipantJoined():
                self.participants[event.participant.user_id] = event.participant.to_wire()
            case ParticipantLeft():
                del self.participants[event.user_id]
            case UniverseUpdated():
                self.settings = {name: getattr(event, name) for name in SHOWN_SETTINGS}
            case MusicStarted():
                assert self.plays is None
                self.plays = event.stream_id
            case MusicStopped():
                assert self.plays == event.stream_id
                self.plays = None
            case UniverseDeleted():
                self.is_open, self.plays = False, None
            case (
                MusicStored()
                | MusicRequested()
                | MusicFailed()
                | ConnectionJoined()
                | ConnectionLeft()
                | ConnectionModeChanged()
                | BarRecorded()
                | OperationApplied()
                | UniverseCreated()
                | SettingsChanged()
                | OwnerChanged()
                | MemberSet()
                | MemberRemoved()
                | UserBanned()
                | UserUnbanned()
                | HistoryLost()
                | ActionNoted()
                | HistoryForgotten()
                | UserErased()
            ):
                pass
            case unreachable:
                assert_never(unreachable)


def happened(steps: Steps) -> History:
    history = open_universe()
    for request, by in steps:
        history.ask(request, by)
    return history


@pytest.mark.parametrize("declared", ASKED, ids=lambda declared: declared.__name__)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_every_request_of_the_catalogue_is_asked(
    data: st.DataObject, declared: type[UniverseRequest]
) -> None:
    assert isinstance(data.draw(asked(declared)), declared)


@settings(max_examples=300, deadline=None)
@given(STEPS, STEPS)
def test_a_snapshot_and_the_events_after_it_equal_a_fresh_snapshot(
    before: Steps, after: Steps
) -> None:
    history = happened(before)
    member = Member(history.now)
    for request, by in after:
        decision = history.ask(request, by)
        if isinstance(decision, Decision):
            for event in decision.events:
                member.sees(event)
    fresh = Member(history.now)
    if fresh.is_open:
        assert vars(member) == vars(fresh)
    else:
        assert (member.is_open, member.seq) == (False, fresh.seq)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_universe_is_what_its_log_adds_up_to(steps: Steps) -> None:
    history = happened(steps)
    payload = encode_record("r", history.now.updated_at, history.events)
    record_id, events = decode_record(payload)
    assert record_id == "r"
    assert fold(None, events) == history.now


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_what_seats_take_is_known_without_counting_them(steps: Steps) -> None:
    history = open_universe()
    for request, by in steps:
        history.ask(request, by)
        assert history.now.seats_bytes == seats_bytes(history.now.connections)
    stored = encode_snapshot(Snapshot(1, history.now), packed=True)
    assert decode_snapshot(stored).universe.seats_bytes == history.now.seats_bytes


@settings(max_examples=100, deadline=None)
@given(before=STEPS, after=STEPS, packed=st.booleans())
def test_a_stored_universe_goes_on_as_if_it_had_never_been_stored(
    *, before: Steps, after: Steps, packed: bool
) -> None:
    history, loaded = happened(before), happened(before)
    stored = encode_snapshot(Snapshot(1, loaded.now), packed=packed)
    loaded.universe = decode_snapshot(stored).universe
    assert packed or loaded.now == history.now
    for request, by in after:
        assert loaded.ask(request, by) == history.ask(request, by)


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from(["physics_updated", "participant_joined", "music_generated"]))
def test_numbers_go_on_where_an_event_is_not_known(steps: Steps, name: str) -> None:
    """A service that does not know an event keeps its number: the next one has another."""
    history = happened(steps)
    payload = encode_record("r", history.now.updated_at, history.events)
    _, events = decode_record(payload.replace(f'"{name}"'.encode(), b'"only_newer_ones_know_it"'))
    universe = fold(None, events)
    assert universe is not None
    assert universe.seq == history.now.seq
    assert all(
        isinstance(event, UnknownEvent) or event == known
        for event, known in zip(events, history.events, strict=True)
    )


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_a_decision_tells_the_number_of_its_last_frame(steps: Steps) -> None:
    history = open_universe()
    for request, by in steps:
        seq = history.now.seq
        decision = history.ask(request, by)
        if isinstance(decision, Decision) and decision.events:
            numbers = [n for event in decision.events if (n := frame_seq(event)) is not None]
            assert all(one + 1 == next_one for one, next_one in pairwise([seq, *numbers]))
            assert decision.seq == history.now.seq


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_whatever_is_carried_out_has_an_answer_that_can_be_sent(steps: Steps) -> None:
    history = open_universe()
    for request, by in steps:
        decision = history.ask(request, by)
        if isinstance(decision, Refused):
            continue
        moment = DecisionInputs(history.now.updated_at, history.milliseconds)
        result = answer(request, by, moment, decision.events, history.now)
        assert result is None or result.to_json()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["public", "private"]), st.lists(OPERATIONS_ASKED, max_size=60))
def test_an_event_that_changes_the_listing_is_known_to_do_so(
    visibility: str, requests: list[UniverseRequest]
) -> None:
    history = created("owner", visibility=visibility)
    for request in requests:
        before = entries(history.now)
        decision = history.ask(request, caller("owner"))
        if entries(history.now) != before:
            assert isinstance(decision, Decision)
            assert any(isinstance(event, CHANGES_LISTING) for event in decision.events)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_room_never_holds_more_users_than_were_allowed_when_they_came(steps: Steps) -> None:
    history = open_universe(maxParticipants=2)
    for request, by in steps:
        was = set(history.now.participants())
        history.ask(request, by)
        come = set(history.now.participants()) - was
        assert not come or len(was) < history.now.max_participants
        for user in history.now.participants():
            assert user in NAMES

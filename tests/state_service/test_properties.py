"""Whatever is asked in whatever order: the invariants of the domain."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_protocol.internal import CloseConnection, CompleteMusic, ExpireMusic, ReleaseGateway
from harmonic_protocol.log import HiddenEvent
from harmonic_state.domain.decide import Decision, UniverseRequest
from harmonic_state.domain.events import LogEvent, decode_record, encode_record
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.universe import Universe
from state_service.builders import History, caller, command, open_universe

USERS = st.sampled_from(["owner", "ann", "bob", "eve"])
CALLERS = st.builds(caller, USERS, st.integers(1, 2), st.sampled_from(["g1", "g2"]))
MODES = st.sampled_from(["edit", "view"])
UNIT = st.floats(0, 1)


def asked(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[UniverseRequest]:
    return st.fixed_dictionaries(dict(fields)).map(lambda values: command(name, **values))


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict(fields)).filter(bool)


OP_IDS = st.sampled_from(["a", "b", None])
PHYSICS = some(gravity=st.floats(0, 20), friction=UNIT)
MUSIC = some(tempo=st.integers(40, 200), scale=st.sampled_from(["major", "blues"]))
REQUESTS = st.one_of(
    asked("join_room", mode=MODES),
    asked("leave_room"),
    asked("update_physics", parameters=PHYSICS, opId=OP_IDS),
    asked("update_music", parameters=MUSIC),
    asked("update_parameters", physics=PHYSICS, music=MUSIC),
    asked("generate_music", duration=st.floats(0.1, 300)),
    asked("update_universe", visibility=st.sampled_from(["public", "private"])),
    asked("update_universe", publicMode=MODES, maxParticipants=st.integers(1, 4)),
    asked("set_member", userId=USERS, role=MODES),
    asked("remove_member", userId=USERS),
    st.just(CloseConnection(universe_id="u")),
    st.builds(ReleaseGateway, universe_id=st.just("u"), gateway_id=st.sampled_from(["g1", "g2"])),
    st.integers(1, 60).map(
        lambda n: CompleteMusic(
            universe_id="u", request_id=f"id-{n}", tempo=90, key="C", scale="major"
        )
    ),
    st.integers(1, 60).map(lambda n: ExpireMusic(universe_id="u", request_id=f"id-{n}")),
)
STEPS = st.lists(st.tuples(REQUESTS, CALLERS), max_size=60)


class Member:
    """A client that knows nothing but what it was sent: a snapshot, and frames after it."""

    def __init__(self, universe: Universe) -> None:
        self.seq = universe.seq
        self.parameters = universe.parameters.to_wire()
        self.participants = {user: p.to_wire() for user, p in universe.participants().items()}

    def sees(self, event: LogEvent) -> None:
        frame = event.to_wire()
        if "seq" not in frame or event.__class__.__name__ == "OperationApplied":
            return
        assert frame["seq"] == self.seq + 1
        self.seq += 1
        name = event.name if isinstance(event, HiddenEvent) else event.spec.name
        match name:
            case "participant_joined":
                participant: Any = frame["participant"]
                self.participants[participant["userId"]] = participant
            case "participant_left":
                del self.participants[str(frame["userId"])]
            case "physics_updated" | "music_updated" | "visualization_updated":
                self.parameters[name.removesuffix("_updated")] = frame["parameters"]
            case _:
                pass


def happened(steps: list[tuple[UniverseRequest, Any]]) -> History:
    history = open_universe()
    for request, by in steps:
        history.ask(request, by)
    return history


@settings(max_examples=300, deadline=None)
@given(STEPS, STEPS)
def test_a_snapshot_and_the_events_after_it_equal_a_fresh_snapshot(
    before: list[tuple[UniverseRequest, Any]], after: list[tuple[UniverseRequest, Any]]
) -> None:
    history = happened(before)
    member = Member(history.now)
    for request, by in after:
        decision = history.ask(request, by)
        if isinstance(decision, Decision):
            for event in decision.events:
                member.sees(event)
    fresh = Member(history.now)
    assert vars(member) == vars(fresh)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_universe_is_what_its_log_adds_up_to(steps: list[tuple[UniverseRequest, Any]]) -> None:
    history = happened(steps)
    payload = encode_record("r", history.now.updated_at, history.events)
    record_id, events = decode_record(payload)
    assert record_id == "r"
    assert fold(None, events) == history.now


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_room_never_holds_more_users_than_were_allowed_when_they_came(
    steps: list[tuple[UniverseRequest, Any]],
) -> None:
    history = open_universe(maxParticipants=2)
    for request, by in steps:
        was = set(history.now.participants())
        history.ask(request, by)
        come = set(history.now.participants()) - was
        assert not come or len(was) < history.now.max_participants
        for user in history.now.participants():
            assert user in {"owner", "ann", "bob", "eve"}

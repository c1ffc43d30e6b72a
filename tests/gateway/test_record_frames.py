"""Records: the frames that members are sent of them."""

import pytest

from harmonic_gateway.delivery.frames import read_record
from harmonic_gateway.sockets import Frame
from harmonic_protocol.log import LoggedEvent, MemberSet, Record
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_protocol.messages.sets import ParametersUpdated

AT = "2024-03-21T10:30:00.000Z"
#: Texts that would be something else if they were not escaped, or not cut where they end.
USERS = ("ada", 'a"},{"name":"b', 'a,"seq":7', "a}]}", "\u00fc\U0001f3b5", "\\")


def updated(name: str, user_id: str = "ada", seq: int = 1) -> ParametersUpdated:
    declared = PARAMETER_SETS[name]
    return declared.event(
        universe_id="u1",
        user_id=user_id,
        timestamp=AT,
        changed=tuple(declared.names.values())[:1],
        seq=seq,
        parameters=declared.values(),
    )


def record(*events: ParametersUpdated | MemberSet, after: str | None = "r1") -> bytes:
    logged = [
        LoggedEvent(
            name=event.spec.name if isinstance(event, ParametersUpdated) else event.name,
            data=event.to_wire(),
        )
        for event in events
    ]
    return Record(id="r2", after=after, at=AT, events=tuple(logged)).to_json()


def shown(payload: bytes) -> list[tuple[str, bytes, str | None]]:
    frames = read_record(payload).frames
    return [(each.name, each.data, each.supersedes) for each in frames if isinstance(each, Frame)]


@pytest.mark.parametrize("after", ["r1", None])
@pytest.mark.parametrize("user_id", USERS)
@pytest.mark.parametrize("name", PARAMETER_SETS)
def test_members_are_sent_what_is_stored(name: str, user_id: str, after: str | None) -> None:
    event = updated(name, user_id)
    payload = record(event, after=after)
    expected = (event.spec.name, event.to_json(), f"{event.spec.name} u1")
    assert shown(payload) == [expected]
    assert read_record(payload).record_id == "r2"
    assert read_record(payload).notices == []
    assert [each.seq for each in read_record(payload).frames if isinstance(each, Frame)] == [1]


def test_a_record_of_several_events_is_read_in_their_order() -> None:
    role = MemberSet(user_id="bob", role="edit", timestamp=AT)
    events = [updated(name, seq=seq) for seq, name in enumerate(PARAMETER_SETS, start=1)]
    payload = record(events[0], role, *events[1:])
    assert [data for _, data, _ in shown(payload)] == [event.to_json() for event in events]
    assert read_record(payload).notices == [role]


def test_a_record_that_is_written_in_another_way_means_the_same() -> None:
    event = updated("physics")
    stored = record(event)
    loose = stored.replace(b'"events":[', b'"events": [')
    newer = stored[:-1] + b',"more":[{"a":1}]}'
    assert shown(loose) == shown(newer) == shown(stored)

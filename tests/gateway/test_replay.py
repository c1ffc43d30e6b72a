"""What is sent again to a client that is back in a room, and what comes before and after it."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from harmonic_gateway.delivery.frames import encode, with_notes
from harmonic_gateway.delivery.places import Place, Position, place
from harmonic_gateway.recovery.kept import KeptEvent, KeptLog, KeptRecord, Missed
from harmonic_gateway.recovery.replay import frames_of_return, shown_events
from harmonic_gateway.sockets import Frame
from harmonic_protocol.internal import JoinResult, LoggedRecord
from harmonic_protocol.log import LoggedEvent, MusicStored, Record
from harmonic_protocol.messages.parameters import PARAMETER_SETS, CurrentValues, Parameters
from harmonic_protocol.messages.rooms import ParticipantJoined, RoomJoined
from harmonic_protocol.values import Participant

AT = "2024-03-21T10:30:00.000Z"
WHO = {"universeId": "u", "userId": "ann", "timestamp": AT}
ANN = Participant(user_id="ann", username="Ann", mode="edit")


def update(seq: int, name: str = "physics_updated") -> LoggedEvent:
    return LoggedEvent(name=name, data={**WHO, "seq": seq, "parameters": {}, "changed": []})


def presence(seq: int) -> LoggedEvent:
    return LoggedEvent(name="participant_left", data={**WHO, "seq": seq})


def hidden() -> LoggedEvent:
    return LoggedEvent(name="connection_left", data={"connectionId": "c"})


def music(seq: int) -> LoggedEvent:
    stored = {"requestId": "r", "seed": 1, "duration": 1, "tempo": 90, "key": "C", "scale": "major"}
    return LoggedEvent(name=MusicStored.name, data={**WHO, **stored, "seq": seq})


def record(position: int, *events: LoggedEvent) -> LoggedRecord:
    return LoggedRecord(position=position, record=Record(id="r", at=AT, events=events))


def offset(position: int, frames: int | None = None) -> str:
    """The offset of a place in one of these records."""
    return place("u", Position.of_record(position, "r"), frames)


RECORDS = (
    record(10, update(3), presence(4), update(5)),
    record(12, hidden()),
    record(13, presence(6)),
    record(15, hidden(), music(7), update(8, "music_updated")),
)


@pytest.mark.parametrize(
    ("at", "seqs", "offsets", "from_seq"),
    [
        (
            Place(9),
            [3, 5, 7, 8],
            [offset(10, 1), offset(10), offset(15, 1), offset(15)],
            2,
        ),
        (Place(10, 1), [5, 7, 8], [offset(10), offset(15, 1), offset(15)], 3),
        (Place(10, 2), [5, 7, 8], [offset(10), offset(15, 1), offset(15)], 4),
        (Place(10), [7, 8], [offset(15, 1), offset(15)], 5),
        (Place(13), [7, 8], [offset(15, 1), offset(15)], 6),
        (Place(15, 1), [8], [offset(15)], 7),
        (Place(15), [], [], 8),
    ],
)
def test_what_comes_after_a_place_is_missed_and_presence_only_counts(
    at: Place, seqs: list[int], offsets: list[str], from_seq: int
) -> None:
    missed = kept(RECORDS, after=9).missed(at, 15, to_seq=8)
    assert [data(frame)[1]["seq"] for frame in missed.frames] == seqs
    assert [frame.offset for frame in missed.frames] == offsets
    assert (missed.events, missed.from_seq) == (len(seqs), from_seq)


def test_events_that_only_a_newer_version_knows_are_passed_over() -> None:
    unknown = LoggedEvent(name="of_a_newer_version", data={"seq": 4})
    missed = kept([record(10, unknown, update(5))], after=9).missed(Place(9), 10, to_seq=5)
    assert [frame.offset for frame in missed.frames] == [offset(10)]


def kept(records: Iterable[LoggedRecord], after: int) -> KeptLog:
    """These records, with their frames, as they are kept for clients that return."""
    log = KeptLog(after)
    for logged in records:
        events = []
        for shown in shown_events("u", logged):
            frame = Frame.event(shown.event.name, json.dumps(shown.event.data).encode())
            frame.offset = shown.offset
            is_again = shown.is_replayed
            events.append(KeptEvent(shown.event.data["seq"], frame if is_again else None))
        log.add(KeptRecord(logged.position, logged.record.id, tuple(events)))
    return log


def data(frame: Frame) -> Any:
    packet = frame.encoded("/ws", "").packets[0]
    text = packet.decode() if isinstance(packet, bytes) else packet
    return json.loads(text.partition(",")[2])


def test_what_is_sent_again_is_what_was_sent_and_says_so_at_its_end() -> None:
    event = update(3)
    live, again = encode(event.name, event.data), encode(event.name, event.data, replayed=True)
    assert data(again)[1] == {**data(live)[1], "replayed": True}
    piece = MusicStored.model_validate(music(4).data)
    members = b'"notes":[]'
    live, again = with_notes(piece, members), with_notes(piece, members, replayed=True)
    assert data(again)[1] == {**data(live)[1], "replayed": True}
    assert "replayed" not in data(live)[1]


def joined(**fields: Any) -> JoinResult:
    room = RoomJoined(
        universe_id="u",
        participants=(ANN,),
        timestamp=AT,
        mode="edit",
        parameters=Parameters(),
        seq=8,
    )
    return JoinResult(room=room, **fields)


def current() -> CurrentValues:
    values = {**WHO, "parameters": {}, "changed": [], "current": True}
    told: CurrentValues = CurrentValues.model_validate(dict.fromkeys(PARAMETER_SETS, values))
    return told


def test_a_return_is_announced_told_of_the_room_of_what_it_missed_and_of_its_end() -> None:
    news = ParticipantJoined(universe_id="u", participant=ANN, timestamp=AT, seq=8)
    event = update(7)
    again = encode(event.name, event.data, replayed=True)
    again.offset = "u:14"
    result = joined(announcement=news, current=current())
    frames = frames_of_return(result, 15, Missed([again], 1, 6))
    told = [data(frame) for frame in frames]
    assert [name for name, *_ in told] == [
        "participant_joined",
        "room_joined",
        *(f"{name}_updated" for name in PARAMETER_SETS),
        "physics_updated",
        "state_recovered",
    ]
    offsets = [offset for _, _, *offset in told]
    assert offsets == [[], [], [], [], [], ["u:14"], ["u:15"]]
    assert told[1][1]["fromSeq"] == 6
    assert told[-1][1] == {
        "universeId": "u",
        "recovered": True,
        "missed": 1,
        "fromSeq": 6,
        "toSeq": 8,
    }


def test_one_that_cannot_be_told_what_it_missed_is_told_nothing_of_it() -> None:
    told = [data(frame) for frame in frames_of_return(joined(), 15)]
    assert [name for name, *_ in told] == ["room_joined", "state_recovered"]
    assert told[-1][1]["recovered"] is False
    assert told[-1][1]["missed"] == 0

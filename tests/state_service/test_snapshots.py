"""Two forms of a stored universe: both are read, and mean the same."""

import json

import pytest

from harmonic_state.domain.decide import Decision
from harmonic_state.domain.universe import Universe
from harmonic_state.snapshots import Snapshot, decode_snapshot, encode_snapshot
from state_service.builders import History, caller, command, created, open_universe

ANN = caller("ann")


def busy() -> History:
    history = open_universe()
    history.does(command("join_room", mode="edit"), ANN)
    for number in range(300):
        parameters = {"gravity": number % 20}
        history.does(command("update_physics", parameters=parameters, opId=f"op{number}"), ANN)
    history.does(command("generate_music", duration=3, opId="music"), ANN)
    return history


def bare(universe: Universe) -> dict[str, object]:
    known = {name: getattr(universe, name) for name in Universe.__dataclass_fields__}
    del known["operations"], known["operations_bytes"]
    return known


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_stored_is_read_again(*, packed: bool) -> None:
    universe = busy().now
    read = decode_snapshot(encode_snapshot(Snapshot(7, universe, (3, 7)), packed=packed))
    assert (read.position, read.marks) == (7, (3, 7))
    assert bare(read.universe) == bare(universe)
    assert list(read.universe.operations) == list(universe.operations)
    if not packed:
        assert read.universe == universe


@pytest.mark.parametrize("packed", [False, True])
def test_a_repeated_command_is_recognised_in_both_forms(*, packed: bool) -> None:
    history = busy()
    first = history.now.operations
    read = decode_snapshot(encode_snapshot(Snapshot(7, history.now), packed=packed))
    later = History(read.universe, milliseconds=history.milliseconds)
    again = later.ask(command("update_physics", parameters={"gravity": 5}, opId="op5"), ANN)
    assert isinstance(again, Decision)
    assert (again.events, again.seq) == ((), [each.seq for each in first.values()][5])
    other = later.is_refused(command("update_physics", parameters={"gravity": 6}, opId="op5"), ANN)
    assert other.details["reason"] == "OP_ID_REUSED"


def test_the_packed_form_is_far_smaller_and_no_json() -> None:
    snapshot = Snapshot(7, busy().now)
    plain, packed = (encode_snapshot(snapshot, packed=form) for form in (False, True))
    assert json.loads(plain)["universe"]["operations"][0]["op_id"] == "op0"
    assert len(packed) < len(plain) / 3
    assert not packed.startswith(b"{")


def test_from_the_packed_form_to_the_other_only_hashes_are_lost() -> None:
    universe = busy().now
    packed = decode_snapshot(encode_snapshot(Snapshot(7, universe), packed=True))
    again = decode_snapshot(encode_snapshot(packed, packed=False))
    assert bare(again.universe) == bare(universe)
    assert again.universe.operations == {}


@pytest.mark.parametrize("payload", [b"", b"x", b"{", b"{}", b"x\x9c\x03\x00"])
def test_what_is_no_snapshot_is_refused(payload: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        decode_snapshot(payload)


def test_a_universe_is_stored_as_text_that_people_can_read() -> None:
    history = created(name="Grün\N{MUSICAL SYMBOL G CLEF}")
    plain = encode_snapshot(Snapshot(2, history.now, (1, 2)), packed=False)
    assert plain.startswith(b'{"position":2,"marks":[1,2],"universe":{"id":"u","owner":"owner",')
    assert '"name":"Grün\N{MUSICAL SYMBOL G CLEF}"'.encode() in plain
    assert b'"operations_bytes":0' in plain
    assert b'"operations":[]' in plain
    assert decode_snapshot(plain).universe == history.now


def test_a_snapshot_of_an_earlier_version_has_no_marks_and_names_no_record() -> None:
    snapshot = Snapshot(2, open_universe().now, (1, 2), "r2")
    stored = json.loads(encode_snapshot(snapshot, packed=False))
    del stored["marks"], stored["record"]
    read = decode_snapshot(json.dumps(stored).encode())
    assert (read.marks, read.record_id) == ((), "")


def test_of_a_packed_operation_a_key_a_part_of_its_digest_and_its_time_are_known() -> None:
    universe = busy().now
    read = decode_snapshot(encode_snapshot(Snapshot(7, universe), packed=True)).universe
    for key, applied in universe.operations.items():
        known = read.operations[key]
        assert (known.user_id, known.op_id, known.seq) == ("", "", applied.seq)
        assert (known.digest, known.timestamp) == (applied.digest[:16], applied.timestamp)


def test_what_was_not_packed_here_is_told_so() -> None:
    with pytest.raises(ValueError, match=r"^not a packed snapshot$"):
        decode_snapshot(b"x")

"""What a client sent, checked before anybody acts on it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.commands.inbound import MAX_FIELDS, MAX_VALUES, SHORT_BYTES, read_command
from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.messages.connection import TimeSync
from harmonic_protocol.messages.declaration import Command, RoomCommand
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.refusals import Refused
from harness.payloads import payload

HEARD_AT = "2024-03-21T10:30:00Z"


def read(name: str, *args: object, size: int = 100) -> Command | Refused:
    return read_command(name, args, size)


def refusal(name: str, *args: object, size: int = 100) -> Refused:
    found = read(name, *args, size=size)
    assert isinstance(found, Refused), found
    assert found.code == "INVALID_PARAMETERS"
    return found


def fields(name: str, payload: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {field["field"]: field for field in refusal(name, payload).details["fields"]}


PARAMETER_COMMANDS = [
    name for name, command in COMMANDS.items() if issubclass(command, ParameterCommand)
]
IN_ROOMS = [name for name, command in COMMANDS.items() if issubclass(command, RoomCommand)]


@pytest.mark.parametrize("name", IN_ROOMS)
def test_every_command_is_read_with_an_operation_id(name: str) -> None:
    command = read(name, {"universeId": "u-1", "opId": "mine", **payload(name)})
    assert isinstance(command, RoomCommand)
    assert command.operation() == name
    assert (command.universe_id, command.op_id) == ("u-1", "mine")


def test_time_sync_takes_the_clients_clock_and_nothing_else() -> None:
    command = read("time_sync", {"t0": 1.5})
    assert isinstance(command, TimeSync)
    assert command.t0 == 1.5
    assert "universeId" in fields("time_sync", {"t0": 1, "universeId": "u"})


@pytest.mark.parametrize("name", IN_ROOMS)
def test_every_command_refuses_what_is_not_declared(name: str) -> None:
    good = {"universeId": "u", **payload(name)}
    assert "is not a known field" in fields(name, {**good, "extra": 1})["extra"]["reason"]
    assert fields(name, payload(name))["universeId"]["reason"] == "is missing"
    assert fields(name, {**good, "universeId": "no spaces"})["universeId"]["reason"]
    assert fields(name, {**good, "universeId": 7})["universeId"]["reason"] == "must be a string"
    assert fields(name, {**good, "opId": "x" * 65})["opId"]["reason"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "must be a finite number"),
        (float("inf"), "must be a finite number"),
        ("9.81", "must be a number"),
        (True, "must be a number"),
        (None, "must be a number"),
        ([], "must be a number"),
        (-0.1, "must be at least 0"),
        (20.1, "must be at most 20"),
    ],
)
def test_a_number_is_a_finite_number_in_its_range(value: object, reason: str) -> None:
    told = fields("update_physics", {"universeId": "u", "parameters": {"gravity": value}})
    assert told == {
        "parameters.gravity": {
            "field": "parameters.gravity",
            "reason": reason,
            "min": 0.0,
            "max": 20.0,
        }
    }


@pytest.mark.parametrize(
    ("name", "payload", "field"),
    [
        ("update_physics", {"parameters": {}}, "parameters"),
        ("update_parameters", {}, ""),
        ("update_visualization", {"parameters": {"particleCount": 100.5}}, "particleCount"),
        ("update_visualization", {"parameters": {"colorScheme": "<b>"}}, "colorScheme"),
        ("update_music", {"parameters": {"key": "H"}}, "key"),
        ("update_music", {"parameters": {"scale": "loud"}}, "scale"),
        ("generate_music", {"duration": 0}, "duration"),
        ("generate_music", {"duration": 300.1}, "duration"),
        ("generate_music", {"duration": 8, "seed": 2**53}, "seed"),
        ("join_room", {"mode": "admin"}, "mode"),
        ("join_room", {}, "mode"),
    ],
)
def test_each_fault_is_named(name: str, payload: dict[str, Any], field: str) -> None:
    assert any(told.endswith(field) for told in fields(name, {"universeId": "u", **payload}))


@pytest.mark.parametrize("samples", [[0.0] * 2049, b"x" * (8 * 1024 + 1), ["1"], [float("inf")]])
def test_audio_takes_so_many_finite_samples_and_no_more(samples: object) -> None:
    analysis = {"frequencies": samples, "waveform": [], "timestamp": HEARD_AT}
    refusal("audio_analysis", {"universeId": "u", "analysis": analysis})


VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-30, 30), st.floats(), st.text(max_size=3)),
    st.recursive(st.just(0), lambda inner: st.lists(inner, max_size=2), max_leaves=20),
)
CHANGES = st.fixed_dictionaries(
    {"universeId": st.sampled_from(["u", "no spaces"]) | VALUES},
    optional={
        "parameters": st.dictionaries(st.sampled_from(["gravity", "tempo", "x"]), VALUES) | VALUES,
        "opId": st.just("op") | VALUES,
        "extra": VALUES,
    },
)


@given(st.sampled_from(PARAMETER_COMMANDS), st.lists(CHANGES | VALUES, max_size=2))
def test_a_short_change_is_read_as_a_long_one_is(name: str, args: list[Any]) -> None:
    assert read(name, *args, size=SHORT_BYTES) == read(name, *args, size=SHORT_BYTES + 1)


@pytest.mark.parametrize("args", [(), (1,), (None,), ([],), ({}, {}), ("text",)])
def test_an_event_takes_one_object(args: tuple[object, ...]) -> None:
    assert refusal("join_room", *args).details["reason"] == "NOT_AN_OBJECT"


def test_unknown_events_are_refused_and_echoed_in_short() -> None:
    told = refusal("x" * 1000, {})
    assert told.details == {"reason": "UNKNOWN_EVENT", "event": "x" * 64}


@pytest.mark.parametrize(
    ("name", "limit"), [("update_physics", 64 * 1024), ("audio_analysis", 128 * 1024)]
)
def test_each_command_has_its_size(name: str, limit: int) -> None:
    good = {"universeId": "u", **payload(name)}
    assert isinstance(read(name, good, size=limit), Command)
    told = refusal(name, good, size=limit + 1)
    assert (told.details["reason"], told.details["limitBytes"]) == ("TOO_LARGE", limit)


def test_depth_is_bounded_at_sixteen_levels() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels - 1):
            value = [value]
        return {"universeId": "u", "deep": value}

    assert "deep" in fields("leave_room", nested(16))
    assert refusal("leave_room", nested(17)).details["reason"] == "TOO_DEEP"
    unread = read_command("leave_room", None, 100)
    assert isinstance(unread, Refused)
    assert unread.details["reason"] == "TOO_DEEP"


def test_at_most_twenty_fields_are_named() -> None:
    payload = {"universeId": "u", **{f"field{n}": n for n in range(MAX_FIELDS - 1)}}
    assert len(refusal("leave_room", payload).details["fields"]) == 20


@pytest.mark.parametrize(
    "payload",
    [
        {f"field{n}": n for n in range(MAX_FIELDS + 1)},
        {"universeId": "u", "deep": {f"field{n}": n for n in range(MAX_FIELDS + 1)}},
        {"universeId": "u", "wide": [0] * (MAX_VALUES + 1)},
        {"universeId": "u", "a": [0] * 5000, "b": [0] * 5000},
        {"universeId": "u", "a": [[0] * 100] * 100},
    ],
)
def test_so_many_fields_and_values_are_looked_at_and_no_more(payload: dict[str, Any]) -> None:
    told = refusal("leave_room", payload)
    assert told.details == {
        "reason": "TOO_MANY_VALUES",
        "limitFields": MAX_FIELDS,
        "limitValues": MAX_VALUES,
    }


def test_the_first_wrong_number_of_a_long_list_is_named_alone() -> None:
    analysis = {
        "frequencies": ["x"] * 2048,
        "waveform": ["x"] * 2048,
        "timestamp": HEARD_AT,
    }
    told = fields("audio_analysis", {"universeId": "u", "analysis": analysis})
    assert set(told) == {"analysis.frequencies.0", "analysis.waveform.0"}


@pytest.mark.parametrize(
    "timestamp",
    [
        "2024-03-21T10:30:00Z",
        "2024-03-21T10:30:00.123456+01:00",
        "2024-03-21 10:30",
        "2024-03-21T10:30:00.5-0530",
    ],
)
def test_a_clients_time_is_a_time(timestamp: str) -> None:
    analysis = {"frequencies": [], "waveform": [], "timestamp": timestamp}
    assert isinstance(read("audio_analysis", {"universeId": "u", "analysis": analysis}), Command)


@pytest.mark.parametrize(
    "timestamp", ["", "now", "<b>", "2024-03-21", "2024-03-21T10:30:00Zx", "x" * 64]
)
def test_what_is_no_time_is_refused(timestamp: str) -> None:
    analysis = {"frequencies": [], "waveform": [], "timestamp": timestamp}
    assert "analysis.timestamp" in fields(
        "audio_analysis", {"universeId": "u", "analysis": analysis}
    )


def test_nulls_after_the_payload_are_passed_over() -> None:
    assert isinstance(read("leave_room", {"universeId": "u"}, None, None), Command)
    assert refusal("leave_room", None, {"universeId": "u"}).details["reason"] == "NOT_AN_OBJECT"

"""Composing in bulk: a request a line, an answer a line, and nothing else."""

import base64
import json
import os
import subprocess
import sys
from io import BytesIO
from typing import Any

import pytest
from mido import MidiFile

from harmonic_music import bulk, performing
from harmonic_music.bulk import MAX_LINE_BYTES, answers, lines_of
from harmonic_music.composing import CompositionRequest
from harmonic_music.performing import Performance
from music_service.measures import piece


def answered(*lines: object) -> list[dict[str, Any]]:
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return [json.loads(answer) for answer in answers(texts, lambda: 77)]


def test_a_request_is_answered_with_notes_midi_and_its_seed() -> None:
    (answer,) = answered(
        {"id": 5, "music": {"key": "D"}, "physics": {"timeScale": 2}, "duration": 8, "seed": 3}
    )
    assert {"id", "notes", "midi", "seed", "style", "meter", "instruments"} <= set(answer)
    assert (answer["id"], answer["seed"]) == (5, 3)
    expected = piece(8, 3, key="D", time_scale=2)
    assert answer["notes"] == [note.to_wire() for note in expected.notes()]
    midi = MidiFile(file=BytesIO(base64.b64decode(answer["midi"])))
    assert midi.tracks[0].name == "D major"


def test_what_is_missing_takes_its_default() -> None:
    (answer,) = answered({"duration": 4})
    assert (answer["id"], answer["seed"]) == (None, 77)
    assert answer["notes"] == [note.to_wire() for note in piece(4, 77).notes()]


def test_a_style_is_made_as_it_is_asked_for_and_drums_are_told_apart() -> None:
    (answer,) = answered({"duration": 20, "seed": 1, "style": "swing"})
    assert (answer["style"], answer["meter"]) == ("swing", "4/4")
    assert {note["voice"] for note in answer["notes"]} <= {"melody", "counter", "pads", "bass"}
    assert set(answer["instruments"]) == {note["voice"] for note in answer["notes"]}
    starts = [stroke["startTime"] for stroke in answer["drums"]]
    assert starts == sorted(starts)
    assert starts[-1] < 20
    assert all(35 <= stroke["key"] <= 81 for stroke in answer["drums"])
    (plain,) = answered({"duration": 20, "seed": 1, "style": "chorale"})
    assert "drums" not in plain


def test_a_piece_answers_an_earlier_one_of_the_same_run() -> None:
    first, answer, other, unknown = answered(
        {"id": "a", "duration": 30, "seed": 4},
        {"id": "b", "duration": 30, "seed": 5, "after": "a"},
        {"id": "c", "duration": 30, "seed": 5},
        {"id": "d", "duration": 30, "seed": 5, "after": "nobody"},
    )
    assert answer["after"] == "a"
    assert answer["meter"] == first["meter"]
    assert answer["notes"] != other["notes"] == unknown["notes"]
    assert "after" not in unknown


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "duration"),
        ({"duration": 0}, "duration"),
        ({"duration": 301}, "duration"),
        ({"duration": "8"}, "duration"),
        ({"duration": 8, "seed": -1}, "seed"),
        ({"duration": 8, "seed": 1.5}, "seed"),
        ({"duration": 8, "music": {"tempo": 39}}, "music.tempo"),
        ({"duration": 8, "music": {"tempo": True}}, "music.tempo"),
        ({"duration": 8, "music": {"key": "H"}}, "music.key"),
        ({"duration": 8, "music": {"scale": None}}, "music.scale"),
        ({"duration": 8, "music": {"volume": 1}}, "music.volume"),
        ({"duration": 8, "music": []}, "music"),
        ({"duration": 8, "physics": {"gravity": float("nan")}}, "physics.gravity"),
        ({"duration": 8, "physics": {"timeScale": 1e400}}, "physics.timeScale"),
        ({"duration": 8, "loud": 1}, "loud"),
        ({"duration": 8, "style": "noise"}, "style"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(request_: dict[str, object], field: str) -> None:
    (answer,) = answered({"id": "x", **request_})
    assert set(answer) == {"id", "error"}
    assert answer["id"] == "x"
    assert answer["error"]["code"] == "INVALID_PARAMETERS"
    assert [it["field"] for it in answer["error"]["details"]["fields"]] == [field]


@pytest.mark.parametrize(
    "line", [b"{", b"[1]", b"7", b"[" * 9999, b'{"id":1}' + b" " * MAX_LINE_BYTES]
)
def test_a_line_that_is_no_request_is_refused_and_the_next_is_answered(line: bytes) -> None:
    refused, answer = answered(line, {"id": 2, "duration": 1})
    assert refused["error"]["code"] == "INVALID_PARAMETERS"
    assert answer["id"] == 2
    assert answer["notes"]


def test_the_program_writes_answers_and_nothing_else() -> None:
    lines = b'{"id": 1, "duration": 2, "seed": 1}\n\n{"id": 2}\n'
    done = subprocess.run(
        [sys.executable, "-m", "harmonic_music", "compose"],
        input=lines,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert [len(first["notes"]) > 0, "error" in second] == [True, True]
    assert done.stderr == b""


def test_a_piece_that_cannot_be_composed_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_once(request: CompositionRequest) -> Performance:
        if request.seed == 2:
            raise ZeroDivisionError
        return performing.perform(request)

    monkeypatch.setattr(bulk, "perform", fails_once)
    told = answered(*({"id": seed, "duration": 1, "seed": seed} for seed in (1, 2, 3)))
    assert [answer["id"] for answer in told] == [1, 2, 3]
    assert told[1]["error"]["code"] == "INTERNAL_ERROR"
    assert "notes" in told[2]


@pytest.mark.parametrize("number", [b"NaN", b"[Infinity]", b'{"a":-Infinity}'])
def test_an_id_that_only_pythons_json_knows_is_told_as_none(number: bytes) -> None:
    (text,) = answers([b'{"id":%b,"duration":1}' % number], lambda: 77)
    answer = json.loads(text, parse_constant=pytest.fail)
    assert answer["id"] is None
    assert answer["notes"]


def test_of_a_line_that_is_too_long_the_rest_is_not_held_and_no_line_of_its_own() -> None:
    long = b"x" * (3 * MAX_LINE_BYTES)
    lines = list(lines_of(BytesIO(b"a\n" + long + b"\nb\n" + b"y" * MAX_LINE_BYTES + b"\n" + long)))
    assert [line[:1] for line in lines] == [b"a", b"x", b"b", b"y", b"x"]
    assert max(map(len, lines)) == MAX_LINE_BYTES + 1

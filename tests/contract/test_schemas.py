"""The schemas and the declarations take the same messages, and refuse the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from harmonic_protocol.catalogue import COMMANDS, EVENTS, OPERATIONS
from harmonic_protocol.export.definitions import definitions
from harmonic_protocol.export.envelopes import Rejected, accepted
from harmonic_protocol.export.examples import example
from harmonic_protocol.export.operations import has_body, path_fields

HEARD_AT = "2024-03-21T10:30:00Z"

KNOWN = definitions()
UNIVERSE = "universe-123"
SENT = {**COMMANDS, **{n: o for n, o in OPERATIONS.items() if has_body(o)}}
TOLD: dict[str, type[BaseModel]] = {
    **EVENTS,
    **{
        operation.answer.__name__: operation.answer
        for operation in OPERATIONS.values()
        if operation.answer
    },
    **{accepted(command).__name__: accepted(command) for command in COMMANDS.values()},
    "Rejected": Rejected,
}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("join_room", {"universeId": UNIVERSE}),
    ("join_room", {"universeId": UNIVERSE, "mode": "own"}),
    ("join_room", {"universeId": "no spaces", "mode": "view"}),
    ("join_room", {"universeId": UNIVERSE, "mode": "view", "extra": 1}),
    ("leave_room", {"universeId": UNIVERSE, "opId": ""}),
    ("update_physics", {"universeId": UNIVERSE, "parameters": {}}),
    ("update_physics", {"universeId": UNIVERSE, "parameters": {"gravity": 20.5}}),
    ("update_physics", {"universeId": UNIVERSE, "parameters": {"gravity": "9"}}),
    ("update_physics", {"universeId": UNIVERSE, "parameters": {"gravity": None}}),
    ("update_physics", {"universeId": UNIVERSE, "parameters": {"mass": 1}}),
    ("update_music", {"universeId": UNIVERSE, "parameters": {"key": "H"}}),
    ("update_visualization", {"universeId": UNIVERSE, "parameters": {"particleCount": 100.5}}),
    ("update_parameters", {"universeId": UNIVERSE}),
    ("update_parameters", {"universeId": UNIVERSE, "physics": {}}),
    ("update_parameters", {"universeId": UNIVERSE, "physics": None}),
    ("generate_music", {"universeId": UNIVERSE, "duration": 0}),
    ("generate_music", {"universeId": UNIVERSE, "duration": 301}),
    ("generate_music", {"universeId": UNIVERSE, "duration": 8, "seed": -1}),
    (
        "audio_analysis",
        {
            "universeId": UNIVERSE,
            "analysis": {
                "frequencies": [0] * 2049,
                "waveform": [],
                "timestamp": HEARD_AT,
            },
        },
    ),
    (
        "audio_analysis",
        {
            "universeId": UNIVERSE,
            "analysis": {
                "frequencies": [],
                "waveform": [None],
                "timestamp": HEARD_AT,
            },
        },
    ),
    ("create_universe", {}),
    ("create_universe", {"name": "x", "maxParticipants": 1001}),
    ("update_universe", {}),
    ("set_member", {"role": "own"}),
]


@pytest.fixture(scope="module")
def schemas(contract: Path) -> Any:
    return json.loads((contract / "schemas.json").read_text())


def validator(schemas: Any, name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schemas["$defs"]})


def takes(model: type[BaseModel], message: Any) -> bool:
    try:
        model.model_validate(message)
    except ValidationError:
        return False
    return True


def in_path(name: str) -> dict[str, str]:
    operation = OPERATIONS.get(name)
    return dict.fromkeys(path_fields(operation), UNIVERSE) if operation else {}


def test_the_schemas_are_valid(schemas: Any) -> None:
    Draft202012Validator.check_schema(schemas)


def test_every_message_has_a_schema(schemas: Any) -> None:
    found = {group: list(schemas[group]) for group in ("commands", "acks", "events", "operations")}

    assert found == {
        "commands": list(COMMANDS),
        "acks": list(COMMANDS),
        "events": list(EVENTS),
        "operations": list(OPERATIONS),
    }


@pytest.mark.parametrize("name", SENT)
def test_a_request_as_in_the_documents_is_taken(schemas: Any, name: str) -> None:
    model = SENT[name]
    message = example(model.__name__, KNOWN)

    validator(schemas, model.__name__).validate(message)
    model.model_validate({**message, **in_path(name)})


@pytest.mark.parametrize("name", TOLD)
def test_an_answer_as_in_the_documents_is_what_the_server_tells(schemas: Any, name: str) -> None:
    model = TOLD[name]
    message = example(model.__name__, KNOWN)

    validator(schemas, model.__name__).validate(message)
    assert (
        model.model_validate(message)
        .model_dump(mode="json", by_alias=True, exclude_none=True)
        .keys()
        == message.keys()
    )


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_what_the_server_refuses_the_schema_refuses(
    schemas: Any, name: str, message: dict[str, Any]
) -> None:
    model = SENT[name]

    assert not takes(model, {**message, **in_path(name)})
    assert not validator(schemas, model.__name__).is_valid(message)

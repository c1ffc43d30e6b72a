"""The committed documents say what the declarations say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from harmonic_protocol.catalogue import COMMANDS, EVENTS, OPERATIONS
from harmonic_protocol.export.definitions import definitions
from harmonic_protocol.export.documents import stale, write
from harmonic_protocol.export.examples import example

DEFINITIONS = definitions()


def test_the_committed_documents_are_up_to_date(contract: Path) -> None:
    assert stale(contract) == [], "run `make contract`"


def test_the_openapi_document_is_valid(contract: Path) -> None:
    validate(json.loads((contract / "openapi.json").read_text()))


def test_the_openapi_document_has_every_operation(contract: Path) -> None:
    paths = json.loads((contract / "openapi.json").read_text())["paths"]

    named = {
        (path, method.upper()): operation["operationId"]
        for path, methods in paths.items()
        for method, operation in methods.items()
    }

    assert named == {
        **{
            (f"/api/v1{operation.spec.path}", operation.spec.method): name
            for name, operation in OPERATIONS.items()
        },
        ("/api/v1/openapi.json", "GET"): "get_openapi",
        ("/healthz", "GET"): "get_health",
        ("/readyz", "GET"): "get_readiness",
    }


def test_the_check_names_what_is_stale_and_fails(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "protocol.md").write_text("old")
    (tmp_path / "schemas.json").unlink()

    checked = subprocess.run(
        [sys.executable, "-m", "harmonic_protocol.export", str(tmp_path), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 1
    assert [line.split(" ")[0] for line in checked.stderr.splitlines()] == [
        str(tmp_path / "protocol.md"),
        str(tmp_path / "schemas.json"),
    ]


def test_the_openapi_document_needs_pydantic_alone() -> None:
    program = """
import sys
for name in ("yaml", "aiohttp", "nats", "uvloop", "structlog", "prometheus_client"):
    sys.modules[name] = None
from harmonic_protocol.export import openapi
assert openapi.document()["paths"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_type_and_field_says_what_it_means(name: str) -> None:
    schema = DEFINITIONS[name]
    fields = schema.get("properties", {}).items()

    silent = [field for field, part in fields if not {"description", "$ref"} & set(part)]

    assert schema.get("description")
    assert not silent, "say it in the declaration: Field(description=…)"


_SHOWN = [
    *(command.__name__ for command in COMMANDS.values()),
    *(event.__name__ for event in EVENTS.values()),
    *(operation.answer.__name__ for operation in OPERATIONS.values() if operation.answer),
    *("TimeSynced", "Accepted", "Rejected", "ErrorBody", "ConnectError"),
]
#: Where 1 is what a reader would see.
_ONES = {"protocol", "timeScale", "firstSeq"}


@pytest.mark.parametrize("name", _SHOWN)
def test_no_example_is_a_placeholder(name: str) -> None:
    def placeholders(field: str, value: object) -> list[str]:
        match value:
            case dict():
                return [found for key, part in value.items() for found in placeholders(key, part)]
            case list():
                return [found for part in value for found in placeholders(field, part)]
            case bool():
                return []
            case "text" | 1 if field not in _ONES:
                return [field]
            case _:
                return []

    assert placeholders(name, example(name, DEFINITIONS)) == []

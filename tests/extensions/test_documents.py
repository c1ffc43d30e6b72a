"""What an extension declares stands in all documents, as the official programs read them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from extensions.conftest import OCEAN, TESTS
from harmonic_local.node import install
from harness import node

CONTRACT = TESTS / "contract"
RUN_TIMEOUT_S = 100.0
USE = """\
import type { ClientToServerEvents, ServerToClientEvents } from "./protocol";

export function use(client: ClientToServerEvents): ServerToClientEvents["pointer_moved"] {
  client.update_tide({ universeId: "u", parameters: { height: 2, phase: "ebb" } }, (answer) => {
    if (answer.ok) answer.seq.toFixed();
  });
  client.update_parameters({ universeId: "u", tide: { swellCount: 1 }, music: { tempo: 90 } });
  client.move_pointer({ universeId: "u", x: 0, y: 1 });
  // @ts-expect-error -- no such phase
  client.update_tide({ universeId: "u", parameters: { phase: "slack" } });
  // @ts-expect-error -- y is missing
  client.move_pointer({ universeId: "u", x: 0 });
  return (told) => told.userId + told.x.toFixed();
}
export const heard: ServerToClientEvents["tide_updated"] = (told) => told.parameters.height * 2;
"""


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents of the product with the extension."""
    folder = tmp_path_factory.mktemp("documents")
    command = [sys.executable, "-m", "harmonic_protocol.export", str(folder), "--extensions", OCEAN]
    subprocess.run(command, check=True, cwd=TESTS)
    return folder


async def test_the_types_fit_the_new_messages_and_refuse_mistakes(documents: Path) -> None:
    await install(CONTRACT)
    (documents / "use.ts").write_text(USE)
    compiler = CONTRACT / "node_modules" / "typescript" / "bin" / "tsc"
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "preserve")

    status, output = await node.run(
        CONTRACT, compiler, *options, documents / "use.ts", timeout_s=RUN_TIMEOUT_S
    )

    assert status == 0, output


async def test_the_asyncapi_document_is_valid_and_has_the_new_messages(documents: Path) -> None:
    await install(CONTRACT)
    status, output = await node.run(
        CONTRACT,
        CONTRACT / "validate_asyncapi.mjs",
        documents / "asyncapi.yaml",
        timeout_s=RUN_TIMEOUT_S,
    )

    assert status == 0, output
    found = json.loads(output)
    assert found["errors"] == []
    assert found["operations"]["update_tide"] == "receive"
    assert found["operations"]["tide_updated"] == "send"
    assert found["operations"]["move_pointer"] == "receive"
    assert found["operations"]["pointer_moved"] == "send"


def test_the_openapi_document_is_valid_and_has_the_new_set(documents: Path) -> None:
    document = json.loads((documents / "openapi.json").read_text())

    validate(document)
    assert document["components"]["schemas"]["TideParameters"]["properties"]["height"]


def test_the_schemas_take_what_is_right_and_refuse_what_is_wrong(documents: Path) -> None:
    schemas = json.loads((documents / "schemas.json").read_text())

    def takes(name: str, **fields: Any) -> bool:
        schema = {**schemas["commands"][name], "$defs": schemas["$defs"]}
        return Draft202012Validator(schema).is_valid({"universeId": "u", **fields})

    assert takes("update_tide", parameters={"height": 12})
    assert not takes("update_tide", parameters={"height": 12.5})
    assert not takes("update_tide", parameters={})
    assert takes("update_parameters", tide={"phase": "ebb"})
    assert takes("move_pointer", x=0, y=1)
    assert not takes("move_pointer", x=0)


def test_the_page_tells_of_ranges_and_limits(documents: Path) -> None:
    page = (documents / "protocol.md").read_text()

    assert "| `parameters.height` | number, 0 to 12; optional | Metres. |" in page
    assert "### `pointer_moved`" in page


def test_the_committed_documents_tell_nothing_of_it(documents: Path) -> None:
    committed = TESTS.parent / "shared" / "contract"

    assert {file.name for file in documents.glob("*.*")} - {"use.ts"} == {
        file.name for file in committed.glob("*.*")
    }
    for file in committed.glob("*.*"):
        assert "tide" not in file.read_text()

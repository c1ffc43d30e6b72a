"""Clients that are generated from the served OpenAPI document, with default options, work."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from harmonic_protocol.values import TONICS
from harness import node, programs
from harness.world import World

HERE = Path(__file__).parent
RUN_TIMEOUT_S = 100.0
#: What both programs see of a universe that they make, change, share and delete.
SEEN = {
    "key": "C",
    "name": "Renamed",
    "role": "view",
    "banned": 204,
    "events": ["universe_updated"],
    "pieces": [],
    "present": [],
    "gone": 204,
    "missing": "NOT_FOUND",
}
#: The one thing that this generator has no type for: files are had as the answer's ``content``.
NO_TYPE_FOR = "audio/midi"


async def run(folder: Path, *command: str | Path) -> str:
    """Run a program to its end in a folder; what it wrote."""
    # The generator formats by a program beside it.
    environment = {**os.environ, "PATH": f"{Path(command[0]).parent}:{os.environ['PATH']}"}
    ended = await programs.run(
        *command, folder=folder, environment=environment, timeout_s=RUN_TIMEOUT_S
    )
    assert ended.status == 0, ended.output
    return ended.output


@pytest.fixture
async def document(world: World, tmp_path: Path) -> Path:
    """The document as the gateway serves it."""
    status, served = await world.call("GET", "/openapi.json")
    assert status == 200
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(served))
    return file


async def test_a_client_of_openapi_python_client_calls_the_product(
    world: World, document: Path, python: Path
) -> None:
    generator = python.with_name("openapi-python-client")

    said = await run(document.parent, generator, "generate", "--path", document)

    warnings = [line for line in said.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 1, said
    assert NO_TYPE_FOR in said
    (package,) = document.parent.glob("*/harmonic_universe_client")
    shutil.copy(HERE / "calls.py", package.parent)
    token = world.token(world.name("ann"))
    seen: dict[str, Any] = json.loads(
        await run(package.parent, python, "calls.py", world.stack.urls[0], token)
    )
    assert sorted(seen.pop("keys")) == sorted(TONICS)
    assert (seen.pop("bans"), seen.pop("lastSeq")) == (["guest"], 1)
    assert (seen.pop("file"), seen.pop("listed")) == (404, True)
    assert seen == SEEN


async def test_types_of_openapi_typescript_are_called_with_and_refuse_mistakes(
    world: World, document: Path, packages: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "typed"
    folder.mkdir()
    for name in ("package.json", "tsconfig.json", "calls.ts"):
        shutil.copy(packages / name, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")

    for program, *arguments in (
        ("openapi-typescript/bin/cli.js", str(document), "--output", ".generated/api.d.ts"),
        ("typescript/bin/tsc", "--project", "."),
    ):
        script = Path("node_modules") / program
        status, output = await node.run(folder, script, *arguments, timeout_s=RUN_TIMEOUT_S)
        assert status == 0, output
    status, output = await node.run(
        folder,
        ".generated/calls.js",
        *(world.stack.urls[0], world.token(world.name("ann"))),
        timeout_s=RUN_TIMEOUT_S,
    )

    assert status == 0, output
    assert json.loads(output) == SEEN

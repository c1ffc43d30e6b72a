"""The official programs read the documents: AsyncAPI's parser and TypeScript's compiler."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harmonic_protocol.catalogue import COMMANDS, EVENTS

HERE = Path(__file__).parent
USE = (HERE / "use.ts").read_text()

RunNode = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture(scope="module")
async def parsed(run_node: RunNode, contract: Path) -> dict[str, object]:
    status, output = await run_node("validate_asyncapi.mjs", contract / "asyncapi.yaml")
    assert status == 0, output
    found: dict[str, object] = json.loads(output)
    return found


def test_the_asyncapi_document_is_valid(parsed: dict[str, object]) -> None:
    assert parsed["errors"] == []


def test_the_server_receives_commands_and_sends_events(parsed: dict[str, object]) -> None:
    assert parsed["operations"] == {
        "connect": "receive",
        **dict.fromkeys(COMMANDS, "receive"),
        **dict.fromkeys(EVENTS, "send"),
    }


async def test_the_types_fit_the_official_client_and_refuse_mistakes(run_node: RunNode) -> None:
    status, output = await run_node("node_modules/typescript/bin/tsc", "--project", ".")

    assert status == 0, output


def test_the_use_of_the_types_emits_every_command() -> None:
    asked = USE.partition("// What the compiler has to refuse.")[0]

    assert set(re.findall(r'emit\(\s*"(\w+)"', asked)) == set(COMMANDS)


def test_the_use_of_the_types_listens_to_every_event() -> None:
    heard = USE.partition("// What the compiler has to refuse.")[0]

    assert set(re.findall(r'socket\.on\("(\w+)"', heard)) == {*EVENTS, "connect_error"}

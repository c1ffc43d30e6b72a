"""Every import contract is broken by what its name says."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "harmonic_protocol": "shared",
    "harmonic_runtime": "shared",
    "harmonic_operated": "shared",
    "harmonic_client": "shared/client-python",
    "harmonic_gateway": "gateway",
    "harmonic_state": "state-service",
    "harmonic_music": "music-service",
    "harmonic_operator": "deploy/operator",
}

SERVICES = "Services stand on the protocol and the runtime, and know nothing of one another"
PYDANTIC = "The protocol needs pydantic and nothing else"
THIRD_PARTIES = "Third-party packages are imported where each is needed, and nowhere else"
PROTOCOL = "The protocol's layers: documents, catalogue, messages, values"
RUNTIME = "The runtime's layers: a process's life, the bus, what operators see, the basics"
BUS = "The bus's layers: who is asked, the streams, requests, the connection, the wire"
CLIENT = "The Python client stands on the contract alone, and on what is light"
CLIENT_LAYERS = "The Python client's layers: client, universe, commands, connection, decisions"
CLIENT_DECISIONS = "What a client shows, and when it sends, is decided without I/O"
GATEWAY = "The gateway's layers: each package knows those below it only"
SOCKETS = "The sockets know no message, no bus and no setting of the product"
DOMAIN = "The domain depends on the protocol alone: no clock, no randomness, no I/O"
STATE = "The state service's layers: requests, owned universes, journal, domain"
RETURNS = "How a client's earlier session goes on is decided without I/O"
MEMBERS = "What becomes of arrivals, members and their sessions is decided without I/O"
LEASES = "What a gateway grants from leases is decided without I/O"
COMMITS = "What an owner does next is decided without I/O"
MUSIC = "The music service's layers: jobs, files, composing, styles, theory"

#: What is added to which module, and the contracts that this alone breaks.
VIOLATIONS = [
    ("harmonic_state/service.py", "import harmonic_gateway.service", {SERVICES}),
    ("harmonic_runtime/bus/wire.py", "import harmonic_state.settings", {SERVICES}),
    ("harmonic_runtime/bus/wire.py", "from harmonic_protocol import subjects", {SERVICES}),
    ("harmonic_protocol/values.py", "import asyncio", {PYDANTIC}),
    (
        "harmonic_protocol/schema.py",
        "import harmonic_runtime.process.entropy",
        {PYDANTIC, SERVICES},
    ),
    ("harmonic_gateway/delivery/places.py", "import socketio", {THIRD_PARTIES, MEMBERS}),
    ("harmonic_gateway/membership/__init__.py", "import engineio.packet", {THIRD_PARTIES}),
    ("harmonic_gateway/delivery/__init__.py", "import aiohttp", {THIRD_PARTIES}),
    ("harmonic_gateway/commands/__init__.py", "import nats.aio.client", {THIRD_PARTIES}),
    ("harmonic_gateway/http/__init__.py", "import jwt", {THIRD_PARTIES}),
    ("harmonic_gateway/limits/__init__.py", "import numpy", {THIRD_PARTIES}),
    ("harmonic_music/score.py", "import mido", {THIRD_PARTIES}),
    ("harmonic_state/journal.py", "import requests", {THIRD_PARTIES}),
    ("harmonic_gateway/recovery/planning.py", "import asyncio", {RETURNS}),
    ("harmonic_gateway/delivery/chain.py", "import asyncio", {MEMBERS}),
    (
        "harmonic_gateway/membership/follower.py",
        "import harmonic_runtime.process.clock",
        {MEMBERS},
    ),
    ("harmonic_gateway/limits/leases.py", "import time", {LEASES}),
    ("harmonic_protocol/values.py", "import harmonic_protocol.messages", {PROTOCOL}),
    ("harmonic_protocol/messages/audio.py", "import harmonic_protocol.catalogue", {PROTOCOL}),
    ("harmonic_runtime/process/clock.py", "import harmonic_runtime.observability", {RUNTIME}),
    ("harmonic_runtime/observability/logs.py", "import harmonic_runtime.bus", {RUNTIME, SOCKETS}),
    ("harmonic_runtime/bus/client.py", "import harmonic_runtime.process.lifecycle", {RUNTIME}),
    ("harmonic_runtime/bus/connection.py", "import harmonic_runtime.bus.streams", {BUS}),
    ("harmonic_client/client.py", "import json", {CLIENT}),
    ("harmonic_client/client.py", "import harmonic_runtime.process.clock", {CLIENT}),
    ("harmonic_runtime/bus/wire.py", "import harmonic_client.clock", {SERVICES}),
    ("harmonic_client/retry.py", "import harmonic_client.link", {CLIENT_DECISIONS, CLIENT_LAYERS}),
    ("harmonic_client/planted.py", "", {CLIENT_LAYERS}),
    ("harmonic_client/throttle.py", "import time", {CLIENT_DECISIONS}),
    ("harmonic_gateway/delivery/__init__.py", "import harmonic_gateway.membership", {GATEWAY}),
    ("harmonic_gateway/membership/__init__.py", "import harmonic_gateway.admission", {GATEWAY}),
    ("harmonic_gateway/identity/__init__.py", "import harmonic_gateway.sockets", {GATEWAY}),
    ("harmonic_gateway/http/__init__.py", "import harmonic_gateway.admission", {GATEWAY}),
    ("harmonic_gateway/planted.py", "", {GATEWAY}),
    ("harmonic_gateway/sockets/frames.py", "import harmonic_protocol.messages.music", {SOCKETS}),
    ("harmonic_gateway/sockets/frames.py", "import harmonic_runtime.bus.client", {SOCKETS}),
    ("harmonic_gateway/sockets/limits.py", "import harmonic_gateway.settings", {SOCKETS}),
    ("harmonic_state/domain/decide.py", "import harmonic_state.journal", {DOMAIN, STATE}),
    ("harmonic_state/domain/presence.py", "import harmonic_runtime.process.clock", {DOMAIN}),
    ("harmonic_state/domain/presence.py", "import time", {DOMAIN}),
    ("harmonic_state/domain/music.py", "import random", {DOMAIN}),
    ("harmonic_state/domain/music.py", "import pydantic", {DOMAIN}),
    ("harmonic_state/journal.py", "import harmonic_state.requests", {STATE}),
    ("harmonic_state/planted.py", "", {STATE}),
    ("harmonic_state/commit_cycle.py", "import asyncio", {COMMITS}),
    ("harmonic_state/batches.py", "import harmonic_state.journal", {COMMITS}),
    ("harmonic_music/theory/__init__.py", "import harmonic_music.jobs", {MUSIC}),
    ("harmonic_music/composing/__init__.py", "import harmonic_music.midi", {MUSIC}),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product that a test may spoil."""
    copy = tmp_path_factory.mktemp("tree")
    for package, folder in FOLDERS.items():
        shutil.copytree(
            ROOT / folder / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copytree(ROOT / "tests/arch", copy / "tests/arch")
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.fixture(params=VIOLATIONS, ids=lambda violation: f"{violation[0]}: {violation[1]}")
def planted(request: pytest.FixtureRequest, tree: Path) -> Iterator[set[str]]:
    """The contracts that the one violation in the tree breaks."""
    name, line, contracts = request.param
    module = tree / name
    before = module.read_text() if module.exists() else None
    module.write_text(f"{before or ''}\n{line}\n")
    yield contracts
    if before is None:
        module.unlink()
    else:
        module.write_text(before)


def broken(tree: Path) -> set[str]:
    """The names of the contracts that are reported as broken."""
    report = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"Contracts: \d+ kept, \d+ broken", report.stdout), report.stdout
    names = {
        name for name in contracts() if re.search(rf"^{name} BROKEN", report.stdout, re.MULTILINE)
    }
    assert report.returncode == bool(names)
    return names


def contracts() -> set[str]:
    """The names of all contracts."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}


def test_the_product_keeps_its_contracts(tree: Path) -> None:
    assert broken(tree) == set()


def test_a_violation_is_reported_by_the_contract_that_forbids_it(
    tree: Path, planted: set[str]
) -> None:
    assert broken(tree) == planted


def test_each_contract_is_violated_by_some_test() -> None:
    assert contracts() == set().union(*(names for _, _, names in VIOLATIONS))


def test_no_module_of_the_runtime_stands_outside_its_layers() -> None:
    # The others' layers are exhaustive by themselves.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = next(
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"] == RUNTIME
    )
    listed = {name.strip() for layer in layers for name in layer.split("|")}
    modules = {
        ".".join(path.relative_to(ROOT / "shared").with_suffix("").parts)
        for path in (ROOT / "shared/harmonic_runtime").rglob("*.py")
        if path.stem != "__init__"
    }
    assert {
        module for module in modules if not any(f"{module}.".startswith(f"{a}.") for a in listed)
    } == set()

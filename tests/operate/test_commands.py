"""The command line of a service, as an operator uses it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from harmonic_local.reference import PAGE, documents
from harness.world import World

SERVICES = ("gateway", "state", "music")


async def run(service: str, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """A service's command: its exit status, and what it says on both outputs."""
    environment = {name: value for name, value in os.environ.items() if "HARMONIC" not in name}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"harmonic_{service}", *arguments),
        env={**environment, **{f"HARMONIC_{name}": value for name, value in settings.items()}},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_says_its_version_and_what_it_can_do(service: str) -> None:
    (told, version, _), (status, text, _) = await asyncio.gather(
        run(service, "--version"), run(service, "--help")
    )
    known = metadata.version(f"harmonic-{service}")
    assert (told, version) == (0, f"harmonic-{service} {known}\n")
    assert status == 0
    assert "check" in text
    assert "exit status:" in text
    assert ("compose: compose offline" in text) == (service == "music")


@pytest.mark.parametrize("service", SERVICES)
async def test_check_prints_what_is_in_force_and_masks_secrets(service: str) -> None:
    settings: Mapping[str, str] = {"NATS_USER": "me", "NATS_PASSWORD": "hidden"}
    secret = "a secret that nobody may see" if service == "gateway" else None
    extra = {"JWT_SECRET": secret} if secret else {}

    status, text, errors = await run(service, "check", **settings, **extra)

    assert (status, errors) == (0, "")
    lines = text.splitlines()
    assert "HARMONIC_NATS_PASSWORD=***  # set" in lines
    assert "HARMONIC_OPS_PORT=9100  # default" in lines
    assert "hidden" not in text
    assert "nobody may see" not in text


async def test_check_names_a_variable_that_nobody_knows_with_the_nearest() -> None:
    status, text, errors = await run("state", "check", OPS_PROT="9100")
    assert status == 0
    assert "HARMONIC_OPS_PORT=9100  # default" in text.splitlines()
    assert errors == (
        "HARMONIC_OPS_PROT is no setting of any service; the nearest is HARMONIC_OPS_PORT.\n"
    )


async def test_check_refuses_what_the_service_would_refuse() -> None:
    status, text, errors = await run("gateway", "check")
    assert (status, text) == (2, "")
    assert errors.startswith("HARMONIC_JWT_SECRET must be set")

    status, text, errors = await run(
        "gateway", "check", JWT_SECRET="x" * 32, PORT="tcp://10.0.0.1:8000"
    )
    assert (status, text) == (2, "")
    assert "Kubernetes service links" in errors
    assert "10.0.0.1" not in errors


async def test_check_asks_the_running_replica_whether_it_is_ready(world: World) -> None:
    port = world.stack.ops_urls["state-1"].rpartition(":")[2]

    assert await run("state", "check", "--ready", OPS_PORT=port) == (0, '{"status": "ready"}\n', "")
    status, text, _ = await run("state", "check", "--ready", OPS_PORT="1")
    assert status == 1
    assert text.startswith("No answer at 127.0.0.1:1: ")


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_the_reference_of_settings_is_what_the_code_says(path: Path) -> None:
    assert path.read_text() == documents()[path], "run `make settings`"


def test_the_reference_says_what_is_secret() -> None:
    (row,) = [line for line in PAGE.read_text().splitlines() if "`HARMONIC_JWT_SECRET`" in line]
    assert "(secret)" in row

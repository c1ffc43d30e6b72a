"""Two official clients that work together in the running instance."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import NoReturn

from harmonic_local.instance import RUN_DIRECTORY, Instance
from harmonic_local.node import install, node
from harmonic_local.tokens import make_token

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
TOKEN_LIFETIME_S = 300


def demo(instance: Instance) -> NoReturn:
    """Become the demonstration, which ends with the exit status of this process.

    Raise :class:`~harmonic_local.node.InstallError` if the clients cannot be installed.
    """
    asyncio.run(install(CLIENTS))
    command = demo_command()
    settings = demo_environment(instance.gateways, instance.jwt_secret, RUN_DIRECTORY / "demo.mid")
    os.execve(command[0], command, {**os.environ, **settings})  # noqa: S606 -- no shell is wanted


def demo_command() -> list[str]:
    """The demonstration's program."""
    return [str(node()), str(CLIENTS / "demo.mjs")]


def demo_environment(gateways: Sequence[str], secret: str, midi: Path) -> Mapping[str, str]:
    """What the demonstration needs to know; tokens are no arguments, which anybody may list."""
    # Fresh users each time: limits count by user.
    suffix = token_hex(4)
    tokens = {
        name: make_token(secret, f"{name}-{suffix}", name=name, lifetime_s=TOKEN_LIFETIME_S)
        for name in ("ann", "ben")
    }
    return {
        "HARMONIC_GATEWAYS": ",".join(gateways),
        "HARMONIC_TOKEN_ANN": tokens["ann"],
        "HARMONIC_TOKEN_BEN": tokens["ben"],
        "HARMONIC_MIDI_FILE": str(midi),
    }

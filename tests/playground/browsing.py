"""Programs of Node that use the playground in a real browser, against a running product."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp

from harmonic_local.node import install
from harmonic_local.stack import Stack
from harness import node
from harness.chromium import chromium
from harness.world import World, started

FOLDER = Path(__file__).parent
PROGRAMS = FOLDER / "programs"
SOURCES = FOLDER.parents[1] / "shared" / "playground"
_CLIENT = FOLDER.parents[1] / "shared" / "client-ts"
RUN_TIMEOUT_S = 110.0
_USERS = ("ann", "ben", "owner")

Before = Callable[[World, str], Awaitable[None]]


def product(directory: Path) -> AbstractAsyncContextManager[Stack]:
    """A product as ``make run`` starts it: guests get tokens, and pages come from anywhere.

    What one may do in a minute is as it is by default.
    """
    return started(
        directory,
        HARMONIC_GUEST_TOKENS="true",
        HARMONIC_ALLOWED_ORIGINS="*",
        HARMONIC_ALLOWED_GENERATIONS="10",
        HARMONIC_ALLOWED_PARAMETER_UPDATES="60",
    )


async def browse(
    stack: Stack,
    program: str,
    *arguments: str | Path,
    before: Before | None = None,
    timeout_s: float = RUN_TIMEOUT_S,
    **settings: Any,
) -> str:
    """Run a program in a universe of its own: what it wrote. ``before`` does something in it.

    Raise ``AssertionError`` if it fails.
    """
    # Programs use the page's decisions, and those the client.
    for folder in (FOLDER, SOURCES, _CLIENT):
        await install(folder)
    async with aiohttp.ClientSession() as http:
        world = World(stack, http)
        tokens = {user: world.token(user, name=user.capitalize()) for user in _USERS}
        tokens["late"] = world.token("late", lifetime_s=-60)
        universe = await world.universe(**settings)
        if before is not None:
            await before(world, universe)
        plan = json.dumps(
            {
                "browser": await chromium(),
                "gateways": stack.urls,
                "universe": universe,
                "tokens": tokens,
            }
        )
        status, output = await node.run(
            FOLDER, PROGRAMS / program, plan, *arguments, timeout_s=timeout_s
        )
        await world.close()
    assert status == 0, output
    return output

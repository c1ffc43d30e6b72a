"""The Python client as others install it, and as its pages show it."""

import ast
import asyncio
import re
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

from harness.client import PATIENCE_S
from harness.world import World

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "shared" / "client-python"
#: Packages of services, which a client has no use for.
HEAVY = {"nats", "uvloop", "structlog", "prometheus_client", "pydantic_settings", "numpy"}


def test_a_client_brings_nothing_of_what_services_need() -> None:
    code = "import sys, harmonic_client; print(*{name.partition('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(told.stdout.split())
    shared = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text())["project"]
    assert shared["dependencies"] == ["pydantic>=2.14"]
    assert not [name for name in requires("harmonic-client") or () if "[runtime]" in name]


def test_it_is_typed() -> None:
    assert (CLIENT / "harmonic_client" / "py.typed").exists()


@pytest.mark.parametrize("page", ["README.md", "shared/client-python/README.md"])
async def test_the_example_of_the_page_works(page: str, world: World) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)[0]
    news = asyncio.Event()
    universe = await world.universe()
    for shown, real in (
        ("http://127.0.0.1:8000", world.stack.urls[0]),
        ("https://example.org", world.stack.urls[0]),
        ("universe-123", universe),
    ):
        code = code.replace(shown, real)
    function = f"async def example():\n{textwrap.indent(code, '    ')}"
    known: dict[str, Any] = {
        "my_token": world.token("ann"),
        "fetch_token": lambda: world.token("ann"),
        "print": lambda *_: news.set(),
        "schedule": lambda *_, **__: news.set(),
    }
    exec(compile(ast.parse(function), page, "exec"), known)
    other = await world.client("ben")
    await other.joins(universe)
    running = asyncio.create_task(known["example"]())
    await other.hears("music_generated")
    # What comes of the example from now on is what it says of events, once it listens.
    news.clear()
    async with asyncio.timeout(PATIENCE_S):
        while not news.is_set():
            await other.asks("generate_music", universeId=universe, duration=1)
            await other.hears("music_generated")
            await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

"""The guide's programs run in a project that has the client installed from its package."""

import re
from pathlib import Path

import pytest

from client_ts.conftest import CLIENT, Run, build_client, run_node
from harness.world import SECRET, World

__all__ = ["run_node"]


@pytest.fixture(scope="module")
async def project(tmp_path_factory: pytest.TempPathFactory, run_node: Run) -> Path:
    """A folder for programs of Node."""
    folder = tmp_path_factory.mktemp("guide")
    await build_client(folder, run_node)
    renderer = CLIENT / "node_modules" / "react-test-renderer"
    (folder / "node_modules" / "react-test-renderer").symlink_to(renderer)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "tsconfig.json").write_text('{"compilerOptions": {"jsx": "react-jsx"}}')
    return folder


class Reader:
    """Somebody who tries the guide: with an instance, a universe, and users of its own."""

    def __init__(self, world: World, universe: str, other_universe: str) -> None:
        suffix = world.name("").removeprefix("-")
        self.ann, self.ben = f"ann{suffix}", f"ben{suffix}"
        self.url = world.stack.urls[0]
        self.universe = universe
        self.environment = {
            "TOKEN": world.token(self.ann, name="Ann"),
            "TOKEN_BEN": world.token(self.ben, name="Ben"),
            "ENDING_TOKEN": world.token(self.ann, lifetime_s=40),
            "OTHER_UNIVERSE": other_universe,
            "HARMONIC_JWT_SECRET": SECRET,
        }

    def own(self, text: str) -> str:
        """A text of the guide with the reader's own names in it."""
        text = text.replace("http://127.0.0.1:8000", self.url)
        text = re.sub(r"""(["'])universe-123\1""", f'"{self.universe}"', text)
        return re.sub(r"\bann\b", self.ann, re.sub(r"\bben\b", self.ben, text))


@pytest.fixture
async def reader(world: World, monkeypatch: pytest.MonkeyPatch) -> Reader:
    one = Reader(world, await world.universe(), await world.universe())
    for name, value in one.environment.items():
        monkeypatch.setenv(name, value)
    return one

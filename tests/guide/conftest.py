"""The guide's programs run in a project that has the client installed from its package."""

from pathlib import Path

import pytest

from client_ts.conftest import CLIENT, Run, build_client, run_node

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

"""The kits as others install them: a suite for each runs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

from client_ts.conftest import CLIENT, TSC, Run, build_client

ROOT = Path(__file__).resolve().parents[2]
PYTHON_KIT = ROOT / "shared" / "test-kit-python"
NODE_KIT = ROOT / "shared" / "test-kit-ts"
SUITES = Path(__file__).parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Python kit is installed, from a wheel."""
    folder = tmp_path_factory.mktemp("kit")
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory")
    subprocess.run([*build, str(folder)], cwd=PYTHON_KIT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def test_a_suite_of_pytest_has_an_instance_by_naming_it(site: Path, tmp_path: Path) -> None:
    shutil.copy(SUITES / "suite.py", tmp_path / "test_suite.py")

    done = subprocess.run(
        # A plugin of ours would warn of what a suite has to configure for it.
        [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-W", "error", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


#: What cannot be done, before and after a process was killed; then, what can.
_LINES = (
    *("no JSON", "[1]", '{"id":1}', '{"id":2,"do":"fly"}', '{"id":3,"do":"kill"}'),
    *('{"id":4,"do":"kill","with":{"process":"gateway-1"}}', '{"id":5,"do":"universe"}'),
    *('{"id":6,"do":"restore"}', '{"id":7,"do":"universe"}'),
)


def test_what_cannot_be_done_is_said_and_a_signal_leaves_no_process_behind(site: Path) -> None:
    answers: list[dict[str, object]] = []
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "harmonic_test_kit"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe) as kit:
        assert kit.stdout is not None
        assert b"urls" in kit.stdout.readline()
        children = psutil.Process(kit.pid).children()
        assert kit.stdin is not None
        for line in _LINES:
            kit.stdin.write(f"{line}\n".encode())
            kit.stdin.flush()
            answers.append(json.loads(kit.stdout.readline()))
        kit.terminate()
        status = kit.wait(60)

    assert status == 128 + signal.SIGTERM
    assert len(children) == 4
    done = {answer["id"] for answer in answers if "result" in answer}
    assert [answer["id"] for answer in answers] == [None, None, 1, 2, 3, 4, 5, 6, 7]
    assert done == {4, 6, 7}
    assert [child for child in children if child.is_running()] == []


async def test_a_suite_of_node_has_an_instance_by_one_call(
    site: Path, tmp_path: Path, run_node: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = await build_client(tmp_path, run_node)
    kit = modules / "@harmonic-universe" / "test-kit"
    kit.mkdir()
    shutil.copy(NODE_KIT / "package.json", kit)
    types = ("--typeRoots", CLIENT / "node_modules" / "@types")
    build = (TSC, "--project", NODE_KIT / "tsconfig.build.json")
    await run_node(*build, *types, "--outDir", kit / "dist")
    options = {"strict": True, "noEmit": True, "target": "es2022", "module": "nodenext"}
    options |= {"lib": ["es2023", "dom", "esnext.disposable"], "types": ["node"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    shutil.copy(SUITES / "suite.mts", tmp_path / "suite.mts")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PYTHON", sys.executable)

    await run_node(TSC, "--project", tmp_path)
    await run_node("--test", tmp_path / "suite.mts")

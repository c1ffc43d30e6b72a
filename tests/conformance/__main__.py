"""``python -m conformance FOLDER``: run the official suites that lie there."""

import asyncio
import itertools
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from conformance.pair import echoing_in_turn
from conformance.server import SETTINGS, EngineIoEcho, behave_as_the_suites_expect, echoing
from harmonic_gateway.sockets import SocketServer
from harmonic_local.node import InstallError, install
from harmonic_runtime.observability.logs import configure_logs
from harness import node

HERE = Path(__file__).parent
#: The suites are copied to here, since they know no other server than the one they name.
COPIES = HERE.parent.parent / ".cache" / "conformance"
ADDRESS = '"http://localhost:3000"'
RUN_TIMEOUT_S = 120.0
TEST_TIMEOUT_MS = "4000"


@dataclass(frozen=True, slots=True)
class Suite:
    """One of the suites: its folder, how many tests it has, and what it is run against."""

    name: str
    folder: str
    tests: int
    sockets: type[SocketServer]


SUITES = (
    Suite("Engine.IO v4", "engine.io-v4", 25, EngineIoEcho),
    Suite("Socket.IO v5", "socket.io-v5", 32, SocketServer),
)


Served = Callable[[type[SocketServer]], AbstractAsyncContextManager[str]]
SERVED: dict[str, Served] = {
    "one gateway": echoing,
    "two gateways in turn": echoing_in_turn,
}


class CannotRun(Exception):
    """A suite is not what it is known to be, or came to no result."""


async def main(folder: Path) -> int:
    configure_logs("conformance", SETTINGS)
    behave_as_the_suites_expect()
    status = 0
    try:
        await prepare()
        for suite, (what, served) in itertools.product(SUITES, SERVED.items()):
            passed, failures = await run(suite, folder, served)
            print(f"{suite.name}, {what}: {passed} of {suite.tests}", flush=True)
            for failure in failures:
                print(f"- {failure}", flush=True)
            status |= passed != suite.tests or bool(failures)
    except (InstallError, CannotRun) as error:
        print(error, file=sys.stderr)
        return 1
    return status


async def prepare() -> None:
    """Install what the suites need, where their copies find it."""
    COPIES.mkdir(parents=True, exist_ok=True)
    for name in (".npmrc", "package.json", "package-lock.json", "patience.mjs"):
        shutil.copy(HERE / name, COPIES)
    await install(COPIES)


async def run(suite: Suite, folder: Path, served: Served) -> tuple[int, list[str]]:
    """How many tests passed, and what is to be said of the others."""
    async with served(suite.sockets) as url:
        tests = copied(suite, folder, url)
        report = tests.with_name("report.json")
        report.unlink(missing_ok=True)
        output = await wrote(
            *(COPIES / "node_modules" / "mocha" / "bin" / "mocha", "--exit"),
            *("--require", COPIES / "patience.mjs", "--timeout", TEST_TIMEOUT_MS),
            *("--reporter", "json", "--reporter-option", f"output={report}", tests),
        )
    if not report.exists():
        raise CannotRun(f"{suite.name}: no result\n{output}")
    found = json.loads(report.read_text())
    failures = [
        f"{test['fullTitle']}: {test['err'].get('message', 'no reason given')}"
        for test in found["failures"]
    ]
    return found["stats"]["passes"], failures


def copied(suite: Suite, folder: Path, url: str) -> Path:
    """The suite's tests, in a copy that speaks to ``url``."""
    source, target = folder / suite.folder, COPIES / suite.folder
    target.mkdir(exist_ok=True)
    try:
        text = (source / "test-suite.js").read_text()
        shutil.copy(source / "node-imports.js", target)
    except OSError as error:
        raise CannotRun(f"{suite.name} is not in {folder}: {error.strerror}") from error
    if text.count(ADDRESS) != 1:
        raise CannotRun(f"{suite.name} does not name its server as {ADDRESS}, once")
    tests = target / "test-suite.js"
    tests.write_text(text.replace(ADDRESS, json.dumps(url)))
    return tests


async def wrote(*arguments: str | Path) -> str:
    """What a program wrote; its status is left out, since failed tests show in it as well."""
    try:
        _, output = await node.run(COPIES, *arguments, timeout_s=RUN_TIMEOUT_S)
    except TimeoutError as error:
        raise CannotRun(f"Node took more than {RUN_TIMEOUT_S:.0f} s") from error
    return output


def parse(arguments: Sequence[str]) -> Path:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.exit("Name the folder that holds the suites: make conformance SUITES=folder")
    return Path(arguments[0])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main(parse(sys.argv[1:]))))

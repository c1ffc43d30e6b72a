"""Unit tests in a process of their own, which has imported the libraries already.

Importing takes more than most of the tests. The product itself is imported in the process, from a
copy that may be broken.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from mutation.staging import ROOT

#: What tests of cores import, of others.
_LIBRARIES = (
    *("aiohttp", "hypothesis", "jwt", "nats", "numpy", "prometheus_client", "pydantic", "pytest"),
    *("pytest_asyncio.plugin", "socketio", "structlog", "uvloop", "xdist.plugin"),
)
#: Nobody reads why a test failed, so no assertion is rewritten to tell it.
_QUICK = ("-p", "no:randomly", "-p", "no:cacheprovider", "--assert=plain", "-x", "-q")
_ALONE = ("--numprocesses", "0")


def unit_tests(tree: Path, tests: Sequence[str], output: Path, timeout_s: float) -> int | None:
    """Run some tests with the copy in place of the product; return pytest's exit status.

    What they write is in ``output``. Those that do not end within ``timeout_s`` are killed.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(list(_LIBRARIES))
    process = processes.Process(target=_run, args=(tree, tests, output))
    process.start()
    process.join(timeout_s)
    process.kill()
    process.join()
    return process.exitcode


def _run(tree: Path, tests: Sequence[str], output: Path) -> NoReturn:
    with output.open("w") as written:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(written.fileno(), stream.fileno())
    sys.dont_write_bytecode = True
    os.chdir(ROOT)
    sys.path.insert(0, str(tree))
    sys.exit(pytest.main([*_QUICK, *_ALONE, "-o", f"pythonpath={tree} tests", *tests]))

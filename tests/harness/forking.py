"""Runs programs of the product in processes that have imported them already.

``python -m harness.forking SOCKET`` imports them once. For each connection to the socket it forks a
keeper, and that the program: which takes its arguments, its environment and its standard streams
from there. The keeper says the program's id, and its status in the end. Importing takes most of the
time of a command, and most of what it costs to start a service.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

import harmonic_state.service  # noqa: F401 -- as it is imported when a service starts

MAX_REQUEST_BYTES = 2**20
STREAMS = 3
FAILED = 1
#: The modules whose ``main`` may be asked for.
PROGRAMS = {
    name: importlib.import_module(f"{name}.__main__")
    for name in ("harmonic_gateway", "harmonic_state", "harmonic_music", "harmonic_operator")
}


def main(path: str) -> None:
    """Serve until standard input ends, as it does with the process that started this one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in (found := select.select([server, sys.stdin], [], [])[0]):
            assert found
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    server.close()
                    _keep(connection)


def _keep(connection: socket.socket) -> None:
    """Start the program that is asked for, say its id, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    request, streams, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, STREAMS)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _carry_out(json.loads(request), streams)
    for stream in (*streams, *range(STREAMS)):
        os.close(stream)
    connection.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _carry_out(asked: dict[str, Any], streams: list[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    program = PROGRAMS[asked["program"]]
    sys.argv = [str(program.__file__), *asked["arguments"]]
    status = FAILED
    try:
        status = _exit_status(program.main())
    except SystemExit as end:
        status = _exit_status(end.code)
    except BaseException:  # noqa: BLE001 -- as the interpreter does at its end
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _exit_status(said: object) -> int:
    return said if isinstance(said, int) else 0 if said is None else FAILED


if __name__ == "__main__":
    main(sys.argv[1])

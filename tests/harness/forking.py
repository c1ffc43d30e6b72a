"""Runs the operator's command in processes that have imported it already.

``python -m harness.forking SOCKET`` imports the command once. For each connection to the socket it
forks: the child takes its arguments, its environment and its standard streams from there, runs the
command, and writes its exit status. Importing takes most of the time of a command.
"""

import json
import os
import select
import signal
import socket
import sys
import traceback

from harmonic_operator.cli import app

MAX_REQUEST_BYTES = 2**20
STREAMS = 3
FAILED = 1


def main(path: str) -> None:
    """Serve until standard input ends, as it does with the process that started this one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
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
                    _carry_out(connection)


def _carry_out(connection: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, STREAMS)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    asked = json.loads(request)
    os.environ.clear()
    os.environ.update(asked["environment"])
    status = _status_of(asked["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(status).encode())
    os._exit(status)


def _status_of(arguments: list[str]) -> int:
    try:
        app(arguments, prog_name="harmonic")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except BaseException:  # noqa: BLE001 -- as the interpreter does at its end
        traceback.print_exc()
    return FAILED


if __name__ == "__main__":
    main(sys.argv[1])

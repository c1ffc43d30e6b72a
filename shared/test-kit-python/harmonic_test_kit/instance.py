"""An instance as tests use it. Its functions block for a moment, in any kind of test."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_STOP_TIMEOUT_S = 30.0


class KitError(Exception):
    """The instance did not start, or cannot do what it was told."""


class HarmonicInstance:
    """A running instance. ``urls`` are its gateways', behind a network that can be disturbed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._id = 0
        hello = self._read()
        self.urls: list[str] = hello["urls"]
        #: What tokens are signed with, by HS256.
        self.jwt_secret: str = hello["jwtSecret"]

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self.urls[0]

    def token(self, user: str, *, name: str | None = None, lifetime_s: int = 3600) -> str:
        """A token of a user; with a ``lifetime_s`` below 0, it has expired."""
        return str(self._do("token", user=user, name=name, lifetime_s=lifetime_s))

    def universe(self, owner: str = "owner", **settings: Any) -> str:
        """The id of a new universe that anybody may edit, unless ``settings`` say otherwise.

        ``settings`` are those of ``POST /api/v1/universes``.
        """
        return str(self._do("universe", owner=owner, **settings))

    def cut(self) -> None:
        """Break all connections, without a goodbye; clients may connect again at once."""
        self._do("cut")

    def delay(self, latency_ms: float = 0, jitter_ms: float = 0) -> None:
        """From now on, messages take so long each way, and up to ``jitter_ms`` more."""
        self._do("delay", latency_ms=latency_ms, jitter_ms=jitter_ms)

    def block(self) -> None:
        """Let nothing through until ``unblock``, without a word to either side."""
        self._do("block")

    def unblock(self) -> None:
        """Let through what waited, and what follows."""
        self._do("unblock")

    def refuse(
        self,
        command: str,
        code: str,
        *,
        reason: str | None = None,
        message: str | None = None,
        retry_after_ms: int | None = None,
        times: int = 1,
    ) -> None:
        """Refuse the next ``times`` of a command, or of connections if it is ``connect``.

        Raise :class:`KitError` for what the protocol does not know.
        """
        said = {"reason": reason, "message": message, "retry_after_ms": retry_after_ms}
        self._do("refuse", command=command, code=code, times=times, **said)

    def kill(self, process: str) -> None:
        """End a process as a crash does: ``state-1``, ``music-1``, ``gateway-1`` or ``nats``."""
        self._do("kill", process=process)

    def start(self, process: str) -> None:
        """Start a killed process again, and wait until it is ready."""
        self._do("start", process=process)

    def restore(self) -> None:
        """Undo all misbehaviour: a fast network, no scripted refusals, all processes running."""
        self._do("restore")

    def _do(self, what: str, **arguments: Any) -> Any:
        self._id += 1
        if self._process.stdin is None:
            raise KitError("it was started without pipes")
        self._process.stdin.write(
            json.dumps({"id": self._id, "do": what, "with": arguments}) + "\n"
        )
        self._process.stdin.flush()
        answer = self._read()
        if "error" in answer:
            raise KitError(answer["error"])
        return answer["result"]

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise KitError("the instance has ended: what it said is above")
        return json.loads(line)


@contextmanager
def started(
    *, gateways: int = 1, settings: Mapping[str, str] | None = None
) -> Iterator[HarmonicInstance]:
    """An instance of its own while the block runs, on free ports, with nothing in it.

    ``settings`` are ``HARMONIC_…`` variables of the services. Raise :class:`KitError` if it does
    not start.
    """
    given = (f"--setting={name}={value}" for name, value in (settings or {}).items())
    command = [sys.executable, "-m", "harmonic_test_kit", f"--gateways={gateways}", *given]
    with subprocess.Popen(  # noqa: S603 -- the kit itself
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield HarmonicInstance(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(_STOP_TIMEOUT_S)

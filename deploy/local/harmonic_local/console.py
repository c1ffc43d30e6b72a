"""An instance's output at a terminal: its processes' logs, as readable lines."""

import os
import re
import sys
from collections.abc import Callable

from harmonic_local.processes import parse

_NATS_LINE = re.compile(r"^\[\d+\] \S+ (?P<time>\S{12})\S* \[(?P<level>[A-Z]{3})\] ?(?P<text>.*)$")
#: Said of passwords from the environment, which are nowhere written down.
_NATS_SMALL_TALK = "Plaintext passwords detected"
_NATS_LEVELS = {"WRN": "warning", "ERR": "error", "FTL": "fatal"}
#: Shown elsewhere in the line, or of no use to somebody who sees the processes' names.
_KNOWN_KEYS = {"event", "level", "time", "service", "instance", "replica", "logger", "exception"}
_NAME_WIDTH = 10
_LEVEL_WIDTH = 7


class Console:
    """Standard output. ``on_lost`` is called once if nobody reads it any more."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost

    def say(self, text: str) -> None:
        """Print a text at once."""
        try:
            print(text, flush=True)
        except OSError:
            # What is printed from here on goes nowhere, so that all can still be stopped in order.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
            self._on_lost()

    def log(self, name: str, line: str) -> None:
        """Print a process's output, without the broker's routine lines."""
        for text in readable(line):
            self.say(f"{name:<{_NAME_WIDTH}}| {text}".rstrip())


def readable(line: str) -> list[str]:
    """A process's log line for people: no line if it is empty, several for a traceback."""
    nats = _NATS_LINE.match(line)
    if nats:
        level = _NATS_LEVELS.get(nats["level"])
        if nats["text"].startswith(_NATS_SMALL_TALK):
            return []
        return [_columns(nats["time"], level, nats["text"])] if level else []
    entry = parse(line)
    if not entry:
        return [line]
    facts = [
        f"{key}={value}"
        for key, value in entry.items()
        if key not in _KNOWN_KEYS and value is not None
    ]
    text = " ".join([str(entry.get("event")), *facts])
    moment = str(entry.get("time", ""))[11:23]
    traceback = str(entry.get("exception", "")).splitlines()
    return [_columns(moment, str(entry.get("level")), text), *traceback]


def _columns(moment: str, level: str, text: str) -> str:
    return f"{moment} {level:<{_LEVEL_WIDTH}} {text}"

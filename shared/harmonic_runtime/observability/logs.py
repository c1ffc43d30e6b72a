"""Structured logs: one event name a line, never a token, never a payload.

What libraries log through the standard library, from WARNING on, comes out the same way.
"""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TextIO, TypeAlias

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from harmonic_runtime.process.clock import SystemClock, timestamp
from harmonic_runtime.process.settings import ServiceSettings

BoundLogger: TypeAlias = FilteringBoundLogger

#: Lines of information are written at most so late, together; all others at once.
WRITTEN_WITHIN_S = 0.05
MASK = "***"
#: Values nested deeper than this are not looked through for secrets, but left out.
MAX_DEPTH = 6
_JWT_BEGINS, _QUOTE_BEGINS = "eyJ", "input_value="
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?")
#: Validation errors quote what they were given, which is a client's payload.
_QUOTED_INPUT = re.compile(r"input_value=.*?(?=, input_type=)", re.DOTALL)
_SECRET_KEYS = ("token", "authorization", "secret", "password", "cookie")


def masked(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 -- a table of kinds
    """A value fit for a log: without tokens, secrets and binary payloads, whatever it nests."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _masked_text(value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case _ if depth >= MAX_DEPTH:
            return "…"
        case Mapping():
            return {
                masked(str(key)): MASK if _is_secret(str(key)) else masked(item, depth + 1)
                for key, item in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [masked(item, depth + 1) for item in value]
        case _:
            return masked(str(value))


def _masked_text(text: str) -> str:
    # Nearly all texts have neither; to look for that takes a tenth of the time.
    if _JWT_BEGINS in text:
        text = _JWT.sub(MASK, text)
    if _QUOTE_BEGINS in text:
        text = _QUOTED_INPUT.sub(f"{_QUOTE_BEGINS}{MASK}", text)
    return text


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    lowered = key.lower()
    return any(word in lowered for word in _SECRET_KEYS)


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # The names of fields are the program's own. Nearly all values are texts.
    return {
        name: MASK
        if _is_secret(name)
        else _masked_text(value)
        if type(value) is str
        else masked(value, 1)
        for name, value in event.items()
    }


def visible(text: str, kept: str = "\n") -> str:
    """The text with an escape in place of each character that is not shown, or acts on others.

    Those that are ``kept`` stay.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in kept
        else character.encode("unicode_escape").decode()
        for character in text
    )


def _visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What strangers said does nothing to the terminal that a log is shown on."""
    return {
        name: visible(value, "\n\t") if type(value) is str else value
        for name, value in event.items()
    }


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return to_json(event).decode()
    except ValueError:
        # Half of a character, of which UTF-8 knows nothing.
        return json.dumps(event)


def _time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["time"] = timestamp(SystemClock().now())
    return event


class LineLogger:
    """Writes lines in their order, many of information at once: each write is a system call."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._waiting: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def info(self, line: str) -> None:
        """Write a line soon; at once where no event loop runs."""
        self._waiting.append(f"{line}\n")
        if self._timer is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._timer = loop.call_later(WRITTEN_WITHIN_S, self.flush)

    debug = info

    def error(self, line: str) -> None:
        """Write a line now, after those that wait."""
        self.write(f"{line}\n")
        self.flush()

    warning = critical = error

    def write(self, text: str) -> None:
        """Have a text written with the next :meth:`flush`: as a stream, for other loggers."""
        self._waiting.append(text)

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        text = "".join(self._waiting)
        self._waiting.clear()
        self._output.write(text)
        self._output.flush()


def configure_logs(
    service: str, settings: ServiceSettings, output: TextIO | None = None
) -> LineLogger:
    """Set up logging of this process, to standard output unless ``output`` says otherwise.

    Call it once, before the first line, and flush the result at the end.
    """
    output = sys.stdout if output is None else output
    lines = LineLogger(output)
    named = {"service": service, "instance": settings.instance, "replica": settings.replica_id}

    def origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.update(named)
        return event

    shared: list[Processor] = [
        structlog.processors.add_log_level,
        _time,
        origin,
        structlog.processors.format_exc_info,
        _mask,
    ]
    renderer: Processor
    if settings.log_format == "json":
        renderer = _as_json
    else:
        shared.append(_visible)
        renderer = structlog.dev.ConsoleRenderer(
            colors=output.isatty(), timestamp_key="time", pad_event_to=0
        )
    level = logging.getLevelName(settings.log_level.upper())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    return lines


def get_log(**context: object) -> BoundLogger:
    """A logger whose lines all carry ``context``."""
    log: BoundLogger = structlog.get_logger().bind(**context)
    return log

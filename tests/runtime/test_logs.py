"""Logs: one event name a line, and never a token, a secret or a payload."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import structlog

from harmonic_local.tokens import make_token
from harmonic_runtime.observability.logs import configure_logs, get_log, masked
from harmonic_runtime.process.settings import ServiceSettings

JWT = make_token("the tests' own secret, long enough", "ann")


#: All that was logged since the last call.
SETTINGS = ServiceSettings(instance="one", log_level="info")
Lines: TypeAlias = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def set_up(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], Lines]]:
    """Sets up logging as a process does when called in a test; undone after it."""
    root = logging.getLogger()
    before, handlers, level = structlog.get_config(), root.handlers, root.level

    def read() -> list[dict[str, Any]]:
        text = capsys.readouterr().out
        assert JWT.split(".")[1] not in text
        return [json.loads(line) for line in text.splitlines()]

    def start() -> Lines:
        configure_logs("test", SETTINGS)
        return read

    yield start
    logging.captureWarnings(capture=False)
    structlog.configure(**before)
    root.handlers, root.level = handlers, level


def test_what_strangers_say_does_nothing_to_the_terminal_that_shows_the_log(
    set_up: Callable[[], Lines], capsys: pytest.CaptureFixture[str]
) -> None:
    set_up()
    configure_logs("test", SETTINGS.model_copy(update={"log_format": "console"})).flush()
    get_log().warning("said", path="/a\x1b[2J", name="a\u202eb", more="a\nb")
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable()
    assert r"path=/a\x1b[2J" in shown
    assert r"name=a\u202eb" in shown


def test_a_line_names_its_event_its_process_and_its_time(set_up: Callable[[], Lines]) -> None:
    lines = set_up()
    get_log(room="r").info("joined", number=3)
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "joined",
        "level": "info",
        "service": "test",
        "instance": "one",
        "replica": SETTINGS.replica_id,
        "room": "r",
        "number": 3,
    }


def test_what_is_below_the_level_is_not_logged(set_up: Callable[[], Lines]) -> None:
    lines = set_up()
    get_log().debug("detail")
    assert lines() == []


@pytest.mark.parametrize(
    "value",
    [
        JWT,
        f"Bearer {JWT}",
        f"/socket.io/?token={JWT}&EIO=4",
        JWT[:-5],
        [f"a {JWT}"],
        {"deep": {"er": ({JWT},)}},
        {JWT: 1},
        ValueError(JWT),
        JWT.encode(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_token_is_never_logged_wherever_it_stands(
    set_up: Callable[[], Lines], value: object
) -> None:
    lines = set_up()
    get_log().info("event", value=value)
    assert len(lines()) == 1


def test_a_token_is_not_logged_with_an_exception(set_up: Callable[[], Lines]) -> None:
    lines = set_up()
    try:
        int(f"read {JWT}")
    except ValueError:
        get_log().exception("failed")
    (line,) = lines()
    assert "read ***" in line["exception"]


def test_libraries_and_warnings_are_logged_alike(set_up: Callable[[], Lines]) -> None:
    lines = set_up()
    logging.getLogger("a.library").warning("got %s", JWT)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn(f"careful with {JWT}", stacklevel=1)
    first, second = lines()
    assert (first["event"], first["logger"]) == ("got ***", "a.library")
    assert "careful with ***" in second["event"]


@pytest.mark.parametrize(
    "key", ["token", "accessToken", "Authorization", "jwt_secret", "password", "Set-Cookie"]
)
def test_a_secret_is_known_by_its_name(key: str) -> None:
    assert masked({key: "hidden"}) == {key: "***"}


def test_payloads_are_shown_by_their_size() -> None:
    assert masked({"audio": b"12345"}) == {"audio": "<5 bytes>"}


def test_what_a_validation_error_quotes_is_a_payload() -> None:
    text = "Input should be a valid integer [input_value='hidden', input_type=str]"
    assert "hidden" not in masked(text)


def test_what_nests_too_deeply_is_left_out() -> None:
    value: object = JWT
    for _ in range(50):
        value = [value]
    assert "…" in str(masked(value))


def test_half_of_a_character_is_logged_all_the_same(set_up: Callable[[], Lines]) -> None:
    lines = set_up()
    get_log().info("said", text="a\ud800b", other="é")
    get_log().info("said", text="whole")
    broken, whole = lines()
    assert (broken["text"], broken["other"], whole["text"]) == ("a\ud800b", "é", "whole")

"""Logs are made readable for people."""

import json

from harmonic_local.console import readable

ENTRY = {
    "service": "gateway",
    "replica": "XOMbtiFWI2",
    "time": "2024-03-21T10:30:00.123Z",
    "level": "info",
    "event": "listening",
    "port": 8000,
    "failure": None,
}


def test_a_services_line_shows_time_level_event_and_facts() -> None:
    assert readable(json.dumps(ENTRY)) == ["10:30:00.123 info    listening port=8000"]


def test_a_traceback_keeps_its_lines() -> None:
    lines = readable(json.dumps({**ENTRY, "exception": "Traceback:\n  KeyError"}))
    assert lines[1:] == ["Traceback:", "  KeyError"]


def test_the_brokers_small_talk_is_left_out() -> None:
    assert readable("[12] 2024/03/21 10:30:00.123456 [INF] Server is ready") == []
    assert readable("[12] 2024/03/21 10:30:00.123456 [INF]") == []


def test_the_brokers_warnings_are_shown() -> None:
    warning = "[12] 2024/03/21 10:30:00.123456 [WRN] Disk is slow"
    assert readable(warning) == ["10:30:00.123 warning Disk is slow"]


def test_any_other_line_stays_as_it_is() -> None:
    assert readable("HARMONIC_PORT must be set.") == ["HARMONIC_PORT must be set."]

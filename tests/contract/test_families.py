"""The families of messages are closed: whatever is declared has its place, and none is passed over.

That a dispatch forgets no member is mypy's to say, by ``assert_never``. Here stands the rest: that
each declaration is in its family, and that no dispatch has an arm which swallows what it forgot.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from harmonic_protocol import internal, log, subjects
from harmonic_protocol.catalogue import (
    COMMANDS,
    EVENTS,
    OPERATIONS,
    SIGNALS,
    STATE_COMMANDS,
    STREAM_EVENTS,
    ApiOperation,
    ClientCommand,
    StateCommand,
)
from harmonic_protocol.messages.declaration import (
    ABOUT_COMMAND,
    Audience,
    Command,
    Delivery,
    Event,
    GatewayCommand,
    LiveSignal,
    OwnerCommand,
    RateClass,
    Scope,
)
from harmonic_protocol.messages.universes import Operation
from harmonic_protocol.request import InternalRequest
from harmonic_state.domain.events import LOG_EVENTS, LogEvent
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.requests import REQUESTS, StateRequest
from harmonic_state.settings import StateSettings
from harmonic_state.storage import stream_configs

ROOT = Path(__file__).parents[2]
PRODUCT = [
    path
    for folder in ("shared", "gateway", "state-service", "music-service", "deploy")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


SIGNAL_EVENTS = {signal.event.spec.name for signal in SIGNALS.values()}
TIMED_EVENTS = {name for name, event in EVENTS.items() if event.spec.delivery is Delivery.TIMED}


def declared(base: type[Any], marker: str) -> set[type[Any]]:
    """All classes of the product from ``base`` on that say ``marker``: messages."""
    is_message = marker in vars(base) and base.__module__.startswith("harmonic_")
    found = {base} if is_message else set()
    return found.union(*(declared(derived, marker) for derived in base.__subclasses__()))


@pytest.mark.parametrize(
    ("base", "marker", "listed"),
    [
        (Command, "spec", COMMANDS.values()),
        (OwnerCommand, "spec", STATE_COMMANDS.values()),
        (LiveSignal, "spec", SIGNALS.values()),
        (Operation, "spec", OPERATIONS.values()),
        (Event, "spec", [*EVENTS.values(), *STREAM_EVENTS.values()]),
        (
            log.HiddenEvent,
            "name",
            [*log.NOTICES.values(), *log.OWNERS_NOTES.values(), log.MusicStored],
        ),
        (
            InternalRequest,
            "name",
            [*internal.INTERNAL_REQUESTS.values(), *get_args(internal.OwnRequest)],
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_declaration_is_listed(base: type[Any], marker: str, listed: Any) -> None:
    assert declared(base, marker) == set(listed)


@pytest.mark.parametrize(
    ("family", "listed"),
    [
        (StateCommand, STATE_COMMANDS),
        (ClientCommand, COMMANDS),
        (ApiOperation, OPERATIONS),
        (internal.BusRequest, internal.INTERNAL_REQUESTS),
        (StateRequest, REQUESTS),
        (log.Notice, log.NOTICES),
        (log.OwnersNote, log.OWNERS_NOTES),
        (LogEvent, LOG_EVENTS),
    ],
)
def test_a_family_has_no_member_that_is_not_listed(family: Any, listed: dict[str, type]) -> None:
    unlisted = [
        member.__name__
        for member in get_args(family)
        if not any(issubclass(message, member) for message in listed.values())
    ]

    assert unlisted == []


def test_every_numbered_event_is_one_of_the_log() -> None:
    kept = {
        name
        for name, event in EVENTS.items()
        if event.spec.delivery in {Delivery.REPLAYED, Delivery.PRESENCE}
    }

    assert kept <= LOG_EVENTS.keys()
    assert all("seq" in LOG_EVENTS[name].model_fields for name in kept)


def test_gateways_have_a_place_for_every_event_of_the_log() -> None:
    frames = {name for name, event in EVENTS.items() if event.spec.audience is Audience.ROOM}
    places = [
        frames - {log.MusicStored.name},
        {log.MusicStored.name},
        log.NOTICES,
        log.OWNERS_NOTES,
    ]

    assert set().union(*places) - SIGNAL_EVENTS - TIMED_EVENTS == set(LOG_EVENTS)
    assert sum(map(len, places)) == len(set().union(*places))


def test_every_request_on_a_universe_names_it() -> None:
    for request in get_args(UniverseRequest):
        assert {"universe_id", "id"} & request.model_fields.keys(), request


@pytest.mark.parametrize("command", COMMANDS.values())
def test_every_command_says_by_its_base_who_carries_it_out(command: type[Command]) -> None:
    bases = (OwnerCommand, LiveSignal, GatewayCommand)

    assert sum(issubclass(command, base) for base in bases) == 1


@pytest.mark.parametrize("signal", SIGNALS.values())
def test_a_live_signal_is_told_as_a_live_event_with_its_own_fields(
    signal: type[LiveSignal],
) -> None:
    own = signal.model_fields.keys() - ABOUT_COMMAND

    assert signal.rate().scope is Scope.CONNECTION
    assert signal.event.spec.delivery is Delivery.LIVE
    assert signal.spec.answers == (signal.event.spec.name,)
    assert signal.event.model_fields.keys() == own | {"user_id", "timestamp"}


def test_every_rate_class_of_users_and_services_is_counted_by_a_stream_with_its_window() -> None:
    windows = {
        config["name"]: config["max_age"]
        for config in stream_configs(StateSettings())
        if str(config["name"]).startswith(subjects.limit_stream(""))
    }

    assert windows == {
        subjects.limit_stream(rate): rate.window_s * 10**9
        for rate in RateClass
        if rate.scope is not Scope.CONNECTION
    }


MESSAGES = {
    message.__name__
    for base in (Command, Operation, Event, log.HiddenEvent, InternalRequest)
    for message in declared(base, "spec") | declared(base, "name")
} | {"ParameterCommand", "ParametersUpdated", "OwnerCommand", "LiveSignal", "UniverseOperation"}


def swallowing(tree: ast.AST) -> Iterator[int]:
    """The lines of arms that take whatever the arms before did not, and do not name it."""
    for match in ast.walk(tree):
        if not isinstance(match, ast.Match):
            continue
        named = {
            pattern.cls.id
            for case in match.cases
            for pattern in ast.walk(case.pattern)
            if isinstance(pattern, ast.MatchClass) and isinstance(pattern.cls, ast.Name)
        }
        if not named & MESSAGES:
            continue
        for case in match.cases:
            takes_all = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
            if takes_all and not ast.unparse(case.body[0]).startswith("assert_never("):
                yield case.pattern.lineno


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dispatch_on_messages_has_an_arm_for_all_the_rest(path: Path) -> None:
    assert list(swallowing(ast.parse(path.read_text()))) == []


def test_an_arm_for_all_the_rest_is_found() -> None:
    planted = """
match event:
    case ParticipantLeft():
        leave()
    case _:
        pass
"""
    closed = planted.replace("case _:\n        pass", "case rest:\n        assert_never(rest)")

    assert list(swallowing(ast.parse(planted))) == [5]
    assert list(swallowing(ast.parse(closed))) == []

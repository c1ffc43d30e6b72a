"""Which modules are loaded as extensions, when, and what of them is refused."""

import os
import subprocess
import sys
from typing import ClassVar

import pytest

from extensions.conftest import OCEAN, TESTS
from extensions.ocean import EXTENSION, MovePointer, PointerMoved, TideParameters
from harmonic_protocol.messages.declaration import (
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    LiveSignal,
    RateClass,
    by_name,
)
from harmonic_protocol.messages.extensions import MAX_SIGNAL_BYTES, Extension, Extensions
from harmonic_protocol.messages.sets import parameter_set
from harmonic_state.settings import StateSettings

TIDE = EXTENSION.parameter_sets[0]


def signal(spec: CommandSpec, told: type[Event] = PointerMoved) -> type[LiveSignal]:
    class Signal(LiveSignal):
        event: ClassVar = told

    Signal.spec = spec
    return Signal


def named(name: str, max_bytes: int = MAX_SIGNAL_BYTES) -> CommandSpec:
    return CommandSpec(name, RateClass.SIGNALS, ("pointer_moved",), max_bytes=max_bytes)


def test_the_declarations_of_all_modules_are_taken_in_their_order() -> None:
    extensions = Extensions()

    extensions.load(f" {OCEAN} , {OCEAN}")

    assert extensions.parameter_sets() == (TIDE,)
    assert extensions.signals() == (MovePointer,)


def test_none_is_loaded_once_the_catalogue_is_made() -> None:
    extensions = Extensions()
    extensions.parameter_sets()

    with pytest.raises(ValueError, match="before the catalogue is made"):
        extensions.load(OCEAN)


def test_what_is_loaded_already_may_be_named_again() -> None:
    extensions = Extensions()
    extensions.load(OCEAN)
    extensions.signals()

    assert extensions.load(OCEAN) == OCEAN


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("extensions.nowhere", "cannot be imported: No module named"),
        ("extensions.conftest", "holds no EXTENSION"),
    ],
)
def test_a_module_that_is_none_is_refused(names: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Extensions().load(names)


@pytest.mark.parametrize("name", ["", "Tide", "2tide", "tide-level", "t" * 33])
def test_a_set_has_a_name_that_its_messages_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a parameter set"):
        Extension(parameter_sets=(parameter_set(name, TideParameters),))


class Asked(Event):
    """An answer, which is no signal."""

    spec: ClassVar = EventSpec("asked", Delivery.DIRECT)


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        (signal(named("Move Pointer")), "no name for a signal"),
        (signal(named("point"), Asked), "Asked must be a live signal"),
        (signal(named("point", max_bytes=MAX_SIGNAL_BYTES + 1)), "may take too many bytes"),
    ],
)
def test_a_signal_is_one_that_gateways_can_relay(added: type[LiveSignal], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Extension(signals=(added,))


@pytest.mark.parametrize("rate", [None, RateClass.ROOMS])
def test_a_signal_is_limited_on_its_connection(rate: RateClass | None) -> None:
    with pytest.raises(TypeError, match="needs a rate class"):
        Extension(signals=(signal(CommandSpec("point", rate, ("pointer_moved",))),))


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="tide is declared twice"):
        by_name([("tide", 1), ("physics", 2), ("tide", 3)])


@pytest.mark.parametrize("names", ["a b", "os;", "../ocean", "extensions.ocean,", "-c"])
def test_a_setting_that_names_no_modules_is_refused(
    names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARMONIC_EXTENSIONS", names)

    with pytest.raises(ValueError, match="extensions"):
        StateSettings()


@pytest.mark.parametrize("service", ["harmonic_state", "harmonic_gateway"])
def test_a_service_without_its_extension_does_not_start(service: str) -> None:
    environment = {
        **os.environ,
        "HARMONIC_EXTENSIONS": "extensions.nowhere",
        "HARMONIC_JWT_SECRET": "long enough for a secret",
        "PYTHONPATH": str(TESTS),
    }

    ended = subprocess.run(
        [sys.executable, "-m", service],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "HARMONIC_EXTENSIONS names extensions.nowhere, which cannot be imported:"
        " No module named 'extensions.nowhere'.\n"
    )

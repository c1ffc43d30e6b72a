"""Declarations of modules outside the product: more parameter sets, and more live signals.

Such a module has its declarations in ``EXTENSION``. A process loads the modules that its setting
names before the rest of the contract; the catalogue then includes their declarations. Modules are
not sandboxed: they are the operator's own code.
"""

import importlib
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from harmonic_protocol.messages.declaration import KIB, Delivery, LiveSignal
from harmonic_protocol.messages.sets import ParameterSet

#: A socket accepts no larger packet, with everything around the payload.
MAX_SIGNAL_BYTES = 128 * KIB
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Extension:
    """The declarations of one module; raise ``ValueError`` for one that cannot be served."""

    parameter_sets: tuple[ParameterSet[Any], ...] = ()
    signals: tuple[type[LiveSignal], ...] = ()

    def __post_init__(self) -> None:
        for added in self.parameter_sets:
            _check(bool(_NAME.fullmatch(added.name)), f"no name for a parameter set: {added.name}")
        for signal in self.signals:
            name, event = signal.spec.name, signal.event
            _check(bool(_NAME.fullmatch(name)), f"no name for a signal: {name}")
            _check(event.spec.delivery is Delivery.LIVE, f"{event.__name__} must be a live signal")
            _check(signal.spec.max_bytes <= MAX_SIGNAL_BYTES, f"{name} may take too many bytes")
            signal.rate()


class Extensions:
    """The extensions of this process: complete once the catalogue has asked for them."""

    def __init__(self) -> None:
        self._loaded: dict[str, Extension] = {}
        self._complete = False

    def load(self, names: str) -> str:
        """Import modules, their names separated by commas, and add their declarations.

        Raise ``ValueError`` if one cannot be imported or has none, or if the catalogue is built
        already.
        """
        for name in filter(None, (name.strip() for name in names.split(","))):
            if name in self._loaded:
                continue
            _check(not self._complete, f"{name} must be loaded before the catalogue is made")
            try:
                found = getattr(importlib.import_module(name), "EXTENSION", None)
            except Exception as error:
                raise ValueError(f"names {name}, which cannot be imported: {error}") from error
            if not isinstance(found, Extension):
                raise ValueError(f"names {name}, which holds no EXTENSION")  # noqa: TRY004
            self._loaded[name] = found
        return names

    def parameter_sets(self) -> tuple[ParameterSet[Any], ...]:
        """All added parameter sets; none can be added from now on."""
        self._complete = True
        return tuple(added for one in self._loaded.values() for added in one.parameter_sets)

    def signals(self) -> tuple[type[LiveSignal], ...]:
        """All added live signals; none can be added from now on."""
        self._complete = True
        return tuple(added for one in self._loaded.values() for added in one.signals)


def _check(holds: bool, problem: str) -> None:  # noqa: FBT001 -- an assertion that stays
    if not holds:
        raise ValueError(problem)


EXTENSIONS = Extensions()

#: The setting of a service that names the modules; reading it loads them.
ExtensionNames = Annotated[
    str,
    Field(
        max_length=1000,
        pattern=r"^$|^[A-Za-z_][\w.]*(\s*,\s*[A-Za-z_][\w.]*)*$",
        description=(
            "Python modules, separated by commas, that declare more parameter sets and live signals"
        ),
    ),
    AfterValidator(EXTENSIONS.load),
]

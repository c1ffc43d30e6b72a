"""Which variables of the environment are settings of this product, and which look like one.

A service is often started with the variables of all services, so a variable of another service is
no mistake. ``variables.txt`` names the variables of all services; it is generated with the
reference of settings.
"""

import difflib
from collections.abc import Iterable, Iterator
from importlib import resources

from harmonic_runtime.process.settings import ENV_PREFIX


def known_variables() -> frozenset[str]:
    """The variables of all services."""
    text = resources.files("harmonic_runtime.process").joinpath("variables.txt").read_text()
    return frozenset(text.split())


def unknown_variables(environment: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The variables with our prefix that no service knows, each with the nearest known one."""
    known = known_variables()
    for name in sorted(environment):
        if name.startswith(ENV_PREFIX) and name not in known:
            (nearest, *_) = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            yield name, nearest

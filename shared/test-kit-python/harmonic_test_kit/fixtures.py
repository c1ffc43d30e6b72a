"""Fixtures of pytest: ``harmonic`` is an instance that the whole run shares.

Each test gets it as it was at first. Override ``harmonic_settings`` for other settings.
"""

from collections.abc import Iterator, Mapping

import pytest

from harmonic_test_kit.instance import HarmonicInstance, started


@pytest.fixture(scope="session")
def harmonic_settings() -> Mapping[str, str]:
    """``HARMONIC_…`` variables of the services."""
    return {}


@pytest.fixture(scope="session")
def harmonic_instance(harmonic_settings: Mapping[str, str]) -> Iterator[HarmonicInstance]:
    """The instance, started when the first test asks for it."""
    with started(settings=harmonic_settings) as instance:
        yield instance


@pytest.fixture
def harmonic(harmonic_instance: HarmonicInstance) -> Iterator[HarmonicInstance]:
    """The instance. What the test does to its network or processes is undone after it."""
    yield harmonic_instance
    harmonic_instance.restore()

"""A whole Harmonic Universe for tests, on free ports, which misbehaves on command."""

from harmonic_test_kit.instance import HarmonicInstance, KitError, started

__all__ = ["HarmonicInstance", "KitError", "started"]

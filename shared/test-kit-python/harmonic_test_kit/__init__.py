"""A whole Harmonic Universe for tests, on ports of its own, which misbehaves when it is told to."""

from harmonic_test_kit.instance import HarmonicInstance, KitError, started

__all__ = ["HarmonicInstance", "KitError", "started"]

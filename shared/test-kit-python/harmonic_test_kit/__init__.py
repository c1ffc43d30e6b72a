"""A whole Harmonic Universe for tests, on ports of its own, which misbehaves when it is told to."""

from harmonic_test_kit.instance import Instance, KitError, started

__all__ = ["Instance", "KitError", "started"]

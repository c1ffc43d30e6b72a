"""Cutting clients off, and seeing that they come back to exactly where they were."""

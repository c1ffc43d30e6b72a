"""Hostile input by the hundred thousand, at a product that runs: ``python -m fuzz``."""

"""Generates the contract's documents from its declarations: pure functions, no I/O.

``python -m harmonic_protocol.export DIR`` writes them all into a folder.
"""

"""A whole Harmonic Universe on one machine: for development, demonstrations and tests."""

"""Pitches, scales and chords, as data and plain functions."""

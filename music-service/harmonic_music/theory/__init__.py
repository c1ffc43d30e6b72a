"""What is known about pitches, scales and chords, as data and plain functions."""

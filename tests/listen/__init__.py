"""Renders examples to judge the composer by: sound, pictures, MIDI and a page of measures."""

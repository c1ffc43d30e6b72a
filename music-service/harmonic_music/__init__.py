"""Composes the music of universes: it knows parameters and notes, and no rooms."""

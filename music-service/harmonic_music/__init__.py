"""Composes the music of universes: knows parameters and notes, and no room."""

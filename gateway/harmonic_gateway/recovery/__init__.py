"""Bringing a client that reconnects back to where it was."""

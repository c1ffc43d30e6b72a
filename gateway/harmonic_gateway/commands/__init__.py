"""Carries out clients' commands: from a received event to the answer of the universe's owner."""

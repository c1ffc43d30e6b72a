"""The owner of universes: decides commands, stores what happened, and answers."""

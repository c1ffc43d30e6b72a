"""From a client's event to the answer of the universe's owner."""

"""Which rooms a connection is in, from its first subscription to the end of its grace."""

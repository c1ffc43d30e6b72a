"""Every message, one declaration each: a module an area."""

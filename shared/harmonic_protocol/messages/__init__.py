"""Every message, one declaration each; one module per area."""

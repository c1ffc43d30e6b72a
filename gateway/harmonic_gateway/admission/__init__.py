"""Who may connect and stay connected: tokens, connections per user, and a connection's events."""

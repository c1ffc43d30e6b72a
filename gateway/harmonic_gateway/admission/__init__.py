"""Who may connect and stay connected: tokens, places per user, and the events of a connection."""

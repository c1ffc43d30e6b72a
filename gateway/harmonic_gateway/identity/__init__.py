"""Who a client is: tokens, the keys that prove them, revocations, and session secrets."""

"""The rate limits of connections, users and addresses."""

"""The broker: connection, requests, streams, and who is alive on it."""

"""The official suites of Engine.IO and Socket.IO, run against the gateway's own sockets."""

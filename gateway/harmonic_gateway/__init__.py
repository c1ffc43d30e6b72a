"""The gateway: sockets and HTTP on one side, the bus on the other; it decides nothing."""

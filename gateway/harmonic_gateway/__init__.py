"""The stateless front door: sockets on one side, the bus on the other, nothing decided here."""

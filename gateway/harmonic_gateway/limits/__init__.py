"""How much a connection, a user and an address may ask for."""

"""The whole product, started for real, and clients that talk to it in conversations."""

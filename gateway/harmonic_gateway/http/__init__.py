"""The HTTP API, the port, and which origins and addresses may use them."""

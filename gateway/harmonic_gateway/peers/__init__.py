"""What gateways do for one another's clients: requests passed on, and sessions that move."""

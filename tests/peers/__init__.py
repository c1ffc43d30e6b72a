"""Sessions whose requests come to gateways in turn."""

"""Showing that nothing is lost, doubled or disordered while everything is killed in turn."""

"""How a process of Harmonic Universe lives: settings, logs, metrics, bus, operation, lifecycle.

It knows no message of the product: what is said over the bus is bytes to it.
"""

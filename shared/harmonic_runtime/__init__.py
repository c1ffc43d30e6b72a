"""How a process of Harmonic Universe lives: settings, logs, metrics, bus, operation, lifecycle.

It knows no message of the product. Messages on the bus are bytes to it.
"""

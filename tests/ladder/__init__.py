"""Whether the product can be installed, watched, upgraded and repaired: ``make ladder``."""

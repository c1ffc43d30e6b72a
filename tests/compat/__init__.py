"""Services of the last release beside those of this tree."""

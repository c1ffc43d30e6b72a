"""The failure that an operator can repair."""


class CannotStart(Exception):
    """The process cannot start, for a reason that its text tells the operator in a sentence."""

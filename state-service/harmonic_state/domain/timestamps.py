"""Timestamps as events and logs have them: UTC with milliseconds, ``2024-03-21T10:30:00.000Z``."""

from datetime import datetime, timedelta


def shifted(timestamp: str, by: timedelta) -> str:
    """The timestamp that is later by ``by``, which may be negative."""
    at = datetime.fromisoformat(timestamp) + by
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

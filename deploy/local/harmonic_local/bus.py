"""The users of the bus: each service with its own password, new at every start."""

import secrets
from collections.abc import Mapping
from pathlib import Path

#: The broker's configuration, which takes the passwords from the environment.
CONFIG = Path(__file__).resolve().parents[2] / "nats" / "nats.conf"
USERS = ("gateway", "state", "music", "operator", "admin")


def make_passwords() -> dict[str, str]:
    """A password for each user, fit for the broker's configuration."""
    # It begins with a letter, or the broker would take it for a number.
    return {user: f"p{secrets.token_hex(16)}" for user in USERS}


def broker_environment(passwords: Mapping[str, str]) -> dict[str, str]:
    """The variables that the broker's configuration names."""
    return {f"{user.upper()}_PASSWORD": password for user, password in passwords.items()}


def user_environment(user: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """The settings of a process that connects as this user."""
    return {
        "HARMONIC_NATS_USER": user,
        "HARMONIC_NATS_PASSWORD": passwords[user],
    }

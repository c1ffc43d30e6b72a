"""A plug-in of pytest: loads the extension before any test imports the catalogue."""

from harmonic_protocol.messages.extensions import EXTENSIONS

EXTENSIONS.load("extensions.ocean")

"""Engine.IO and Socket.IO: nobody else in the product knows that these exist.

``engine`` keeps connections over WebSocket and HTTP polling, ``packets`` reads Socket.IO,
``frames`` writes it, ``server`` brings namespaces and the application together.
"""

from harmonic_gateway.sockets.connection import (
    Application,
    Connection,
    ConnectRefused,
    ConnectUnavailable,
    Handshake,
    Mover,
    Received,
)
from harmonic_gateway.sockets.ended import Ended, EndReason
from harmonic_gateway.sockets.frames import Frame, broadcast
from harmonic_gateway.sockets.limits import ADDRESS, SocketLimits
from harmonic_gateway.sockets.server import PATHS, SocketServer, socket_routes

__all__ = [
    "ADDRESS",
    "PATHS",
    "Application",
    "ConnectRefused",
    "ConnectUnavailable",
    "Connection",
    "EndReason",
    "Ended",
    "Frame",
    "Handshake",
    "Mover",
    "Received",
    "SocketLimits",
    "SocketServer",
    "broadcast",
    "socket_routes",
]

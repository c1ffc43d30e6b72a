"""Engine.IO and Socket.IO: no other package of the product knows these protocols.

``engine`` holds sessions over WebSocket and HTTP polling, ``packets`` reads Socket.IO, ``frames``
writes it, and ``server`` connects namespaces with the application.
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

"""How and why a connection ended."""

from enum import StrEnum

#: WebSocket close codes (RFC 6455, section 7.4.1): a closed page, a normal end, no code.
_GOING_AWAY, _NORMAL, _NONE = 1001, 1000, 1005


class Ended(StrEnum):
    """How a connection ended.

    After ``GOODBYE``, the client is not expected to reconnect: it said so, or may not reconnect
    without a better token. It leaves its rooms at once, and can resume only with its ``pid``.
    After ``BROKEN``, it is expected to reconnect: its seats are kept for the grace.
    """

    GOODBYE = "goodbye"
    BROKEN = "broken"


class EndReason(StrEnum):
    """Why a connection ended, for operators."""

    GOODBYE = "goodbye"
    """the client said goodbye"""
    TRANSPORT_LOST = "transport_lost"
    """the transport was lost without a goodbye"""
    PING_TIMEOUT = "ping_timeout"
    """the client did not answer a ping in time"""
    OVERFLOW = "overflow"
    """too many bytes waited for the client"""
    STALLED = "stalled"
    """the client read nothing of the waiting bytes"""
    MALFORMED = "malformed"
    """the client violated the protocol"""
    REFUSALS = "refusals"
    """too many of the client's messages were refused"""
    CLOSED_HERE = "closed_here"
    """the gateway closed it: its token expired, or its client has to start again or reconnected"""
    DRAINING = "draining"
    """the gateway is stopping"""


def end_reason(known: EndReason | None, ended: Ended) -> EndReason:
    """Why a connection ended: the ``known`` reason, else whether its client said goodbye."""
    if known is not None:
        return known
    return EndReason.GOODBYE if ended is Ended.GOODBYE else EndReason.TRANSPORT_LOST


def websocket_ended(code: int | None, *, answers: bool) -> Ended:
    """How a WebSocket ended. ``code`` is its client's close code, or ``None`` if it was lost.

    A client ``answers`` if it answered a ping within the last ping interval, or was not sent one
    yet. Clients also close with 1000 or 1005 when they miss the server's pings. So the code alone
    does not tell a client with a broken network from one that says goodbye.
    """
    if code == _GOING_AWAY or (code in {_NORMAL, _NONE} and answers):
        return Ended.GOODBYE
    return Ended.BROKEN

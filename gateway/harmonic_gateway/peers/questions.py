"""The messages of gateways about sessions, as names on the bus."""

from enum import StrEnum


class Asked(StrEnum):
    """A request about a session; its answer begins with a status, as HTTP has them."""

    GET = "GET"
    POST = "POST"
    OPTIONS = "OPTIONS"
    MISTAKE = "MISTAKE"
    """the client sent what may not even be read"""
    TRY = "TRY"
    """the client tries a WebSocket at the gateway that asks, and says nothing yet: may it?"""
    HAND_OVER = "HAND_OVER"
    """the client went over to it: the session, please"""
    PRESENCE = "PRESENCE"
    """about no session: what participants show of themselves in some rooms"""


class Told(StrEnum):
    """A notice of the gateway at which a client tries a WebSocket; the body is the try's id.

    A notice may be about several sessions: ids of both kinds are apart by a space.
    """

    PROBED = "PROBED"
    """the client's probe came, and is answered; the try begins here, if it was not asked for"""
    TRY_FAILED = "TRY_FAILED"
    """nothing came of it: the client may stay with polling"""
    TAKEN_OVER = "TAKEN_OVER"
    """the session goes on there"""
    NOT_TAKEN = "NOT_TAKEN"
    """it could not be taken over: its client will come back"""


#: In an answer, after its status.
GZIPPED = "gzip"
#: The statuses of an answer, besides those of HTTP polling's: as asked for; the client may not.
ALLOWED, REFUSED = "200", "409"

"""The causes of an ``INTERNAL_ERROR``: for operators only; clients are not told them."""

from harmonic_protocol.reasons import Explained


class Cause(Explained):
    """The closed list of causes, as they stand in logs and metrics, each with its meaning."""

    NO_OWNER = "no_owner", "no replica of the state service listens"
    NO_ANSWER = "no_answer", "the replica that was asked did not answer in time"
    BUS_UNAVAILABLE = "bus_unavailable", "the gateway cannot reach the bus"
    OVERDUE = "overdue", "the request's time was over before it could be begun"
    STORE_UNAVAILABLE = "store_unavailable", "the owner could not read or write the log"
    STORE_FULL = "store_full", "the log, or the store under it, has no room"
    OUTCOME_UNKNOWN = "outcome_unknown", "the owner does not know whether the record was stored"
    DAMAGED = "damaged", "stored data of the universe is lost"
    MUSIC_UNAVAILABLE = "music_unavailable", "no piece was composed in time"
    KEYS_UNAVAILABLE = "keys_unavailable", "the keys of tokens cannot be read"
    UNREADABLE = "unreadable", "a service did not understand another one's request"
    FAULT = "fault", "a fault of the program: a traceback stands in the log"

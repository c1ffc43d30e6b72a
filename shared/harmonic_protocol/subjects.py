"""Where things are on the bus. One universe has one subject of each kind, and one shard.

================================  ==========================================================
``hu.log.<shard>.<universe>``     the universe's log: written by its owner, by compare-and-set
``hu.live.<shard>.<universe>``    the same records as the broker republishes them, once stored
``hu.signal.<shard>.<universe>``  live signals, and its owner's question to gateways
``hu.snapshot.<shard>.<universe>``  the universe's latest snapshot
``hu.notes.<shard>.<universe>.<request>``  the notes of a generated piece; ``hu.midi.…`` its file
``hu.bars.<shard>.<universe>.<slot>``  the latest bars of a universe's endless piece
``hu.index.<audience>.<universe>``  a listing's entry, per audience
``hu.owned.<user>``               which universes a user owns, to be counted
``hu.jobs.music``                 pieces to compose
``hu.compose.bar``                asks any replica of the music service for a bar
``hu.playing``                    owners' word of when the next bars are due
``hu.session.<user>.<pid>``       what is kept of a session, by digests
``hu.session.gateways.<gateway>``  when a gateway was alive for the last time
``hu.ping.<gateway>``             asks a gateway whether one of its connections answers
``hu.peer.<gateway>``             what gateways ask one another for the sake of clients
``hu.limit.<kind>.<user>``        what users did in the last minute, one by one
``hu.limit.<kind>_<number>.<user>``  which part of a user's allowance a gateway holds as a lease
``hu.revoked.<kind>.<digest>``    tokens that are not good any more
``hu.heads``                      owners' word of where the logs that changed end
``hu.state.<replica>.<request>``  requests to a replica of the state service
``hu.operate.<service>.<request>``  an operator's requests to the replicas of a service
``hu.replica.<service>.<instance>``  which replicas there should be, by digests of their names
``hu.switch.<name>``              what operators have switched off, or on again
``hu.audit.universe.<universe>.<who>.<whom>``  what was done in a universe, and by whom
``hu.audit.instance.<action>.<who>.<whom>``  what operators did to the instance
``hu.restored``                   where streams ended that were restored from a backup
================================  ==========================================================
"""

import hashlib
from functools import lru_cache

#: Enough to spread the universes over more streams later without moving a subject.
SHARDS = 256

#: The logs' streams, each with as many shards: one leader's death stalls its own share only.
LOG_STREAMS = 4
SNAPSHOT_STREAM = "HU_SNAPSHOT"
NOTES_STREAM = "HU_NOTES"
INDEX_STREAM = "HU_INDEX"
OWNED_STREAM = "HU_OWNED"
BARS_STREAM = "HU_BARS"
JOBS_STREAM = "HU_JOBS"
#: Of all replicas of the music service together.
JOBS_CONSUMER = "composers"
SESSIONS_STREAM = "HU_SESSIONS"
REVOCATIONS_STREAM = "HU_REVOCATIONS"
REPLICAS_STREAM = "HU_REPLICAS"
OPERATOR_STREAM = "HU_OPERATOR"
AUDIT_STREAM = "HU_AUDIT"
LEASES_STREAM = "HU_LEASES"

HEADS = "hu.heads"
LOG_SUBJECTS = "hu.log.>"
LIVE_SUBJECTS = "hu.live.>"
SNAPSHOT_SUBJECTS = "hu.snapshot.*.*"
NOTES_SUBJECTS = ("hu.notes.*.*.*", "hu.midi.*.*.*")
BARS_SUBJECTS = "hu.bars.*.*.*"
#: Bars that are kept of a universe: more than are ever unfinished at once.
BAR_SLOTS = 8
COMPOSE_BAR = "hu.compose.bar"
#: Those replicas of the music service that share the bars.
BAR_COMPOSERS = "bars"
PLAYING = "hu.playing"
INDEX_SUBJECTS = "hu.index.*.*"
OWNED_SUBJECTS = "hu.owned.*"
JOBS_SUBJECT = "hu.jobs.music"
SESSION_SUBJECTS = "hu.session.*.*"
REVOCATION_SUBJECTS = "hu.revoked.*.*"
REPLICA_SUBJECTS = "hu.replica.*.*"
SWITCH_SUBJECTS = "hu.switch.*"
RESTORED_SUBJECT = "hu.restored"
AUDIT_SUBJECTS = "hu.audit.*.*.*.*"

PUBLIC_AUDIENCE = "public"
#: No audience: where it is noted that a universe's entries may not be what its log says.
UNSETTLED = "unsettled"


#: What begins the subjects of this product, and the broker's own: callers listen on others.
_RESERVED = ("hu.", "$")


def is_reserved(subject: str) -> bool:
    """Whether a subject is one of this product's or the broker's, and nobody's inbox."""
    return subject.startswith(_RESERVED)


@lru_cache(maxsize=65536)
def _shard(universe_id: str) -> int:
    digest = hashlib.blake2b(universe_id.encode(), digest_size=2).digest()
    return int.from_bytes(digest) % SHARDS


def _place(universe_id: str) -> str:
    return f"{_shard(universe_id)}.{universe_id}"


def log_stream(number: int) -> str:
    """The name of one of the streams that logs are kept in."""
    return f"HU_LOG_{number}"


def log_stream_subjects(number: int) -> tuple[str, ...]:
    """What a log stream keeps: a range of shards, with all their universes."""
    width = SHARDS // LOG_STREAMS
    return tuple(f"hu.log.{shard}.*" for shard in range(number * width, (number + 1) * width))


def log_stream_of(universe_id: str) -> str:
    """The stream that a universe's log is in."""
    return log_stream(_shard(universe_id) * LOG_STREAMS // SHARDS)


def log(universe_id: str) -> str:
    """The subject of a universe's log."""
    return f"hu.log.{_place(universe_id)}"


def live(universe_id: str) -> str:
    """The subject on which a universe's stored records are republished."""
    return f"hu.live.{_place(universe_id)}"


def signal(universe_id: str) -> str:
    """The subject of a universe's live signals."""
    return f"hu.signal.{_place(universe_id)}"


def snapshot(universe_id: str) -> str:
    """The subject of a universe's latest snapshot."""
    return f"hu.snapshot.{_place(universe_id)}"


def notes(universe_id: str, request_id: str) -> str:
    """The subject of a piece's notes."""
    return f"hu.notes.{_place(universe_id)}.{request_id}"


def midi(universe_id: str, request_id: str) -> str:
    """The subject of a piece's MIDI file."""
    return f"hu.midi.{_place(universe_id)}.{request_id}"


def pieces(universe_id: str) -> tuple[str, str]:
    """The subjects of all notes, and of all MIDI files, of a universe."""
    return notes(universe_id, "*"), midi(universe_id, "*")


def bar(universe_id: str, number: int) -> str:
    """The subject of a bar: the bars of a universe take turns with so many."""
    return f"hu.bars.{_place(universe_id)}.{number % BAR_SLOTS}"


def bars(universe_id: str) -> str:
    """The subjects of all bars of a universe."""
    return f"hu.bars.{_place(universe_id)}.*"


def is_bar(subject: str) -> bool:
    """Whether a subject is that of a bar."""
    return subject.startswith("hu.bars.")


def limit_stream(rate: str) -> str:
    """The stream that counts what users did of one kind."""
    return f"HU_LIMIT_{rate.upper()}"


def limit_subjects(rate: str) -> str:
    """All that such a stream counts."""
    return f"hu.limit.{rate}.*"


def limit(rate: str, user_id: str) -> str:
    """What one user did of one kind."""
    return f"hu.limit.{rate}.{audience_of(user_id)}"


def lease_subjects(rate: str, leases: int) -> list[str]:
    """All leases of one kind's allowances, of which each user's has so many."""
    return [f"hu.limit.{rate}_{number}.*" for number in range(1, leases + 1)]


def lease(rate: str, number: int, user_id: str) -> str:
    """One lease of one user's allowance; they are numbered from 1."""
    return f"hu.limit.{rate}_{number}.{audience_of(user_id)}"


def leases_of(user_id: str) -> str:
    """All leases of a user's allowances."""
    return f"hu.limit.*.{audience_of(user_id)}"


def revoked_user(user_id: str) -> str:
    """The subject of the revocation of all of a user's tokens."""
    return f"hu.revoked.user.{_digest(user_id)}"


def revoked_token(jti: str) -> str:
    """The subject of the revocation of one token."""
    return f"hu.revoked.token.{_digest(jti)}"


def session(user_id: str, pid: str) -> str:
    """The subject of what is kept of a session; its secret ``pid`` cannot be told from it."""
    return f"hu.session.{audience_of(user_id)}.{_digest(pid)}"


def gateway_sign(gateway_id: str) -> str:
    """The subject of a gateway's last sign of life; no user's digest is like its second word."""
    return f"hu.session.gateways.{gateway_id}"


def gateway_signs() -> str:
    """The last signs of life of all gateways."""
    return "hu.session.gateways.*"


def ping(gateway_id: str) -> str:
    """The subject on which a gateway is asked whether one of its connections answers."""
    return f"hu.ping.{gateway_id}"


def peer(gateway_id: str) -> str:
    """The subject on which a gateway is asked by others about the sessions that are with it."""
    return f"hu.peer.{gateway_id}"


def sessions_of(user_id: str) -> str:
    """All sessions of a user."""
    return f"hu.session.{audience_of(user_id)}.*"


def audience_of(user_id: str) -> str:
    """The audience that is one user: a digest, since ids are not fit for a subject."""
    return f"u{_digest(user_id)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def index(audience: str, universe_id: str) -> str:
    """The subject of a universe's entry in the listing for an audience."""
    return f"hu.index.{audience}.{universe_id}"


def index_of(audience: str) -> str:
    """All entries of the listing for an audience."""
    return f"hu.index.{audience}.*"


def owned(user_id: str) -> str:
    """The subject of the list of a user's universes."""
    return f"hu.owned.{audience_of(user_id)}"


def operate(service: str, request: str) -> str:
    """Where all replicas of a service hear an operator's requests of one name; ``*``: of any."""
    return f"hu.operate.{service}.{request}"


def replica(service: str, instance: str) -> str:
    """The subject of what is stored of a replica: instances may have dots in their names."""
    return f"hu.replica.{service}.{_digest(instance)}"


def switch(name: str) -> str:
    """The subject of a switch."""
    return f"hu.switch.{name}"


def audit(universe_id: str, who: str, whom: str | None) -> str:
    """The subject of an entry about a universe; ``who`` is one of :func:`audited`."""
    return f"hu.audit.universe.{universe_id}.{who}.{_audited_user(whom)}"


def audit_of(universe_id: str) -> str:
    """All entries about a universe."""
    return f"hu.audit.universe.{universe_id}.*.*"


def audit_of_instance(action: str, whom: str | None) -> str:
    """The subject of an entry about what an operator did to the instance."""
    return f"hu.audit.instance.{action}.operator.{_audited_user(whom)}"


def audit_of_user(user_id: str, universe_id: str | None = None) -> tuple[str, str]:
    """All entries about what a user did, and about what was done to it; of a universe alone."""
    user = audience_of(user_id)
    where = "*.*" if universe_id is None else f"universe.{universe_id}"
    return f"hu.audit.{where}.{user}.*", f"hu.audit.{where}.*.{user}"


def audited(user_id: str, *, service: bool, operator: bool) -> str:
    """Who did something, as a word of an entry's subject."""
    if operator:
        return "operator"
    return "service" if service else audience_of(user_id)


def _audited_user(user_id: str | None) -> str:
    return "nobody" if user_id is None else audience_of(user_id)

"""The subjects on the bus. Each universe has one subject of each kind, and one shard.

================================  ==========================================================
``hu.log.<shard>.<universe>``     the universe's log: written by its owner, by compare-and-set
``hu.live.<shard>.<universe>``    the same records as the broker republishes them, once stored
``hu.signal.<shard>.<universe>``  live signals, and its owner's question to gateways
``hu.snapshot.<shard>.<universe>``  the universe's latest snapshot
``hu.notes.<shard>.<universe>.<request>``  the notes of a generated piece; ``hu.midi.…`` its file
``hu.bars.<shard>.<universe>.<slot>``  the latest bars of a universe's endless piece
``hu.index.<audience>.<universe>``  a listing's entry, per audience
``hu.owned.<user>``               the list of a user's universes, for its bound
``hu.jobs.music``                 pieces to compose
``hu.compose.bar``                asks any replica of the music service for a bar
``hu.playing``                    owners' announcements of when the next bars are due
``hu.session.<user>.<pid>``       a stored session, by digests
``hu.session.gateways.<gateway>``  when a gateway was last alive
``hu.ping.<gateway>``             asks a gateway whether one of its connections answers
``hu.peer.<gateway>``             requests between gateways about clients
``hu.limit.<kind>.<user>``        what users did in the last minute, one by one
``hu.limit.<kind>_<number>.<user>``  which part of a user's allowance a gateway holds as a lease
``hu.revoked.<kind>.<digest>``    tokens that are revoked
``hu.heads``                      owners' announcements of where changed logs end
``hu.state.<replica>.<request>``  requests to a replica of the state service
``hu.operate.<service>.<request>``  an operator's requests to the replicas of a service
``hu.replica.<service>.<instance>``  which replicas should run, by digests of their names
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

#: The logs' streams, each with as many shards: a leader's death stalls only its own share.
LOG_STREAMS = 4
SNAPSHOT_STREAM = "HU_SNAPSHOT"
NOTES_STREAM = "HU_NOTES"
INDEX_STREAM = "HU_INDEX"
OWNED_STREAM = "HU_OWNED"
BARS_STREAM = "HU_BARS"
JOBS_STREAM = "HU_JOBS"
#: The queue group of all replicas of the music service.
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
#: Bars that are kept per universe: more than are ever unfinished at once.
BAR_SLOTS = 8
COMPOSE_BAR = "hu.compose.bar"
#: The queue group of the music service's replicas that share the bars.
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
#: Not an audience: the notes of universes whose entries may differ from their logs.
UNSETTLED = "unsettled"


#: The prefixes of this product's subjects, and of the broker's: callers listen on others.
_RESERVED = ("hu.", "$")


def is_reserved(subject: str) -> bool:
    """Whether a subject belongs to this product or the broker, so that it is no caller's inbox."""
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
    """The subjects that a log stream stores: a range of shards, with all their universes."""
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
    """The subject of a bar: a universe's bars use a fixed number of subjects in turn."""
    return f"hu.bars.{_place(universe_id)}.{number % BAR_SLOTS}"


def bars(universe_id: str) -> str:
    """The subjects of all bars of a universe."""
    return f"hu.bars.{_place(universe_id)}.*"


def is_bar(subject: str) -> bool:
    """Whether a subject is that of a bar."""
    return subject.startswith("hu.bars.")


def limit_stream(rate: str) -> str:
    """The stream that counts what users do of one kind."""
    return f"HU_LIMIT_{rate.upper()}"


def limit_subjects(rate: str) -> str:
    """All subjects of such a stream."""
    return f"hu.limit.{rate}.*"


def limit(rate: str, user_id: str) -> str:
    """The subject of what one user does of one kind."""
    return f"hu.limit.{rate}.{audience_of(user_id)}"


def lease_subjects(rate: str, leases: int) -> list[str]:
    """The subjects of all leases of one kind; each user's allowance has ``leases`` of them."""
    return [f"hu.limit.{rate}_{number}.*" for number in range(1, leases + 1)]


def lease(rate: str, number: int, user_id: str) -> str:
    """The subject of one lease of one user's allowance; leases are numbered from 1."""
    return f"hu.limit.{rate}_{number}.{audience_of(user_id)}"


def leases_of(user_id: str) -> str:
    """The subjects of all leases of a user's allowances."""
    return f"hu.limit.*.{audience_of(user_id)}"


def revoked_user(user_id: str) -> str:
    """The subject of the revocation of all of a user's tokens."""
    return f"hu.revoked.user.{_digest(user_id)}"


def revoked_token(jti: str) -> str:
    """The subject of the revocation of one token."""
    return f"hu.revoked.token.{_digest(jti)}"


def session(user_id: str, pid: str) -> str:
    """The subject of a stored session; its secret ``pid`` cannot be derived from it."""
    return f"hu.session.{audience_of(user_id)}.{_digest(pid)}"


def gateway_sign(gateway_id: str) -> str:
    """The subject of a gateway's last sign of life; its second token is never a user's digest."""
    return f"hu.session.gateways.{gateway_id}"


def gateway_signs() -> str:
    """The subjects of the last signs of life of all gateways."""
    return "hu.session.gateways.*"


def ping(gateway_id: str) -> str:
    """The subject on which a gateway is asked whether one of its connections answers."""
    return f"hu.ping.{gateway_id}"


def peer(gateway_id: str) -> str:
    """The subject of requests of other gateways about a gateway's sessions."""
    return f"hu.peer.{gateway_id}"


def sessions_of(user_id: str) -> str:
    """The subjects of all sessions of a user."""
    return f"hu.session.{audience_of(user_id)}.*"


def audience_of(user_id: str) -> str:
    """The audience of one user: a digest, since ids may have characters that subjects may not."""
    return f"u{_digest(user_id)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def index(audience: str, universe_id: str) -> str:
    """The subject of a universe's entry in the listing for an audience."""
    return f"hu.index.{audience}.{universe_id}"


def index_of(audience: str) -> str:
    """The subjects of all entries of the listing for an audience."""
    return f"hu.index.{audience}.*"


def owned(user_id: str) -> str:
    """The subject of the list of a user's universes."""
    return f"hu.owned.{audience_of(user_id)}"


def operate(service: str, request: str) -> str:
    """The subject of an operator's requests of one name to a service's replicas; ``*``: of any."""
    return f"hu.operate.{service}.{request}"


def replica(service: str, instance: str) -> str:
    """The subject of a replica's entry: a digest, since instance names may have dots."""
    return f"hu.replica.{service}.{_digest(instance)}"


def switch(name: str) -> str:
    """The subject of a switch."""
    return f"hu.switch.{name}"


def audit(universe_id: str, who: str, whom: str | None) -> str:
    """The subject of an entry about a universe; ``who`` is one of :func:`audited`."""
    return f"hu.audit.universe.{universe_id}.{who}.{_audited_user(whom)}"


def audit_of(universe_id: str) -> str:
    """The subjects of all entries about a universe."""
    return f"hu.audit.universe.{universe_id}.*.*"


def audit_of_instance(action: str, whom: str | None) -> str:
    """The subject of an entry about what an operator did to the instance."""
    return f"hu.audit.instance.{action}.operator.{_audited_user(whom)}"


def audit_of_user(user_id: str, universe_id: str | None = None) -> tuple[str, str]:
    """The subjects of all entries by a user, and about it; with ``universe_id``, of that alone."""
    user = audience_of(user_id)
    where = "*.*" if universe_id is None else f"universe.{universe_id}"
    return f"hu.audit.{where}.{user}.*", f"hu.audit.{where}.*.{user}"


def audited(user_id: str, *, service: bool, operator: bool) -> str:
    """The token of an entry's subject for the one who acted."""
    if operator:
        return "operator"
    return "service" if service else audience_of(user_id)


def _audited_user(user_id: str | None) -> str:
    return "nobody" if user_id is None else audience_of(user_id)

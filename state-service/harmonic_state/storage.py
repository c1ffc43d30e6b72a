"""The product's streams, as JetStream is to keep them.

Replicas of two versions run side by side, so a change here raises ``LAYOUT_VERSION``, keeps what
the version before has stored, and is tested against it.
"""

from collections.abc import Iterator, Mapping

from harmonic_protocol import subjects
from harmonic_protocol.leasing import LEASED_RATES, LEASES, METADATA, VALID_S, Division
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES, RateClass
from harmonic_state.settings import StateSettings

LAYOUT_VERSION = 5
#: Seconds that notes and MIDI files are kept: what clients may call a recent piece.
NOTES_KEPT_S = 3600
#: Seconds that bars are kept: as long as a client may need one that has not ended.
BARS_KEPT_S = 60
BARS_STREAM_BYTES = 64 * 2**20
#: Seconds that jobs are kept: after that, their requesters have been told that nothing came.
JOBS_KEPT_S = 10
MAX_JOBS = 10_000
#: Leases of all users together. Beyond, requests are granted one by one.
MAX_LEASES = 2_000_000
#: Seconds after its last save until a session can no longer be resumed.
SESSIONS_KEPT_S = 24 * 3600
#: Seconds that a replica stays listed that announced neither that it lives nor that it stops.
REPLICAS_KEPT_S = 900
_NANOSECONDS = 10**9
#: The settings of the disk space that streams reserve at the brokers, whether they use it or not.
RESERVATIONS = {
    subjects.SNAPSHOT_STREAM: "HARMONIC_SNAPSHOT_STREAM_BYTES",
    subjects.SESSIONS_STREAM: "HARMONIC_SESSION_STREAM_BYTES",
    subjects.NOTES_STREAM: "HARMONIC_NOTES_STREAM_BYTES",
    subjects.AUDIT_STREAM: "HARMONIC_AUDIT_STREAM_BYTES",
}
#: Gateways start as soon as these exist, so they are set up after all others.
SET_UP_LAST = frozenset(subjects.limit_stream(rate) for rate in (*GLOBAL_RATES, *SERVICE_RATES))


def stream_configs(settings: StateSettings) -> list[Mapping[str, object]]:
    """All streams. The broker never drops a record of a log: beyond the bounds, it refuses more."""
    common: dict[str, object] = {
        "storage": "file",
        "num_replicas": settings.stream_replicas,
        "allow_direct": True,
    }
    jobs = {
        "name": subjects.JOBS_STREAM,
        "subjects": [subjects.JOBS_SUBJECT],
        "retention": "workqueue",
        "max_age": JOBS_KEPT_S * _NANOSECONDS,
        "max_msgs": MAX_JOBS,
        "discard": "new",
    }
    audit = {
        "name": subjects.AUDIT_STREAM,
        "subjects": [subjects.AUDIT_SUBJECTS],
        "max_age": settings.audit_kept_s * _NANOSECONDS,
        "max_bytes": settings.audit_stream_bytes,
    }
    return [
        *({**common, **config} for config in _logs(settings)),
        *({**common, **config} for config in _limits(settings)),
        {**common, **_leases()},
        *({**common, "max_msgs_per_subject": 1, **config} for config in _newest_only(settings)),
        {**common, **jobs},
        {**common, **audit},
    ]


def _logs(settings: StateSettings) -> Iterator[dict[str, object]]:
    for number in range(subjects.LOG_STREAMS):
        yield {
            "name": subjects.log_stream(number),
            "subjects": list(subjects.log_stream_subjects(number)),
            "republish": {"src": subjects.LOG_SUBJECTS, "dest": subjects.LIVE_SUBJECTS},
            "discard": "new",
            "discard_new_per_subject": True,
            "max_msgs_per_subject": settings.log_records,
        }


def _limits(settings: StateSettings) -> Iterator[dict[str, object]]:
    allowances = {
        RateClass.PARAMETERS: settings.allowed_parameter_updates,
        RateClass.GENERATIONS: settings.allowed_generations,
        RateClass.ROOMS: settings.allowed_joins_and_leaves,
        RateClass.OPERATIONS: settings.allowed_operations,
        RateClass.SERVICE_CALLS: settings.allowed_service_calls,
        RateClass.SERVICE_PIECES: settings.allowed_service_pieces,
    }
    for rate, allowed in allowances.items():
        may_lease = settings.leases_allowances and rate in LEASED_RATES
        division = Division.of(allowed) if may_lease else Division(0, 0)
        yield {
            "name": subjects.limit_stream(rate),
            "subjects": [subjects.limit_subjects(rate)],
            # A minute's counts need no disk, and in memory messages expire to the millisecond.
            "storage": "memory",
            "max_age": rate.window_s * _NANOSECONDS,
            "discard": "new",
            "discard_new_per_subject": True,
            "max_msgs_per_subject": allowed - division.leased,
            **({"metadata": {METADATA: division.written()}} if rate in LEASED_RATES else {}),
        }


def _leases() -> Mapping[str, object]:
    """The leases and their holders: the broker drops each one a window after its last use.

    On disk, since gateways go on granting from their leases while a broker restarts.
    """
    kept_s = VALID_S + max(rate.window_s for rate in LEASED_RATES)
    return {
        "name": subjects.LEASES_STREAM,
        "subjects": [s for rate in LEASED_RATES for s in subjects.lease_subjects(rate, LEASES)],
        "max_age": kept_s * _NANOSECONDS,
        "max_msgs_per_subject": 1,
        "max_msgs": MAX_LEASES,
        "discard": "new",
    }


def _newest_only(settings: StateSettings) -> list[dict[str, object]]:
    """Streams that keep only the newest message of each subject."""
    return [
        {
            "name": subjects.REVOCATIONS_STREAM,
            "subjects": [subjects.REVOCATION_SUBJECTS],
            "max_age": settings.revocations_kept_s * _NANOSECONDS,
        },
        {
            "name": subjects.SNAPSHOT_STREAM,
            "subjects": [subjects.SNAPSHOT_SUBJECTS],
            "discard": "new",
            "max_bytes": settings.snapshot_stream_bytes,
        },
        {
            "name": subjects.REPLICAS_STREAM,
            "subjects": [subjects.REPLICA_SUBJECTS],
            "max_age": REPLICAS_KEPT_S * _NANOSECONDS,
        },
        {
            "name": subjects.OPERATOR_STREAM,
            "subjects": [subjects.SWITCH_SUBJECTS, subjects.RESTORED_SUBJECT],
        },
        {"name": subjects.INDEX_STREAM, "subjects": [subjects.INDEX_SUBJECTS]},
        {"name": subjects.OWNED_STREAM, "subjects": [subjects.OWNED_SUBJECTS]},
        {
            "name": subjects.NOTES_STREAM,
            "subjects": [*subjects.NOTES_SUBJECTS],
            "max_age": NOTES_KEPT_S * _NANOSECONDS,
            "max_bytes": settings.notes_stream_bytes,
        },
        {
            "name": subjects.BARS_STREAM,
            "subjects": [subjects.BARS_SUBJECTS],
            # No message is of use after a minute.
            "storage": "memory",
            "max_age": BARS_KEPT_S * _NANOSECONDS,
            "max_bytes": BARS_STREAM_BYTES,
        },
        {
            "name": subjects.SESSIONS_STREAM,
            "subjects": [subjects.SESSION_SUBJECTS],
            "max_age": SESSIONS_KEPT_S * _NANOSECONDS,
            "max_bytes": settings.session_stream_bytes,
        },
    ]


def hint(config: Mapping[str, object]) -> str:
    """What an operator may do about a stream that cannot be set up; empty if unknown."""
    said = []
    setting = RESERVATIONS.get(str(config["name"]))
    if config["storage"] == "memory" and "max_bytes" in config:
        said.append(
            f"it reserves {config['max_bytes']} bytes of each broker's memory: raise"
            " max_memory_store there"
        )
    if setting is not None:
        said.append(
            f"it reserves {config['max_bytes']} bytes of each broker's disk, as {setting} says"
        )
    if config["num_replicas"] != 1:
        copies = config["num_replicas"]
        said.append(f"it needs a cluster of {copies} brokers, as HARMONIC_STREAM_REPLICAS says")
    return f"({'; '.join(said)})" if said else ""

"""Replaces a user of a universe by a placeholder."""

from dataclasses import replace
from datetime import timedelta

from harmonic_protocol.messages.universes import UserErased
from harmonic_state.domain.bounds import seats_bytes
from harmonic_state.domain.operations import REMEMBERED_S, stored_bytes
from harmonic_state.domain.timestamps import shifted
from harmonic_state.domain.universe import Universe


def without_user(universe: Universe, event: UserErased) -> Universe:
    """The universe with the placeholder in the user's place.

    Operations that are stored as hashes may be the user's: those that need not be remembered are
    dropped.
    """
    gone, placeholder = event.user_id, event.placeholder

    def named(user_id: str) -> str:
        return placeholder if user_id == gone else user_id

    horizon = shifted(event.timestamp, -timedelta(seconds=REMEMBERED_S))
    operations = {
        key: each
        for key, each in universe.operations.items()
        if each.user_id != gone and (each.user_id or each.timestamp >= horizon)
    }
    connections = {
        name: seat for name, seat in universe.connections.items() if seat.user_id != gone
    }
    return replace(
        universe,
        owner=named(universe.owner),
        members={user: role for user, role in universe.members.items() if user != gone},
        bans={user: since for user, since in universe.bans.items() if user != gone},
        connections=connections,
        seats_bytes=seats_bytes(connections),
        absences={
            name: absence for name, absence in universe.absences.items() if absence.user_id != gone
        },
        last_changes={
            name: replace(change, user_id=named(change.user_id))
            for name, change in universe.last_changes.items()
        },
        pieces=tuple(replace(piece, user_id=named(piece.user_id)) for piece in universe.pieces),
        endless=universe.endless
        and replace(universe.endless, user_id=named(universe.endless.user_id)),
        pending_music={
            request_id: piece.model_copy(
                update={
                    "job": piece.job.model_copy(update={"user_id": named(piece.job.user_id)}),
                }
            )
            for request_id, piece in universe.pending_music.items()
        },
        operations=operations,
        operations_bytes=sum(map(stored_bytes, operations.values())),
        seq=event.seq,
        updated_at=event.timestamp,
    )

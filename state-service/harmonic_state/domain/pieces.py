"""The latest pieces of a universe, which it remembers for its members."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from harmonic_protocol.log import MusicStored
from harmonic_protocol.messages.reading import PieceList, PieceSummary, midi_address
from harmonic_state.domain.bounds import MAX_PIECE_BYTES, piece_bytes
from harmonic_state.domain.universe import Piece, Universe

#: Pieces that a universe remembers at most.
MAX_PIECES = 24
#: How long the stream of notes keeps a piece and its file.
KEPT = timedelta(hours=1)


def with_piece(pieces: Sequence[Piece], stored: MusicStored) -> tuple[Piece, ...]:
    """The pieces and a new one: the latest of them that fit the bounds."""
    piece = Piece(
        request_id=stored.request_id,
        user_id=stored.user_id,
        timestamp=stored.timestamp,
        seed=stored.seed,
        duration=stored.duration,
        tempo=stored.tempo,
        key=stored.key,
        scale=stored.scale,
        seq=stored.seq,
        composer_version=stored.composer_version,
    )
    kept = (*pieces, piece)[-MAX_PIECES:]
    while piece_bytes(kept) > MAX_PIECE_BYTES:
        kept = kept[1:]
    return kept


def listed(universe: Universe, now: str) -> PieceList:
    """The pieces that are still kept at this time, the newest first."""
    since = datetime.fromisoformat(now) - KEPT
    return PieceList.model_construct(
        items=tuple(
            PieceSummary.model_construct(
                request_id=piece.request_id,
                user_id=piece.user_id,
                timestamp=piece.timestamp,
                seed=piece.seed,
                duration=piece.duration,
                tempo=piece.tempo,
                key=piece.key,
                scale=piece.scale,
                seq=piece.seq,
                composer_version=piece.composer_version,
                midi=midi_address(universe.id, piece.request_id),
            )
            for piece in reversed(universe.pieces)
            if datetime.fromisoformat(piece.timestamp) > since
        ),
        links_expire_at=now,
    )

"""The pieces that a universe remembers."""

from dataclasses import replace
from datetime import datetime, timedelta

from harmonic_protocol.log import MusicStored
from harmonic_state.domain.bounds import MAX_PIECE_BYTES, _other_bytes, ban_bytes, piece_bytes
from harmonic_state.domain.evolve import evolve
from harmonic_state.domain.pieces import KEPT, MAX_PIECES, listed, with_piece
from harmonic_state.domain.universe import Universe
from state_service.builders import UNIVERSE, caller, command, created, open_universe

BEGIN = datetime.fromisoformat("2024-03-21T10:30:00.000Z")


def at(minutes: float) -> str:
    moment = BEGIN + timedelta(minutes=minutes)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stored(number: int, user: str = "ann", minutes: float = 0) -> MusicStored:
    return MusicStored(
        universe_id=UNIVERSE,
        timestamp=at(minutes),
        request_id=f"piece-{number}",
        user_id=user,
        seed=number,
        duration=8,
        tempo=91.5,
        key="C#",
        scale="major",
        seq=number,
        composer_version=7,
    )


def with_pieces(*pieces: MusicStored) -> Universe:
    universe: Universe | None = open_universe().now
    for piece in pieces:
        universe = evolve(universe, piece)
    assert universe is not None
    return universe


def test_a_piece_is_told_with_the_address_of_its_file() -> None:
    told = listed(with_pieces(stored(3)), at(1))
    assert told.to_wire() == {
        "items": [
            {
                "requestId": "piece-3",
                "userId": "ann",
                "timestamp": at(0),
                "seed": 3,
                "duration": 8,
                "tempo": 91.5,
                "key": "C#",
                "scale": "major",
                "seq": 3,
                "composerVersion": 7,
                "midi": f"/api/v1/universes/{UNIVERSE}/music/piece-3.mid",
            }
        ],
        "linksExpireAt": at(1),
    }


def test_the_newest_comes_first_and_so_many_are_remembered() -> None:
    universe = with_pieces(*(stored(number) for number in range(MAX_PIECES + 2)))
    numbers = [piece.seed for piece in listed(universe, at(1)).items]
    assert numbers == list(range(MAX_PIECES + 1, 1, -1))


def test_pieces_take_so_many_bytes_at_most() -> None:
    universe = with_pieces(*(stored(number, user="\0" * 255) for number in range(MAX_PIECES)))
    assert MAX_PIECE_BYTES - 1800 < piece_bytes(universe.pieces) <= MAX_PIECE_BYTES
    assert universe.pieces[-1].seed == MAX_PIECES - 1


def test_a_piece_is_told_of_as_long_as_its_file_is_kept() -> None:
    universe = with_pieces(stored(1), stored(2, minutes=30))
    minutes = KEPT.total_seconds() / 60
    assert len(listed(universe, at(minutes - 0.001)).items) == 2
    assert [piece.seed for piece in listed(universe, at(minutes)).items] == [2]


def test_a_hidden_universe_tells_of_no_piece() -> None:
    history = created()
    for name in ("list_music", "list_events", "get_participants"):
        stranger = history.is_refused(command(name), caller("eve"))
        assert stranger.code == "NOT_FOUND"


def test_pieces_and_bans_count_in_what_a_universe_takes() -> None:
    universe = open_universe().now
    bans = {"eve": at(0)}
    with_bans = universe.later(bans=bans)
    assert _other_bytes(with_bans) - _other_bytes(universe) == ban_bytes(bans)
    pieces = with_pieces(stored(1)).pieces
    more = universe.later(pieces=pieces)
    assert _other_bytes(more) - _other_bytes(universe) == piece_bytes(pieces)


def test_a_piece_takes_the_bytes_of_its_names() -> None:
    one, other = (with_pieces(stored(1, user=user)).pieces for user in ("ann", "anna"))
    assert piece_bytes(other) == piece_bytes(one) + 1
    longer = with_pieces(stored(1), stored(22)).pieces
    assert piece_bytes(longer[1:]) == piece_bytes(longer[:1]) + 1


def test_pieces_may_take_all_their_space_and_no_more_of_them_go_than_have_to() -> None:
    large, small, new = with_pieces(stored(1), stored(2), stored(3)).pieces
    left_bytes = MAX_PIECE_BYTES - piece_bytes((large, small, new))
    fits = replace(large, user_id=large.user_id + "x" * left_bytes)
    assert with_piece((fits, small), stored(3)) == (fits, small, new)
    too_large = replace(fits, user_id=fits.user_id + "x")
    assert with_piece((too_large, small), stored(3)) == (small, new)

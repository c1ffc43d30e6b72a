"""Bars of endless pieces as composers store them."""

from harmonic_protocol.pieces import StoredBar, StoredNote

#: A time far in the future, so that no bar here has ended by the clock.
BEGIN = "2999-03-21T10:30:0{}.000Z"
NOTE = StoredNote(pitch=60, start_time=0, duration=1, velocity=80)


def stored(number: int, *, universe: str = "u", notes: int = 1, begin: str = BEGIN) -> bytes:
    return StoredBar(
        universe_id=universe,
        stream_id="s",
        bar=number,
        starts_at=begin.format(number),
        duration=1,
        tempo=60,
        key="C",
        scale="major",
        as_of=7,
        notes=(NOTE,) * notes,
    ).to_json()

"""When the places that clients acknowledged are saved."""

from harmonic_gateway.recovery.keeping import INTERVAL_S, SAVES_PER_S, PlacesToKeep

MANY = 10_000


def test_places_are_saved_once_an_interval_and_only_where_they_changed() -> None:
    kept = PlacesToKeep()
    assert not kept.is_due("c", lambda: {"u": 1}, 0)
    assert not kept.is_due("c", lambda: {"u": 2}, INTERVAL_S - 1)
    assert kept.is_due("c", lambda: {"u": 3}, INTERVAL_S)
    assert not kept.is_due("c", lambda: {"u": 4}, INTERVAL_S + 1)
    assert not kept.is_due("c", lambda: {"u": 3}, 3 * INTERVAL_S)
    assert kept.is_due("c", lambda: {"u": 4}, 3 * INTERVAL_S)


def test_a_client_in_no_room_has_no_places_to_save() -> None:
    kept = PlacesToKeep()
    assert not any(kept.is_due("c", dict, now_s) for now_s in (0, INTERVAL_S, 2 * INTERVAL_S))


def test_a_connection_that_is_over_is_not_remembered() -> None:
    kept = PlacesToKeep()
    kept.is_due("c", lambda: {"u": 1}, 0)
    kept.forget("c")
    kept.forget("c")
    assert not kept.is_due("c", lambda: {"u": 2}, INTERVAL_S)


def test_so_many_a_second_are_saved_over_all_connections_and_all_in_the_end() -> None:
    kept = PlacesToKeep()
    names = [str(number) for number in range(200)]
    for name in names:
        kept.is_due(name, lambda: {"u": 1}, 0)
    saved: list[str] = []
    ticks = 0
    while len(saved) < len(names):
        now_s = INTERVAL_S + ticks / 10
        ticks += 1
        saved += [name for name in names if kept.is_due(name, lambda: {"u": 2}, now_s)]
        assert ticks < MANY
        assert len(saved) <= SAVES_PER_S * (1 + ticks / 10)
    assert sorted(saved) == sorted(names)
    assert ticks <= 10 * len(names) / SAVES_PER_S

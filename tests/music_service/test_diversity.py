"""The distances between pieces, and whose neighbours are whose."""

import numpy as np
import pytest

from music_service.diversity import distances, features_of, neighbours
from music_service.measures import piece
from music_service.works import work_of


def test_distances_are_root_mean_squares_in_order() -> None:
    features = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    found = distances(features, [(0, 1), (0, 2)])
    assert found == pytest.approx([2**0.5, 12.5**0.5])


def test_neighbours_are_the_nearest_and_never_the_piece_itself() -> None:
    real, ours = np.array([[0.0], [1.0], [10.0]]), np.array([[1.5], [9.0]])
    assert neighbours(real, ours, 1).tolist() == [[False], [True], [True]]


def test_the_same_piece_is_at_no_distance_and_another_seed_is() -> None:
    works = [work_of(piece(32, seed)) for seed in (1, 1, 2)]
    features = features_of(works)
    assert distances(features, [(0, 1)]) == [0]
    assert distances(features, [(0, 2)])[0] > 0

"""The same ratings in another unit are the same problem to every algorithm."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from recbench.adapters import Recommender, create
from recbench.adapters.base import Floats
from recbench.adapters.shared.units import STARS, Units
from recbench.datasets.ratings import Catalogue, Ratings
from tests.adapters.own import own_adapters

OWN = {name: adapter for name, adapter in own_adapters().items() if not adapter.sees_truth}
N_USERS = 30
N_ITEMS = 24
N_TRAINING = 360


def draw_ratings() -> tuple[Ratings, Ratings]:
    """Training and test part: stars with a taste, an item's and a user's mean, and noise."""
    rng = np.random.default_rng(7)
    pairs = rng.permutation(N_USERS * N_ITEMS).astype(np.int32)
    users, items = np.divmod(pairs, np.int32(N_ITEMS))
    tastes = rng.normal(0, 0.7, (N_USERS, 2)) @ rng.normal(0, 0.7, (2, N_ITEMS))
    means = 3 + rng.normal(0, 0.5, (N_USERS, 1)) + rng.normal(0, 0.5, N_ITEMS)
    noisy = (means + tastes)[users, items] + rng.normal(0, 0.4, len(pairs))
    stars = np.clip(np.rint(noisy), *STARS).astype(np.float32)
    times = np.arange(len(pairs), dtype=np.int64)

    ratings = Ratings(users, items, stars, N_USERS, N_ITEMS, STARS, times)
    return ratings.take(np.arange(N_TRAINING)), ratings.take(np.arange(N_TRAINING, len(pairs)))


def rescale(ratings: Ratings, a: float, b: float) -> Ratings:
    """The ratings r as a r + b, and their scale too."""
    values = (a * ratings.values.astype(np.float64) + b).astype(np.float32)
    lowest, highest = ratings.scale
    scale = (a * lowest + b, a * highest + b)
    values = np.clip(values, np.float32(scale[0]), np.float32(scale[1]))
    scale = (min(scale[0], float(values.min())), max(scale[1], float(values.max())))
    return Ratings(
        ratings.users, ratings.items, values, ratings.n_users, ratings.n_items, scale, ratings.times
    )


TRAIN, TEST = draw_ratings()
TITLES = tuple(f"the {word} film" for word in ("red", "green", "blue") * (N_ITEMS // 3))
CATALOGUE = Catalogue(TITLES, (None,) * N_ITEMS, (("Drama",), ("War",)) * (N_ITEMS // 2))


def answer(name: str, train: Ratings) -> tuple[Floats, Floats]:
    """Predictions for TEST in the unit of `train`, as the bench makes them, and all scores."""
    algorithm = create(name, few_epochs(OWN[name]))
    units = Units.choose(algorithm, train.scale)
    given = units.convert_ratings(train)
    algorithm.prepare(given)
    assert algorithm.skip(given, CATALOGUE, memory_mb=4096) is None
    np.random.seed(0)
    algorithm.fit(algorithm.convert(given, CATALOGUE), 0)

    predicted = units.restore_scores(algorithm.score(TEST.users, TEST.items))
    every_user = np.arange(N_USERS, dtype=np.int32)
    return np.clip(predicted, *train.scale), algorithm.score_items(every_user)


def few_epochs(adapter: type[Recommender]) -> dict[str, Any]:
    """Hyperparameters with which a network is fitted in a moment."""
    names = {field.name for field in fields(adapter)}  # type: ignore[arg-type]
    if adapter.family != "keras":
        return {}
    return {"epochs": 2, "batch_size": 64} | ({"min_batches": 2} if "min_batches" in names else {})


def rmse(predicted: Floats, truth: Floats) -> float:
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - truth) ** 2)))


def every_row() -> list[Any]:
    """The names of all; of the networks, which say it in one place, one is fitted in each run."""
    names: list[Any] = []
    for name, adapter in OWN.items():
        if adapter.family == "keras":
            mark = pytest.mark.slow if name == "keras-mf" else pytest.mark.proof
            names.append(pytest.param(name, marks=mark))
        else:
            names.append(name)
    return names


def test_the_networks_say_it_in_one_place() -> None:
    networks = [adapter for adapter in OWN.values() if adapter.family == "keras"]
    assert len(networks) > 5
    assert not [adapter for adapter in networks if "units" in vars(adapter)]


@pytest.mark.parametrize("name", every_row())
def test_another_unit_changes_no_answer(name: str) -> None:
    """ML-100k's stars times 20 moved als from .92 to 1.11 stars, where a constant has 1.13."""
    a = 7.3
    b = -21.9
    test = rescale(TEST, a, b)
    stars, all_stars = answer(name, TRAIN)
    points, all_points = answer(name, rescale(TRAIN, a, b))
    if OWN[name].predicts == "ratings":
        in_stars = rmse(stars, TEST.values)
        assert rmse(points, test.values) / a == pytest.approx(in_stars, rel=1e-3)
    else:
        tolerance = 1e-3 * float(np.ptp(all_stars))
        np.testing.assert_allclose(all_points, all_stars, atol=tolerance)


def test_stars_are_given_to_the_bit_as_they_are() -> None:
    for name in OWN:
        units = Units.choose(create(name), (1, 5))
        assert units.convert_ratings(TRAIN) is TRAIN
        assert units.restore_scores(TRAIN.values) is TRAIN.values


@pytest.mark.parametrize("scale", [(0.5, 5.0), (0, 5), (-1.5, 1.5)])
def test_a_library_sees_a_usual_scale_as_it_is_and_others_as_stars(
    scale: tuple[float, float],
) -> None:
    bridge = create("surprise-svd")
    assert not Units.choose(bridge, scale).differ
    assert Units.choose(create("numba-sgd"), scale).of_algorithm == STARS
    assert Units.choose(bridge, (0, 10)).of_algorithm == STARS
    assert Units.choose(bridge, (0, 1)).of_algorithm == STARS


def test_what_is_a_whole_number_of_stars_in_another_unit_is_one_again() -> None:
    """In single precision .7 on a scale from .1 to .9 is a little less than four stars."""
    for lowest, highest in [(0.1, 0.9), (0.3, 1.9), (-3.3, 70.7), (1900, 2000), (0, 0.001)]:
        shares = np.array([0, 0.25, 0.5, 0.75, 1])
        values = (lowest + shares * (highest - lowest)).astype(np.float32)
        scale = (min(lowest, float(values[0])), max(highest, float(values[-1])))
        nobody = np.zeros(5, np.int32)
        ratings = Ratings(nobody, nobody, values, 1, 1, scale)
        stars = Units(scale, STARS).convert_ratings(ratings)
        np.testing.assert_array_equal(stars.values, [1, 2, 3, 4, 5])


def test_an_opinion_that_is_none_stays_none_and_a_runaway_becomes_infinite() -> None:
    scores = np.array([np.nan, 1, 5, 3e38], np.float32)
    restored = Units((0.0, 100.0), STARS).restore_scores(scores)
    np.testing.assert_array_equal(restored, np.array([np.nan, 0, 100, np.inf], np.float32))
    assert restored.dtype == np.float32

"""The contract of models, for every adapter of the bench: saved, and loaded in a fresh process, it
answers as the one that was fitted, to the last bit.
"""

from pathlib import Path

import numpy as np
import pytest

from recbench.adapters.base import Floats
from recbench.benchmarks.models import Model, save_model
from recbench.datasets.ratings import Ratings
from tests.adapters.test_contract import OWN, fitted_by_keras
from tests.benchmarks.models.boards import ask_in_fresh_process, train_on_board

MOST_EXCUSES = 3  # adapters that may say why they cannot be saved

Answers = dict[str, Floats]


def all_answers(model: Model) -> Answers:
    """What the fitted algorithm says of every pair, and of everybody."""
    n_users, n_items = model.rated.shape
    users, items = np.indices((n_users, n_items)).reshape(2, -1).astype(np.int32)
    everybody = np.arange(n_users, dtype=np.int32)
    algorithm = model.algorithm
    answers = {"pairs": algorithm.score(users, items), "grid": algorithm.score_items(everybody)}
    if algorithm.folds_in():
        answers["folded"] = algorithm.fold_in(first_ratings(model))
    return answers


def first_ratings(model: Model) -> Ratings:
    """Those of the first five users, as if they were new."""
    rated = model.rated[:5].tocoo()
    users, items = (column.astype(np.int32) for column in rated.coords)
    return Ratings(users, items, rated.data, 5, rated.shape[1], model.description.data.scale)


def answers_before_and_after(names: list[str], folder: Path) -> dict[str, tuple[Answers, Answers]]:
    """What each algorithm says once it is fitted, and what a fresh process says that loads it."""
    before = {}
    for name in names:
        model = train_on_board(name)
        save_model(model, folder / name)
        before[name] = all_answers(model)
    assert ask_in_fresh_process(folder) == {}

    both = {}
    for name in names:
        with np.load(folder / f"{name}.answers.npz", allow_pickle=False) as after:
            both[name] = (before[name], dict(after))
    return both


def test_few_adapters_cannot_be_saved_and_say_why() -> None:
    excuses = {name: adapter.unsaved for name, adapter in OWN.items() if adapter.unsaved}
    assert len(excuses) <= MOST_EXCUSES
    assert all(len(reason) > 20 for reason in excuses.values())


@pytest.mark.slow
@pytest.mark.parametrize("is_keras", [False, True], ids=["plain", "keras"])
def test_a_model_answers_in_a_fresh_process_as_the_fitted_algorithm_to_the_last_bit(
    is_keras: bool, tmp_path: Path
) -> None:
    names = [
        name
        for name, adapter in OWN.items()
        if fitted_by_keras(name) == is_keras and not adapter.unsaved
    ]
    for name, (before, after) in answers_before_and_after(names, tmp_path).items():
        assert before.keys() == after.keys()
        for kind in before:
            np.testing.assert_array_equal(after[kind], before[kind], err_msg=f"{name}: {kind}")
            assert after[kind].dtype == before[kind].dtype == np.float32

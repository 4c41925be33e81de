"""The division of Liang et al. 2018 against their notebook's own lines, on a small set."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recbench.benchmarks.certainty import find_blind_spots
from recbench.benchmarks.evaluation.cell_metrics import find_hits
from recbench.benchmarks.evaluation.questions import Lists
from recbench.benchmarks.metrics import METRICS, Evaluation
from recbench.benchmarks.planning import (
    Design,
    Request,
    check_request,
    parse_rows,
    plan_cells,
    read_suite,
)
from recbench.benchmarks.splits import divide, rows_of_histories
from recbench.benchmarks.tuning import choose_inner_split
from recbench.datasets import Dataset, Ratings
from recbench.datasets.ratings import Catalogue, Provenance

SEED = 98765
HELD_OUT = 30
SPLIT = f"liang-2018[users={HELD_OUT}]"


def made_like_movielens() -> Dataset:
    """Half stars of 300 users, by user as in ratings.csv; many have fewer than five likes, and
    some items are liked by one user only.
    """
    rng = np.random.default_rng(0)
    n_users = 300
    n_items = 300
    chance = rng.random(n_users)[:, None] * (0.3 * np.exp(-np.arange(n_items) / 30) + 0.06)
    users, items = np.nonzero(rng.random((n_users, n_items)) < chance)
    order = np.lexsort((rng.random(len(users)), users))  # in any order within a user
    ratings = Ratings(
        users[order].astype(np.int32),
        items[order].astype(np.int32),
        rng.choice(np.arange(1, 11) / 2, len(users)).astype(np.float32),
        n_users,
        n_items,
        (0.5, 5.0),
    )
    about = Catalogue(("film",) * n_items, (None,) * n_items, ((),) * n_items)
    ids = np.arange(1, n_users + 1), np.arange(1, n_items + 1)
    return Dataset("made", ratings, about, *ids, Provenance((), "", ""))


DATA = made_like_movielens()


def as_in_the_notebook() -> dict[str, pd.DataFrame]:
    """`VAE_ML20M_WWW2018.ipynb` of dawenl/vae_cf, but for what pandas has changed since.

    `row` is carried along to name the ratings. groupby counts in the order of the ids, as theirs.
    """
    ratings = DATA.ratings
    raw_data = pd.DataFrame(
        {"userId": ratings.users, "movieId": ratings.items, "rating": ratings.values}
    )
    raw_data["row"] = np.arange(len(raw_data))
    raw_data = raw_data[raw_data["rating"] > 3.5]

    usercount = raw_data.groupby("userId").size()
    raw_data = raw_data[raw_data["userId"].isin(usercount.index[usercount >= 5])]
    user_activity = raw_data.groupby("userId").size()

    unique_uid = user_activity.index
    np.random.seed(SEED)
    idx_perm = np.random.permutation(unique_uid.size)
    unique_uid = unique_uid[idx_perm]

    n_users = unique_uid.size
    tr_users = unique_uid[: (n_users - HELD_OUT * 2)]
    vd_users = unique_uid[(n_users - HELD_OUT * 2) : (n_users - HELD_OUT)]
    te_users = unique_uid[(n_users - HELD_OUT) :]
    train_plays = raw_data.loc[raw_data["userId"].isin(tr_users)]
    unique_sid = pd.unique(train_plays["movieId"])

    test_plays = raw_data.loc[raw_data["userId"].isin(te_users)]
    test_plays = test_plays.loc[test_plays["movieId"].isin(unique_sid)]
    test_plays_tr, test_plays_te = split_train_test_proportion(test_plays)
    return {
        "train": train_plays,
        "history": test_plays_tr,
        "test": test_plays_te,
        "validation": raw_data.loc[raw_data["userId"].isin(vd_users)],
    }


def split_train_test_proportion(
    data: pd.DataFrame, test_prop: float = 0.2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    data_grouped_by_user = data.groupby("userId")
    tr_list, te_list = [], []
    np.random.seed(SEED)
    for _, group in data_grouped_by_user:
        n_items_u = len(group)
        if n_items_u >= 5:
            idx = np.zeros(n_items_u, dtype="bool")
            drawn = np.random.choice(n_items_u, size=int(test_prop * n_items_u), replace=False)
            idx[drawn.astype("int64")] = True
            tr_list.append(group[np.logical_not(idx)])
            te_list.append(group[idx])
        else:
            tr_list.append(group)
    return pd.concat(tr_list), pd.concat(te_list)


def test_it_is_their_division_row_for_row() -> None:
    theirs = as_in_the_notebook()
    train, test = divide(DATA, SPLIT, 1, 0, SEED)
    history = rows_of_histories(DATA, SPLIT, 1, 0, SEED)
    assert train.tolist() == sorted(theirs["train"]["row"])
    assert test.tolist() == sorted(theirs["test"]["row"])

    # Who has fewer than five likes of known items is told and never asked: here not told, either.
    counts = theirs["history"].groupby("userId").size()
    asked = np.unique(DATA.ratings.users[test])
    told = theirs["history"][theirs["history"]["userId"].isin(asked)]
    assert history.tolist() == sorted(told["row"])
    assert HELD_OUT >= len(counts) > len(asked) > 20
    assert not set(theirs["validation"]["row"]) & {*train, *test, *history}


def test_the_counts_are_those_of_the_paper() -> None:
    """A fifth of each user's likes, rounded down; every part holds likes of users with five."""
    ratings = DATA.ratings
    train, test = divide(DATA, SPLIT, 1, 0, SEED)
    history = rows_of_histories(DATA, SPLIT, 1, 0, SEED)
    likes = np.bincount(ratings.users[ratings.values >= 4], minlength=ratings.n_users)
    assert len(np.unique(ratings.users[train])) == (likes >= 5).sum() - 2 * HELD_OUT
    assert ratings.values[np.concatenate([train, test, history])].min() >= 4
    for user in np.unique(ratings.users[test]):
        n_tested = (ratings.users[test] == user).sum()
        n_told = (ratings.users[history] == user).sum()
        assert n_tested == int(0.2 * (n_told + n_tested)) and n_told + n_tested >= 5
    other = divide(DATA, SPLIT, 1, 0, SEED + 1)[1]
    assert other.tolist() != test.tolist()


def test_a_validation_group_comes_out_of_the_training_users() -> None:
    inner = choose_inner_split(SPLIT, "order")
    train, test = divide(DATA, SPLIT, 1, 0, SEED, inner)
    history = rows_of_histories(DATA, SPLIT, 1, 0, SEED, inner)
    outer_train, _ = divide(DATA, SPLIT, 1, 0, SEED)
    assert sorted([*train, *test, *history]) == outer_train.tolist()


def test_a_test_part_of_likes_alone_hides_no_ranking() -> None:
    """What is not liked is in no part, so it counts as a miss; unless there is nothing else."""

    def kinds(data: Dataset) -> list[str]:
        design = Design(SPLIT, 1, SEED, Evaluation())
        cells = plan_cells(data, parse_rows(["popularity"]), design)
        return [spot.kind for spot in find_blind_spots(data, cells, ["ndcg@10"])]

    assert "every rating is relevant" not in kinds(DATA)
    likes = DATA.ratings.take(DATA.ratings.values >= 4)
    assert "every rating is relevant" in kinds(replace(DATA, ratings=likes))


def test_the_suite_has_their_seed_their_metrics_and_their_numbers() -> None:
    suite = read_suite("liang-ml20m")
    plan = check_request(Request(dataset="movielens-20m", suite="liang-ml20m"))
    assert (plan.split, plan.seed) == ("liang-2018", SEED)
    assert plan.columns == ["ndcg@100", "capped_recall@20", "capped_recall@50"]
    ease = {number.column: number.value for number in suite.published if number.row == "ease"}
    assert ease == {"ndcg@100": 0.42, "capped_recall@20": 0.391, "capped_recall@50": 0.521}
    assert {number.dataset for number in suite.published} == {"movielens-20m"}
    rows = {row.name for row in suite.rows}
    others = {number.row for number in suite.published} - rows
    assert {"Mult-VAE", "RecVAE", "VASP"} < others


def ndcg_of_the_notebook(top: list[int], liked: set[int], k: int = 100) -> float:
    """NDCG_binary_at_k_batch for one user."""
    tp = 1.0 / np.log2(np.arange(2, k + 2))
    gained = sum(tp[rank] for rank, item in enumerate(top[:k]) if item in liked)
    return float(gained / tp[: min(len(liked), k)].sum())


@pytest.mark.parametrize("n_liked", [3, 60, 150])
def test_its_metrics_are_those_of_the_notebook(n_liked: int) -> None:
    """Recall_at_k_batch divides by min(k, test items); the ideal of nDCG has min(k, test items)."""
    rng = np.random.default_rng(n_liked)
    liked = rng.permutation(400)[:n_liked]
    top = rng.permutation(400)[:100]
    test = Ratings(
        np.zeros(n_liked, np.int32),
        liked.astype(np.int32),
        np.full(n_liked, 4, np.float32),
        1,
        400,
        (0.5, 5.0),
    )
    users = np.zeros(1, np.int32)
    ranks = np.arange(100, dtype=np.int32)[None]
    lists = Lists(users, top.astype(np.int32)[None], ranks, np.zeros(1))
    hits = find_hits(lists, test)
    likes = set(liked.tolist())
    assert METRICS["ndcg"].function(hits, 100)[0] == pytest.approx(
        ndcg_of_the_notebook(top.tolist(), likes)
    )
    for k in (20, 50):
        n_hits = len(likes & set(top[:k].tolist()))
        expected = n_hits / min(k, n_liked)
        assert METRICS["capped_recall"].function(hits, k)[0] == pytest.approx(expected)

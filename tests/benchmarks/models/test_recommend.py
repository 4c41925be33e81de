"""What a model answers: the lists of the bench, their reasons, similar items, files of lists."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recbench
from recbench.adapters.base import Indices
from recbench.benchmarks.evaluation import top_items, user_item_matrix
from recbench.benchmarks.models import Model, bar_items_by_option
from recbench.datasets import UsageError
from tests.adapters.test_contract import OWN, fitted_by_keras
from tests.benchmarks.models.boards import board, train_on_board
from tests.benchmarks.models.conftest import Shop


def everybody(model: Model) -> Indices:
    return np.arange(len(model.user_ids), dtype=np.int32)


@pytest.mark.parametrize("algorithm", ["ease", "popularity", "als"])
def test_the_lists_are_those_of_the_bench(algorithm: str) -> None:
    model = train_on_board(algorithm)
    users = everybody(model)
    lists = model.rank_users(users, 5)
    listed = user_item_matrix(board().ratings, -np.inf)
    expected, _ = top_items(model.algorithm.score_items(users), users, listed, 5, seed=0)
    np.testing.assert_array_equal(lists.items, expected)


def test_predicted_ratings_are_clipped_and_in_the_unit_of_the_data(shop: Shop) -> None:
    model = recbench.load_model(shop.model("user-item-bias"))
    frame = model.recommend(["1000", 1001], n=50, include_rated=True)
    assert list(frame.columns) == ["user", "rank", "item", "title", "score", "rating"]
    assert len(frame) == 100
    assert frame["rating"].between(1, 5).all()
    raw = model.algorithm.score(np.zeros(1, np.int32), np.zeros(1, np.int32))
    assert model.predict(model.user_ids[0], model.items.ids[0])[0] == np.clip(raw, 1, 5)[0]
    with pytest.raises(UsageError, match="ranks only"):
        recbench.load_model(shop.model("ease")).predict(1000, 1)


@pytest.mark.parametrize("algorithm", [name for name in OWN if not fitted_by_keras(name)])
def test_reasons_are_items_of_the_user_and_similar_items_are_others(algorithm: str) -> None:
    model = train_on_board(algorithm)
    user = 3
    item = int(model.rank_users(np.array([user], np.int32), 1).items[0, 0])
    reasons = model.explain(user, item)
    rated = set(model.rated[[user]].indices.tolist())
    if reasons is not None:
        assert {reason.item for reason in reasons} <= rated
        values = [reason.contribution for reason in reasons]
        assert values == sorted(values, reverse=True)

    similar = model.algorithm.similar(item, 4)
    if similar is not None:
        items, similarities = similar
        assert item not in items
        assert len(items) == len(similarities) == 4
        assert list(similarities) == sorted(similarities, reverse=True)


EXPLAINING = {
    *("ease", "slim", "item-knn", "user-knn", "rp3beta", "sar", "tfidf-content"),
    *("cosine-user", "cosine-user-centred"),
    *("surprise-knn-basic", "surprise-knn-with-means", "surprise-knn-with-zscore"),
    "surprise-knn-baseline",
}


def test_neighbours_linear_models_and_content_give_reasons() -> None:
    for name in EXPLAINING:
        model = train_on_board(name)
        lists = model.rank_users(everybody(model)[:20], 1)
        explained = [model.explain(user, int(lists.items[user, 0])) for user in range(20)]
        assert any(explained), name


@pytest.mark.parametrize("algorithm", ["ease", "item-knn", "slim"])
def test_contributions_add_up_to_the_score(algorithm: str) -> None:
    model = train_on_board(algorithm)
    _, contributions = model.algorithm.explain(3, 5) or (None, np.zeros(0))
    score = model.algorithm.score(np.array([3], np.int32), np.array([5], np.int32))
    assert contributions.sum() == pytest.approx(score[0], abs=1e-5)


def test_contributions_of_item_neighbours_of_surprise_add_up_to_the_score() -> None:
    model = train_on_board("surprise-knn-with-means", {"user_based": False})
    algorithm = model.algorithm
    items, contributions = algorithm.explain(3, 5) or (None, np.zeros(0))
    inner = algorithm.inner_items_  # type: ignore[attr-defined]
    similarities = algorithm.similarities_[inner[5], inner[items]]  # type: ignore[attr-defined]
    deviation = contributions.sum() / similarities.sum()
    of_item = board().ratings.values[board().ratings.items == 5].mean()
    score = algorithm.score(np.array([3], np.int32), np.array([5], np.int32))
    assert score[0] == pytest.approx(of_item + deviation, abs=1e-4)
    assert algorithm.similar(5, 3) is not None


def test_a_user_is_told_titles_ids_reasons_and_what_they_rated_best(shop: Shop) -> None:
    result = shop.recommend(shop.model("ease"), "--user", "1003", "--top", 3)
    assert result.exit_code == 0, result.output
    model = recbench.load_model(shop.model("ease"))
    lines = result.output.splitlines()
    assert lines[0] == "ease, trained on table:ratings.csv"
    for place, item in enumerate(model.recommend("1003", 3)["item"], 2):
        assert lines[place].split()[1] == str(item)
        assert "because of" in lines[place]
    assert lines[-1].startswith("  rated best by user 1003: ")

    rating = shop.recommend(shop.model("user-item-bias"), "--user", 1003).output
    assert rating.count("predicted ") == 10


def test_an_unknown_user_is_said_and_popularity_is_only_given_if_it_is_asked_for(
    shop: Shop,
) -> None:
    refused = shop.recommend(shop.model("ease"), "--user", "nobody")
    assert refused.exit_code == 2
    said = " ".join(refused.output.split())
    assert "user nobody is not among the 80 users" in said
    assert "--fallback popularity" in said

    given = shop.recommend(shop.model("ease"), "--user", "nobody", "--fallback", "popularity")
    assert given.exit_code == 0, given.output
    assert "popularity, what most users have rated, is the same for everybody" in given.output
    counts = recbench.load_model(shop.model("ease")).n_ratings_of_items
    assert f"{counts.max()} ratings" in given.output.splitlines()[2]


def test_users_of_a_history_are_answered_as_the_same_users_of_training(
    shop: Shop, tmp_path: Path
) -> None:
    rated = pl.read_csv(shop.table).filter(pl.col("user_id").is_in([1003, 1005]))
    new = rated.with_columns(pl.col("user_id").replace({1003: 7001, 1005: 7002}))
    unknown = pl.DataFrame(
        {"user_id": [7001], "item_id": [9999], "rating": [4.0], "timestamp": [1]}
    )
    pl.concat([new.cast({"rating": pl.Float64}), unknown]).write_csv(tmp_path / "new.csv")

    directory = shop.model("ease")
    out = tmp_path / "lists.csv"
    result = shop.recommend(directory, "--history", tmp_path / "new.csv", "--top", 4, "--out", out)
    assert result.exit_code == 0, result.output
    assert "1 ratings of items that the model does not know are left out: 9999" in result.output
    model = recbench.load_model(directory)
    expected = model.recommend([1003, 1005], 4)
    lists = pl.read_csv(out)
    assert lists["user"].unique().sort().to_list() == [7001, 7002]
    assert lists["item"].to_list() == expected["item"].tolist()
    np.testing.assert_allclose(lists["score"], expected["score"], atol=1e-5)

    printed = shop.recommend(directory, "--history", tmp_path / "new.csv", "--top", 4).output
    n_rated = len(rated.filter(pl.col("user_id") == 1003))
    assert f"for new user 7001, from {n_rated} ratings" in printed

    of_1003 = rated.filter(pl.col("user_id") == 1003)
    by_item = dict(zip(of_1003["item_id"], of_1003["rating"], strict=True))
    assert model.recommend_new(by_item, 4)["item"].tolist() == expected["item"].tolist()[:4]

    refused = shop.recommend(
        shop.model("pure-svd[n_factors=2]"), "--history", tmp_path / "nowhere.csv"
    )
    assert refused.exit_code == 2
    with pytest.raises(UsageError, match=r"can answer only users that it was trained on.* ease"):
        train_on_board("surprise-svd").recommend_new({"SKU-1": 5.0})


def test_all_users_are_written_as_csv_and_parquet_with_the_same_lines(
    shop: Shop, tmp_path: Path
) -> None:
    model = recbench.load_model(shop.model("user-item-bias"))
    frames = []
    for name in ("lists.csv", "lists.parquet"):
        out = tmp_path / name
        result = shop.recommend(
            shop.model("user-item-bias"), "--all-users", "--top", 4, "--out", out
        )
        assert result.exit_code == 0, result.output
        frames.append(pl.read_csv(out) if out.suffix == ".csv" else pl.read_parquet(out))
    csv, parquet = frames
    assert csv.columns == parquet.columns == ["user", "rank", "item", "title", "score", "rating"]
    assert len(csv) == len(parquet) == 80 * 4
    for column in ("user", "rank", "item"):
        assert csv[column].cast(pl.String).to_list() == parquet[column].cast(pl.String).to_list()
    expected = model.recommend(model.user_ids.tolist(), 4)
    assert parquet["item"].to_list() == expected["item"].tolist()
    np.testing.assert_array_equal(parquet["rating"], expected["rating"])


def test_lists_in_blocks_are_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    model = recbench.load_model(shop.model("ease"))
    whole = model.recommend(model.user_ids.tolist(), 3)
    monkeypatch.setattr("recbench.benchmarks.models.model.BLOCK_BYTES", 4 * 50 * 7)
    in_blocks = model.recommend(model.user_ids.tolist(), 3)
    assert whole["item"].tolist() == in_blocks["item"].tolist()


def test_candidates_are_chosen_by_files_and_genres(shop: Shop, tmp_path: Path) -> None:
    model = recbench.load_model(shop.model("ease"))
    ids = [str(item) for item in model.items.ids[:6]]
    (tmp_path / "only.txt").write_text("\n".join([*ids, "no-such-item"]))
    (tmp_path / "exclude.txt").write_text(ids[0] + "\r\n")
    result = shop.recommend(
        *(shop.model("ease"), "--user", 1003, "--include-rated", "--only", tmp_path / "only.txt"),
        *("--exclude", tmp_path / "exclude.txt"),
    )
    assert result.exit_code == 0, result.output
    assert "top 5 for user 1003" in result.output
    listed = {line.split()[1] for line in result.output.splitlines()[2:7]}
    assert listed == set(ids[1:])

    assert len(model.recommend(1003, 50, only=ids, include_rated=True)) == 6
    assert len(model.recommend(1003, 50, exclude=ids, include_rated=True)) == 44

    by_genre = train_on_board("ease")
    barred = bar_items_by_option(by_genre.items, [], ["War"])
    assert barred is not None
    assert [by_genre.items.genres[item] for item in np.flatnonzero(~barred)] == [("War",)] * 21
    with pytest.raises(UsageError, match="Did you mean 'War'"):
        bar_items_by_option(by_genre.items, ["Wars"], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "got none of them"),
        (["--user", "1000", "--all-users"], "got --user and --all-users"),
        (["--all-users"], "needs --out FILE"),
        (["--all-users", "--out", "lists.xml"], "ending of --out"),
        (["--user", "1000", "--out", "lists.csv"], "--out is for --all-users and --history"),
        (["--user", "1000", "--similar", "3"], "Name it with --item"),
        (["--item", "no such thing", "--similar", "3"], "'no such thing'. Expected the title"),
        (["--user", "1000", "--only", "Comedy"], "these items have no genres"),
        (["--user", "1000", "--fallback", "random"], "popularity"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments: list[str], message: str, shop: Shop) -> None:
    result = shop.recommend(shop.model("ease"), *arguments)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())


def test_items_like_one(shop: Shop) -> None:
    result = shop.recommend(shop.model("ease"), "--item", "7", "--similar", 3)
    assert result.exit_code == 0, result.output
    frame = recbench.load_model(shop.model("ease")).similar(7, 3)
    assert [line.split()[1] for line in result.output.splitlines()[2:]] == frame["item"].map(
        str
    ).tolist()
    refused = shop.recommend(shop.model("item-mean"), "--item", "7", "--similar", 3)
    assert refused.exit_code == 2
    assert "knows no similarity of items" in " ".join(refused.output.split())


def test_a_users_own_ratings_by_the_closeness_of_their_predictions(shop: Shop) -> None:
    result = shop.recommend(
        shop.model("user-item-bias"), "--user", 1003, "--closeness", "--top", 99
    )
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    table = [line.split() for line in lines if " rated " in line and " off " in line]
    model = recbench.load_model(shop.model("user-item-bias"))
    rated = dict(model.find_best_rated(model.find_user(1003), 1000))

    items = [model.items.find(cells[1]) for cells in table]
    assert sorted(items) == sorted(rated)
    assert [float(cells[3]) for cells in table] == [rated[item] for item in items]
    predicted = model.predict(1003, [cells[1] for cells in table])
    assert [cells[5] for cells in table] == [f"{value:.4f}" for value in predicted]
    errors = [float(cells[7]) for cells in table]
    assert errors == sorted(errors)
    assert "has learned from these ratings" in lines[1]
    assert f"off by {np.mean(errors):.3f}" in lines[-1]

    refused = shop.recommend(shop.model("ease"), "--user", 1003, "--closeness")
    assert refused.exit_code == 2 and "ranks only" in refused.output
    assert shop.recommend(shop.model("ease"), "--latency", "--closeness").exit_code == 2

"""Runs whose test users were held out whole: what is asked, what comes out, what nobody may see."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbench import datasets
from recbench.adapters import create
from recbench.adapters.base import Floats
from recbench.adapters.shared.units import Units
from recbench.benchmarks.api import Settings, measure_plan, parse_limits
from recbench.benchmarks.evaluation import questions
from recbench.benchmarks.execution import subject, worker
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.records import Record, Run
from recbench.benchmarks.splits import divide, rows_of_histories
from recbench.benchmarks.verification import Ledger, recompute_metrics
from recbench.datasets.ratings import Dataset, Ratings, Rows
from recbench.reports.build import build
from recbench.reports.results import Results
from recbench.reports.sections.occasional.new_users import new_users as describe_new_users
from tests.conftest import RunBench

SPLIT = "new-users[given=0.7,share=0.3]"
SILENT = ("bpr", "numpy-sgd")
ROWS = ("ease", "als", "popularity", *SILENT)


@dataclass(frozen=True)
class Finished:
    """A run in processes of its own, and the data that it was about."""

    run: Run
    data: Dataset
    by_row: dict[str, Record]
    parts: tuple[Ratings, Ratings, Ratings]  # training, test, histories


@pytest.fixture(scope="module")
def finished(
    run_bench: RunBench,
    ratings_file: Path,
    own_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Finished:
    out = tmp_path_factory.mktemp("new-users") / "run"
    rows = [word for row in ROWS for word in ("--algorithm", row)]
    spec = f"table:{ratings_file}"
    run_bench(
        "--dataset",
        spec,
        "--split",
        SPLIT,
        "--seed",
        3,
        *rows,
        "--no-report",
        "--out",
        out,
        check=4,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(own_data))
        data = datasets.load(spec)
    by_row = {record.cell.row: record for record in Run(out).records()}
    return Finished(Run(out), data, by_row, parts_of(data, 3))


def parts_of(data: Dataset, seed: int) -> tuple[Ratings, Ratings, Ratings]:
    train_rows, test_rows = divide(data, SPLIT, 1, 0, seed)
    history_rows = rows_of_histories(data, SPLIT, 1, 0, seed)
    ratings = data.ratings
    return ratings.take(train_rows), ratings.take(test_rows), ratings.take(history_rows)


def test_who_can_answer_is_ok_and_the_others_are_skipped_with_the_reason(
    finished: Finished,
) -> None:
    for row, record in finished.by_row.items():
        if row in SILENT:
            assert (record.status, record.reason) == (
                "skipped",
                "cannot answer users it has not seen",
            )
            assert record.fold_in is None
            continue
        assert record.status == "ok", record.reason
        assert set(record.costs) == {"convert", "fit", "rank"}
        assert record.fold_in is not None and record.fold_in.users == 24
        assert 0 < record.fold_in.p50_seconds <= record.fold_in.p99_seconds
        assert record.fold is not None and record.fold.cold_users == 24
        assert record.fold.history == len(finished.parts[2])


def expected_scores(finished: Finished, name: str) -> tuple[list[int], Floats]:
    """Of the held-out users, by a fit and a `fold_in` that are called here."""
    train, test, histories = finished.parts
    algorithm = create(name)
    units = Units.choose(algorithm, train.scale)
    given = units.convert_ratings(train)
    algorithm.prepare(given)
    algorithm.fit(algorithm.convert(given, finished.data.catalogue), 3)
    users = np.unique(test.users)
    told = questions._take_histories(histories, users)
    scores = algorithm.fold_in(units.convert_ratings(told))
    return users.tolist(), units.restore_scores(scores) if name == "als" else scores


@pytest.mark.parametrize("name", ["ease", "als"])
def test_the_answers_are_those_of_fold_in(finished: Finished, name: str) -> None:
    """To 1e-5; what was told is no candidate, and the best of the rest leads each list."""
    users, scores = expected_scores(finished, name)
    _, test, histories = finished.parts
    answers = finished.run.answers_of(finished.by_row[name])
    places = np.searchsorted(users, test.users)
    predicted = answers["scores"]
    if name == "als":
        predicted = Units((1.0, 5.0), (1.0, 5.0)).restore_scores(predicted)
    np.testing.assert_allclose(predicted, scores[places, test.items], rtol=0, atol=1e-5)

    for user, top in zip(answers["users"], answers["top_items"], strict=True):
        own = scores[users.index(user)].copy()
        known = histories.items[histories.users == user]
        assert not set(top) & set(known)
        own[known] = -np.inf
        assert own[top[0]] == pytest.approx(own.max(), abs=1e-5)


def test_every_number_comes_out_of_the_raw_answers_again(finished: Finished) -> None:
    ledger = Ledger()
    about = finished.run.read_plan()[1]
    recompute_metrics(finished.run, list(finished.by_row.values()), about, finished.data, ledger)
    assert not ledger.findings


def test_table_and_report_have_the_cost_of_one_user(finished: Finished, tmp_path: Path) -> None:
    with (finished.run.directory / "results.csv").open() as file:
        rows = {row["algorithm"]: row for row in csv.DictReader(file)}
    assert float(rows["ease"]["fold_in_p99_seconds"]) >= float(rows["ease"]["fold_in_p50_seconds"])
    assert rows["ease"]["fold_in_users"] == "24" and rows["bpr"]["fold_in_users"] == ""

    build(finished.run.directory, out=tmp_path, sections=["new_users"])
    report = (tmp_path / "report.md").read_text()
    assert "How are new users answered?" in report
    assert "2 rows cannot answer users they have not seen" in report
    n_told = len(finished.parts[2])
    assert f"In fold 0 {n_told} ratings of 24 users are told and" in report
    assert "| row | p50 | p99 | users timed |" in report
    kinds = [spot.kind for spot in finished.run.read_plan()[1].blind_spots]
    assert "most test ratings are cold" not in kinds


def in_process(out: Path, file: Path, **options: Any) -> list[Record]:
    """The records of a run in this process, which takes milliseconds a cell."""
    request = Request(dataset=f"table:{file}", **options)
    settings = Settings(run=Run(out), limits=parse_limits("10m", None, None), debug=True)
    return measure_plan(check_request(request), settings, "test", None)


def test_a_report_on_other_splits_says_nothing_of_new_users(
    ratings_file: Path, tmp_path: Path
) -> None:
    in_process(tmp_path / "run", ratings_file, algorithms=("item-mean",), folds=2)
    assert describe_new_users(Results.read(tmp_path / "run")) is None


@pytest.mark.parametrize("split", [SPLIT, "new-users-by-time[given=2]"])
def test_rows_are_tuned_by_a_validation_group(
    ratings_file: Path, tmp_path: Path, split: str
) -> None:
    """The trials ask users of the training part; who cannot answer has one trial, skipped."""
    file = tmp_path / "ratings.csv"
    lines = ratings_file.read_text().splitlines()
    # by user, so that some come late
    file.write_text("\n".join([lines[0], *sorted_by_user(lines[1:])]))
    records = in_process(
        tmp_path / "run", file, algorithms=("ease", "bpr"), split=split, tune="2", seed=1
    )
    by_row = {record.cell.row: record for record in records}
    assert by_row["ease (tuned)"].status == "ok", by_row["ease (tuned)"].reason
    assert by_row["bpr (tuned)"].status != "ok"
    tuning = by_row["ease (tuned)"].cell.tuning
    assert tuning is not None and tuning["n_trials"] == 2
    assert tuning["inner"].startswith("new-users")


def sorted_by_user(lines: list[str]) -> list[str]:
    """The lines with times in the order of the users' ids."""
    fields = sorted((line.split(",")[:3] for line in lines), key=lambda line: int(line[0]))
    return [",".join([*line, str(10_000 * place)]) for place, line in enumerate(fields)]


# What the algorithm may know


def scores_with(
    out: Path, file: Path, changed: Callable[[str, bool], str], tested: set[tuple[str, str]]
) -> dict[str, Any]:
    """The raw answers of ease after the values of the test part were changed in the file."""
    lines = file.read_text().splitlines()
    other = out / "ratings.csv"
    out.mkdir()
    written = [lines[0]]
    for line in lines[1:]:
        user, item, value, time = line.split(",")
        written.append(",".join([user, item, changed(value, (user, item) in tested), time]))
    other.write_text("\n".join(written))
    (record,) = in_process(out / "run", other, algorithms=("user-item-bias",), split=SPLIT, seed=3)
    assert record.status == "ok", record.reason
    return Run(out / "run").answers_of(record)


def check_blind(finished: Finished, file: Path, directory: Path) -> None:
    """Answers do not depend on the values of the test part, whichever they are."""
    _, test, _ = finished.parts
    ids = zip(finished.data.user_ids[test.users], finished.data.item_ids[test.items], strict=True)
    tested = {(str(user), str(item)) for user, item in ids}
    same = scores_with(directory / "a", file, lambda value, _: value, tested)
    other = scores_with(
        directory / "b",
        file,
        lambda value, is_test: f"{6 - float(value)}" if is_test else value,
        tested,
    )
    assert np.array_equal(same["scores"], other["scores"]), "test values are known"


def test_new_users_are_answered_from_what_is_told_alone(
    finished: Finished, ratings_file: Path, tmp_path: Path
) -> None:
    check_blind(finished, ratings_file, tmp_path)


def tell_the_test_part(patch: pytest.MonkeyPatch) -> None:
    def broken(dataset: Dataset, *division: Any) -> Rows:
        return np.concatenate(
            [rows_of_histories(dataset, *division), divide(dataset, *division)[1]]
        )

    patch.setattr(worker, "rows_of_histories", broken)


def train_on_the_test_part(patch: pytest.MonkeyPatch) -> None:
    def broken(dataset: Dataset, *division: Any) -> tuple[Rows, Rows]:
        train, test = divide(dataset, *division)
        return np.concatenate([train, test]), test

    patch.setattr(worker, "divide", broken)


@pytest.mark.parametrize("broken", [tell_the_test_part, train_on_the_test_part])
def test_a_harness_that_tells_too_much_is_caught(
    finished: Finished,
    ratings_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[pytest.MonkeyPatch], None],
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError, match="test values are known"):
        check_blind(finished, ratings_file, tmp_path)


def test_the_process_of_the_algorithm_is_told_no_test_rating(
    finished: Finished, ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes to it: the training part, and histories of users without their numbers."""
    told: list[Ratings] = []
    fold_in = subject.LocalSubject.fold_in

    def listening(self: subject.LocalSubject, ratings: Ratings) -> Floats:
        told.append(ratings)
        return fold_in(self, ratings)

    monkeypatch.setattr(subject.LocalSubject, "fold_in", listening)
    in_process(tmp_path / "run", ratings_file, algorithms=("ease",), split=SPLIT, seed=3)
    (ratings,) = told
    _, test, histories = finished.parts
    assert len(ratings) == len(histories)
    assert ratings.n_users == len(np.unique(test.users)) == ratings.users.max() + 1
    assert sorted(ratings.items) == sorted(histories.items)


def test_one_by_one_is_each_of_the_first_users() -> None:
    ratings = Ratings(
        np.array([2, 0, 2, 0], np.int32),
        np.array([1, 2, 3, 0], np.int32),
        np.array([1, 2, 3, 4], np.float32),
        4,
        5,
        (1.0, 5.0),
        np.arange(4),
    )
    alone = subject.split_users(ratings, 3)
    assert [part.items.tolist() for part in alone] == [[2, 0], [], [1, 3]]
    assert {(part.n_users, part.n_items) for part in alone} == {(1, 5)}

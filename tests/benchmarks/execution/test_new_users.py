"""Runs whose test users were held out whole: what is asked, what comes out, what nobody may see."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from recbench.reports.answers import describe_short_histories, summarise_run
from recbench.reports.build import build
from recbench.reports.drawing import accuracy_heatmap
from recbench.reports.rendering import Heading
from recbench.reports.results import Results
from recbench.reports.sections.accuracy import accuracy as describe_accuracy
from recbench.reports.sections.occasional.new_users import new_users as describe_new_users
from recbench.reports.words import explain_split
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


def test_the_table_has_the_cost_of_one_user(finished: Finished) -> None:
    with (finished.run.directory / "results.csv").open() as file:
        rows = {row["algorithm"]: row for row in csv.DictReader(file)}
    assert float(rows["ease"]["fold_in_p99_seconds"]) >= float(rows["ease"]["fold_in_p50_seconds"])
    assert rows["ease"]["fold_in_users"] == "24" and rows["bpr"]["fold_in_users"] == ""


@pytest.fixture(scope="module")
def report(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sections of the run's report in which new users are spoken of, as Markdown."""
    out = tmp_path_factory.mktemp("report")
    said = ["summary", "division", "new_users", "slices", "failures", "method"]
    build(finished.run.directory, out=out, sections=said)
    return (out / "report.md").read_text() + (out / "algorithms.md").read_text()


def test_the_report_says_who_is_new_and_how_each_row_answers(
    finished: Finished, report: str
) -> None:
    _, test, histories = finished.parts
    n_told = len(histories)
    assert "How are new users answered?" in report
    assert "2 rows cannot answer users they have not seen" in report
    assert f"In fold 0, {n_told} ratings of 24 users are told and {len(test)} tested" in report
    assert "30% of the users are held out whole; 70% of each one's ratings are told" in report
    assert "drawn at random like the users" in report
    assert "These users are not really new" in report
    assert "| row | how | RMSE | nDCG@10 | p50 | p99 |" in report
    assert "| ease | History times matrix: " in report
    assert "New users: One half step in closed form" in report
    assert "New users: cannot answer them" in report
    kinds = [spot.kind for spot in finished.run.read_plan()[1].blind_spots]
    assert "most test ratings are cold" not in kinds


def test_the_report_counts_who_is_tested_and_what_is_told(finished: Finished, report: str) -> None:
    train, test, histories = finished.parts
    n_told = np.bincount(histories.users)[np.unique(test.users)]
    n_tested = 0
    for record in finished.by_row.values():
        of_users = [part for part in record.slices if part.kind == "users" and part.size]
        of_items = [part for part in record.slices if part.kind == "items"]
        if record.status != "ok":
            continue
        n_tested = sum(part.size for part in of_users)
        assert {part.counted for part in of_users} == {"told"}
        assert min(part.lowest or 0 for part in of_users) == n_told.min()
        assert max(part.highest or 0 for part in of_users) == n_told.max()
        # an item that is only told is not learned from
        n_cold = train.n_items - len(np.unique(train.items))
        assert of_items[0].size == n_cold
        assert sum(part.n_test for part in of_items) == len(test)
    assert n_tested == 24

    assert "24 that are tested |" in report
    assert " told ratings<br>" in report
    assert "without the user's told items" in report
    assert f"| told ratings a fold | {len(histories):,} |" in report


def test_the_report_counts_no_row_that_was_skipped(report: str) -> None:
    assert f"3 of {len(ROWS)} recommenders compared" in report
    assert "Skipped, since they cannot answer new users: bpr and numpy-sgd." in report
    assert "Without a mean" not in report
    # nothing is to be tried again, and neither command would do anything
    assert report.count("would end the same") == 2
    assert "--algorithm numpy-sgd --out again" not in report
    assert "--algorithm ease --out again" in report
    # what did not run cannot have given other numbers
    assert "| bpr | not checked |" not in report
    assert "not checked for" not in report


def test_of_one_fold_nothing_is_averaged(finished: Finished) -> None:
    results = Results.read(finished.run.directory)
    headings = [
        block.text for block in describe_accuracy(results) or [] if isinstance(block, Heading)
    ]
    assert headings == ["Does the metric matter?", "Where do hyperparameters come from?"]
    for sentence in summarise_run(results):
        assert "over the folds" not in sentence
    assert "over folds" not in accuracy_heatmap(results).title


def test_splits_of_new_users_are_said_in_words() -> None:
    assert explain_split("new-users").startswith("20% of the users are held out whole; 80% of each")
    assert "2014-01-01 or later" in explain_split("new-users-by-time[at=2014-01-01,given=3]")
    by_time = explain_split("new-users-by-time[at=2014-01-01,given=3]")
    assert "the first 3 ratings of each in time" in by_time
    assert explain_split("liang-2018[users=100]").startswith("100 users with five likes or more")
    assert explain_split("kfold") == ""


def test_the_first_screen_says_where_another_row_leads_for_short_histories(
    finished: Finished,
) -> None:
    results = Results.read(finished.run.directory)
    best = results.best("ndcg@10")[0].name
    leader = next(row.name for row in results.compared if row.name != best)

    def give_short_histories(value_of_leader: float) -> list[str]:
        """What is said where all rows have .1, and one of them this value."""
        records = []
        for record in results.records:
            value = value_of_leader if record.cell.row == leader else 0.1
            slices = [
                part.model_copy(update={"ndcg@10": value} if part.group == "least active" else {})
                for part in record.slices
            ]
            records.append(replace(record, slices=slices))
        sentences = describe_short_histories(replace(results, records=records))
        return [sentence for sentence in sentences if "nDCG@10" in sentence]

    assert not give_short_histories(0.1)
    (sentence,) = give_short_histories(0.9)
    assert f"{leader} leads in nDCG@10, 0.9000 against 0.1000 of {best}; whether by" in sentence


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

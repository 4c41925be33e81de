"""Examples say what the raw answers say: on real runs of which cells fail, and on ratings small
enough to count.
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from typer.testing import CliRunner

from recbench import datasets
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.records.examples import (
    FILE,
    Examples,
    Person,
    draw_users,
    find_users,
    read_examples,
    write_examples,
)
from recbench.benchmarks.records.facts import AlgorithmDescription
from recbench.benchmarks.records.leftovers import find_leftovers
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.run import run
from recbench.benchmarks.splits import divide
from recbench.benchmarks.verify import verify
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.ratings import Catalogue, Dataset, Provenance, Ratings
from tests.conftest import RunBench
from tests.reports.invented_runs import cell, failed, ok, write

ROWS = ("user-item-bias", "faulty-abstains", "faulty-raises", "popularity")
ARGUMENTS = [
    "--folds",
    2,
    "--no-report",
    "--debug",
    "--plugin",
    "faulty",
    *(part for row in ROWS for part in ("--algorithm", row)),
]


@pytest.fixture(scope="module")
def finished(
    ratings_file: Path, run_bench: RunBench, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A real run of predictors, a ranker and a row that fails."""
    out = tmp_path_factory.mktemp("run")
    run_bench("--dataset", f"table:{ratings_file}", *ARGUMENTS, "--out", out, check=4)
    return out


def read(directory: Path) -> Examples:
    found = read_examples(directory)
    assert found
    return found


def slow(
    person: Person, dataset: Dataset, results: Run, record: Record
) -> tuple[list[int] | None, list[tuple[Any, ...]]]:
    """What a row recommends, and its predictions by closeness, one rating after the other."""
    train_rows, test_rows = divide(dataset, "kfold", 2, 0, 0)
    arrays = results.answers(record.cell)
    user = dataset.user_ids.tolist().index(int(person.id))
    mean = float(dataset.ratings.values[train_rows].mean(dtype=np.float64))
    predictions = []
    for place, row in enumerate(test_rows):
        if dataset.ratings.users[row] == user:
            said = float(arrays["scores"][place])
            said = min(max(mean if math.isnan(said) else said, 1.0), 5.0)
            item = int(dataset.ratings.items[row])
            stars = float(dataset.ratings.values[row])
            assert person.tested[item] == stars
            predictions.append((abs(said - stars), item, said))
    assert len(predictions) == person.n_test == len(person.tested)
    lists = dict(zip(arrays["users"].tolist(), arrays["top_items"].tolist(), strict=True))
    top = lists.get(user)
    return top and top[:5], [(item, said) for _, item, said in sorted(predictions)]


def test_examples_are_what_the_raw_answers_say(finished: Path, ratings_file: Path) -> None:
    dataset = datasets.load(f"table:{ratings_file}")
    results = Run(finished)
    examples = read(finished)
    assert (examples.digest, examples.fold, examples.named) == (dataset.digest, 0, False)
    assert len({person.id for person in examples.people}) == 3 and not examples.similar
    records = {record.cell.row: record for record in results.records() if record.cell.fold == 0}
    for person in examples.people:
        assert (
            person.n_test >= 5
            and person.n_relevant == sum(stars >= 4 for stars in person.tested.values()) > 0
        )
        values = [stars for _, stars in person.favourites]
        assert values == sorted(values, reverse=True) and 0 < len(values) <= min(8, person.n_train)
        assert not set(person.tested) & {item for item, _ in person.favourites}
        assert [answer.row for answer in person.answers] == [
            row for row in ROWS if row != "faulty-raises"
        ]
        for answer in person.answers:
            record = records[answer.row]
            assert (answer.key, answer.sha256) == (record.cell.key, record.answers)
            top, ordered = slow(person, dataset, results, record)
            assert answer.recommended == top
            if answer.row == "popularity":
                assert not answer.nearest and not answer.compared
                continue
            shown = [*answer.nearest, *answer.farthest]
            expected = ordered if len(ordered) <= 10 else [*ordered[:5], *ordered[-5:]]
            assert [item for item, _ in shown] == [item for item, _ in expected]
            assert [said for _, said in shown] == pytest.approx([said for _, said in expected])
            assert answer.compared == pytest.approx(
                [dict(ordered)[item] for item in person.compared]
            )
    assert {examples.titles[item] for person in examples.people for item in person.compared} <= set(
        dataset.catalogue.titles
    )


def test_what_is_written_is_small_sorted_and_verified(finished: Path) -> None:
    content = (finished / FILE).read_bytes()
    keys = list(json.loads(content))
    assert keys == sorted(keys) and len(content) < 30_000
    result = CliRunner().invoke(
        application(verify), [str(finished), "--plugin", "tests.plugins.faulty"]
    )
    assert result.exit_code == 0, result.output
    (finished / f".{FILE}.abcd1234.tmp").write_text("half")
    assert [path.name for path in find_leftovers(finished)] == [f".{FILE}.abcd1234.tmp"]


def test_other_users_are_shown_without_fitting_anything(
    finished: Path, ratings_file: Path, run_bench: RunBench
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished / "records").glob("*.npz")}
    drawn = (finished / FILE).read_bytes()
    reproduce = Run(finished).read_plan()[1].reproduce
    dataset = f"table:{ratings_file}"
    again = [*ARGUMENTS, "--out", finished]
    run_bench(
        "--dataset",
        dataset,
        *again,
        "--show-user",
        1003,
        "--show-user",
        1001,
        "--show-user",
        1003,
        check=4,
    )
    examples = read(finished)
    assert [person.id for person in examples.people] == ["1003", "1001"] and examples.named
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert Run(finished).read_plan()[1].reproduce == reproduce and "--show-user" not in reproduce
    write_examples(Run(finished), Run(finished).records(), datasets.load(dataset), [])
    assert (finished / FILE).read_bytes() == drawn, "the same seed draws the same users"


def test_an_unknown_user_is_refused_before_anything_runs(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        "random",
        "--out",
        tmp_path / "out",
    ]
    wrong = [*map(str, arguments), "--show-user", "10033"]
    for refused in (
        run_bench(*wrong, check=2),
        CliRunner().invoke(application(run), [*wrong, "--dry-run"]),
    ):
        assert "--show-user 10033" in refused.stderr and "Did you mean '1033'?" in refused.stderr
        assert "for example, 1" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("out/records/*"))


def test_where_every_cell_fails_there_are_users_and_no_lists(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    rows = [
        "--algorithm",
        "faulty-raises",
        "--plugin",
        "faulty",
        "--folds",
        2,
        "--no-report",
        "--debug",
    ]
    run_bench("--dataset", f"table:{ratings_file}", *rows, "--out", tmp_path, check=4)
    people = read(tmp_path).people
    assert len(people) == 3 and all(person.favourites and not person.answers for person in people)


def small() -> Dataset:
    """Four users: 0 has early ratings only, 1 late ones only, 2 both, 3 both but none that is
    relevant.
    """
    users = np.array([0, 0, 2, 2, 3, 1, 1, 2, 3], np.int32)
    items = np.array([0, 1, 0, 2, 1, 0, 3, 3, 2], np.int32)
    values = np.array([5, 3, 4, 2, 3, 4, 1, 5, 2], np.float32)
    ratings = Ratings(users, items, values, 4, 4, (1.0, 5.0), np.arange(9, dtype=np.int64))
    overviews = ("", "robots and planets", "planets and robots in love", "a wedding in Paris")
    about = Catalogue(("A", "B", "C", "D (1999)"), (1990, None, None, 1999), ((),) * 4, overviews)
    ids = np.array(["ann", "bob", "cyd", "dan"])
    return Dataset("small", ratings, about, ids, np.arange(4), Provenance((), "", ""))


def answered(
    directory: Path, fold_failed: bool = False, predicts: Literal["ratings", "order"] = "ratings"
) -> tuple[Dataset, list[Record]]:
    """A run of one row over one division of `small` by time, by a plan that says what it
    predicts.
    """
    dataset = small()
    planned = replace(cell("item-mean", 0, 1), split="time[at=0.6]", digest=dataset.digest)
    record = failed(planned, "timeout", "slow") if fold_failed else ok(planned, 1.0)
    write(directory, [record])
    about = Run(directory).read_plan()[1]
    algorithms = {planned.row: AlgorithmDescription(definition="Made up.", predicts=predicts)}
    Run(directory).write_plan([planned], about.replaced(algorithms=algorithms))
    if not fold_failed:
        answers = {
            "scores": np.array([9, np.nan, 4, 2.5], np.float32),
            "users": np.array([1, 2], np.int32),
        }
        Run(directory).write(
            record, answers | {"top_items": np.array([[1, 0, 2], [3, 1, -1]], np.int32)}
        )
    return dataset, Run(directory).records()


def test_users_without_training_or_test_ratings_or_relevant_ones(tmp_path: Path) -> None:
    dataset, records = answered(tmp_path)
    write_examples(
        Run(tmp_path), records, dataset, find_users(dataset, ["dan", "ann", "bob", "cyd"])
    )
    dan, ann, bob, cyd = read(tmp_path).people
    assert (ann.id, ann.n_train, ann.n_test, ann.favourites) == ("ann", 2, 0, [(0, 5.0)]), (
        "3 is below her mean"
    )
    assert ann.answers[0].recommended is None and ann.answers[0].nearest == []
    assert (bob.n_train, bob.favourites, bob.answers[0].recommended) == (0, [], [1, 0, 2])
    mean = (5 + 3 + 4 + 2 + 3) / 5
    assert bob.answers[0].nearest == [(0, 5.0), (3, pytest.approx(mean))], (
        "clipped; the training mean for NaN"
    )
    assert cyd.answers[0].recommended == [3, 1], "-1 is where candidates ran out"
    assert (dan.n_relevant, dan.answers[0].recommended, dan.answers[0].nearest) == (
        0,
        None,
        [(2, 2.5)],
    )
    assert read(tmp_path).titles[3] == "D (1999)" and read(tmp_path).titles[0] == "A (1990)"


@pytest.mark.parametrize("predicts", ["ratings", "order"])
def test_what_a_row_predicts_is_asked_of_the_plan_and_not_of_its_rmse(
    tmp_path: Path, predicts: Literal["ratings", "order"]
) -> None:
    dataset, records = answered(tmp_path, predicts=predicts)
    (record,) = records
    undefined = None if predicts == "ratings" else 1.0
    misleading = replace(record, metrics=record.metrics | {"rmse": undefined})
    write_examples(Run(tmp_path), [misleading], dataset, find_users(dataset, ["dan"]))
    (answer,) = read(tmp_path).people[0].answers
    expected = [(2, 2.5)] if predicts == "ratings" else []
    assert answer.nearest == expected


def test_descriptions_nearest_to_the_most_rated_that_has_one(tmp_path: Path) -> None:
    dataset, records = answered(tmp_path)
    write_examples(Run(tmp_path), records, dataset, [])
    similar = read(tmp_path).similar
    assert similar and (similar.item, similar.n_ratings) == (1, 2), (
        "A has more ratings and no description"
    )
    assert [item for item, _ in similar.nearest] == [2], "D shares no word with it"
    assert 0 < similar.nearest[0][1] < 1


def test_users_are_drawn_from_the_telling_ones_first() -> None:
    everybody = np.repeat(np.arange(20, dtype=np.int32), 6)
    items = np.tile(np.arange(6, dtype=np.int32), 20)
    values = np.where(everybody < 17, 2, 5).astype(np.float32)
    test = Ratings(everybody, items, values, 20, 6, (1.0, 5.0))
    assert set(draw_users(test, test, 4.0, 0)) == {17, 18, 19}
    assert (
        draw_users(test, test, 6.0, 0)
        == draw_users(test, test, 6.0, 0)
        != draw_users(test, test, 6.0, 1)
    ), "nobody is relevant"
    one = test.take(np.flatnonzero((everybody == 3) | (everybody == 18)))
    assert draw_users(test, one, 4.0, 0) == [18, 3], "who there is"


def test_a_run_without_answers_or_with_damaged_ones_has_examples_all_the_same(
    tmp_path: Path,
) -> None:
    dataset, records = answered(tmp_path / "a", fold_failed=True)
    write_examples(Run(tmp_path / "a"), records, dataset, [])
    assert all(not person.answers for person in read(tmp_path / "a").people)
    dataset, records = answered(tmp_path / "b")
    Run(tmp_path / "b").write(records[0], {"scores": np.zeros(4, np.float32)})
    write_examples(Run(tmp_path / "b"), records, dataset, [])
    assert all(not person.answers for person in read(tmp_path / "b").people)


def test_a_damaged_file_is_named_and_another_form_is_none(tmp_path: Path) -> None:
    assert read_examples(tmp_path) is None
    for content in ('{"schema": 0}', "[]"):
        (tmp_path / FILE).write_text(content)
        assert read_examples(tmp_path) is None
    for content in ('{"schema": 1, "people": 3}', "{", "\x00"):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(UsageError, match=r"examples\.json is damaged"):
            read_examples(tmp_path)

"""Answers from elsewhere: judged as every row is, checked hard, and never taken for measured."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from recbench import datasets
from recbench.benchmarks.api import Settings, measure_plan, parse_limits
from recbench.benchmarks.compare import compare
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.console.display import summarise_record
from recbench.benchmarks.export import export
from recbench.benchmarks.gating import parse_tolerance
from recbench.benchmarks.gating.verdicts import judge_time
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.models import MeasuredRun
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.planning.external import attach_files
from recbench.benchmarks.records import Cell, Record, Run
from recbench.benchmarks.verify import verify
from recbench.datasets import Dataset, UsageError
from recbench.reports.answers import (
    answer_checklist,
    list_cautions,
    list_claims,
    summarise_run,
    write_answers,
)
from recbench.reports.drawing import cost_heatmap
from recbench.reports.results import Results
from tests.foreign_program import answer_folds, read_rows, write_rows

N_FOLDS = 2
SECOND_LISTS = Path("fold-0", "lists.parquet")
Damage = Callable[[Path], object]


@dataclass(frozen=True)
class Elsewhere:
    """A table, its exported folds, answers to them, and one run that asks these."""

    table: str
    data: Dataset
    folds: Path
    answers: Path
    run: Path

    def plan(self, path: Path, **more: object) -> list[Cell]:
        """The cells of a row whose answers are in `path`, planned as those of the run are."""
        cells = [
            replace(
                cell,
                parameters={"path": str(path)},
                given={"path": str(path)},
                external=None,
                **more,  # type: ignore[arg-type]
            )
            for cell in Run(self.run).read_plan()[0][:N_FOLDS]
        ]
        return attach_files(self.data, cells)

    def copy(self, directory: Path) -> Path:
        """The answers, to be damaged."""
        return Path(shutil.copytree(self.answers, directory / "answers"))


@pytest.fixture(scope="module")
def elsewhere(
    ratings_file: Path, own_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Elsewhere:
    """A real run of both kinds of answers together, of each alone, and of an algorithm."""
    directory = tmp_path_factory.mktemp("elsewhere")
    table = f"table:{ratings_file}"
    folds = directory / "folds"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(own_data))
        arguments = [table, "--folds", str(N_FOLDS), "--out", str(folds)]
        result = CliRunner().invoke(application(export), arguments)
        assert result.exit_code == 0, result.output

        answers = answer_folds(folds, directory / "answers")
        pairs = answer_folds(folds, directory / "pairs", ("ratings",))
        lists = answer_folds(folds, directory / "lists", ("lists",))
        rows = [f"external[path={path}]" for path in (answers, pairs, lists)]
        measure(table, directory / "run", *rows, "item-mean")
        return Elsewhere(table, datasets.load(table), folds, answers, directory / "run")


def measure(table: str, out: Path, *rows: str) -> list[Record]:
    """The records of a run in this process."""
    columns = ("rmse", "coverage", "ndcg@10", "precision@10", "recommenders:ndcg@10", "lightfm:auc")
    request = Request(table, algorithms=rows, folds=N_FOLDS, metrics=columns)
    settings = Settings(Run(out), parse_limits("10m", "8G", None), debug=True)
    return measure_plan(check_request(request), settings, "command of a test")


def test_numbers_are_those_of_the_files(elsewhere: Elsewhere) -> None:
    """Computed again from the files alone, with the definitions of the columns."""
    records = Run(elsewhere.run).records()[:N_FOLDS]
    assert [record.status for record in records] == ["ok"] * N_FOLDS
    for record in records:
        fold = f"fold-{record.cell.fold}"
        test = read_rows(elsewhere.folds / fold / "test.csv")
        predicted = {
            tuple(pair): float(score)
            for *pair, score in read_rows(elsewhere.answers / fold / "ratings.csv")
        }
        errors = [float(rating) - predicted[user, item] for user, item, rating, *_ in test]
        assert record.metrics["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))

        lists: dict[str, list[str]] = {}
        rows = read_rows(elsewhere.answers / fold / "lists.csv")
        for user, item, _ in sorted(rows, key=lambda row: -float(row[2])):
            lists.setdefault(user, []).append(item)
        liked: dict[str, set[str]] = {}
        for user, item, rating, *_ in test:
            if float(rating) >= 4:
                liked.setdefault(user, set()).add(item)
        hits = [len(items & set(lists[user][:10])) / 10 for user, items in liked.items()]
        assert record.metrics["precision@10"] == pytest.approx(np.mean(hits))


def test_what_files_do_not_hold_has_no_number(elsewhere: Elsewhere) -> None:
    both, pairs, lists = (Run(elsewhere.run).records()[place] for place in (0, 2, 4))
    for record in (both, pairs, lists):
        assert record.metrics.get("auc") is None
        assert record.metrics.get("lightfm:auc") is None, "training items are no part of the lists"
    assert both.metrics["coverage"] == pairs.metrics["coverage"] == 1
    assert pairs.metrics["rmse"] == both.metrics["rmse"] and pairs.metrics.get("ndcg@10") is None
    for column in ("ndcg@10", "recommenders:ndcg@10"):
        assert lists.metrics[column] == both.metrics[column]
    assert lists.metrics["rmse"] is lists.metrics["coverage"] is None

    groups = zip(both.slices, lists.slices, pairs.slices, strict=True)
    for of_both, of_lists, of_pairs in groups:
        assert of_both.n_test == of_lists.n_test == of_pairs.n_test
        assert of_lists.fallback is of_lists.rmse is None


def test_times_are_unknown_and_nobody_takes_them_for_nothing(elsewhere: Elsewhere) -> None:
    results = Results.read(elsewhere.run)
    external = results.external
    assert len(external) == 3
    name = external[0].name
    for row in external:
        assert row.seconds("convert", "fit", "rate", "rank") is None
        assert not any(record.costs for record in row.records)
    assert summarise_record(external[0].records[0], [])[3] == "not measured here"

    with (elsewhere.run / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["costs"] for line in lines] == ["not measured here"] * 6 + [""] * N_FOLDS
    assert {line["fit_seconds"] for line in lines[:6]} == {""}

    (value,) = [claim for claim in list_claims(results) if claim.question == "Best value"]
    assert not [row for row in value.rows if row.is_external]
    assert f"Not measured here, so left out: {name}" in value.remark
    ranked = [line for line in write_answers(results) if re.match(r" +\d external", line)]
    assert len(ranked) == 2 and all("  not measured here" in line for line in ranked)
    assert any(name in text for text in summarise_run(results) if "Not measured here" in text)
    tips = [square.tip for square in cost_heatmap(results).lines[0].squares]
    assert all("not measured here" in tip for tip in tips)

    record = external[0].records[0]
    verdict = judge_time("row", parse_tolerance("fit_seconds:+50%"), [record], [record])
    assert verdict.verdict == "NOT GATED" and "not measured here" in verdict.reason


def test_who_is_tuned_is_counted_without_them(elsewhere: Elsewhere) -> None:
    results = Results.read(elsewhere.run)
    names = {row.name for row in results.external}
    for rows in vars(results.defaults).values():
        assert not names & {row.name for row in rows}
    (caution,) = [one for one in list_cautions(results) if one.section == "accuracy"]
    assert caution.text.endswith(
        "were tuned is not known here. No other row is tuned on these data."
    )

    checklist = {
        question: (word, evidence) for question, word, evidence in answer_checklist(results)
    }
    for question in ("Are default and tuned rows kept apart?", "Is the test part unseen by fits?"):
        word, evidence = checklist[question]
        assert word == "not known" and results.external[0].name in evidence


def test_no_model_is_made_of_them(elsewhere: Elsewhere) -> None:
    chosen = MeasuredRun.read(elsewhere.run).choose("rmse")
    assert chosen.row == chosen.cheapest == "item-mean" and not chosen.not_different


def test_verification_compares_answers_with_files(elsewhere: Elsewhere, tmp_path: Path) -> None:
    run = Path(shutil.copytree(elsewhere.run, tmp_path / "run"))
    invoke = CliRunner().invoke
    result = invoke(application(verify), [str(run)])
    assert result.exit_code == 0, result.output
    assert "rows from files: " in result.output

    path = elsewhere.answers / "fold-0" / "ratings.csv"
    content = path.read_bytes()
    rows = read_rows(path)
    rows[0][2] = str(float(rows[0][2]) + 0.5)
    try:
        write_rows(path, rows)
        result = invoke(application(verify), [str(run)])
    finally:
        path.write_bytes(content)
    assert result.exit_code == 1
    assert "cell.external.files.ratings.csv" in result.output
    assert "scores: expected the answers in its files, found others" in result.output


def test_runs_compare_and_the_files_stand_in_the_key(elsewhere: Elsewhere, tmp_path: Path) -> None:
    arguments = [str(elsewhere.run), str(elsewhere.run), "--fail-on", "rmse:+1%"]
    result = CliRunner().invoke(application(compare), arguments)
    assert result.exit_code == 0, result.output

    answers = elsewhere.copy(tmp_path)
    before = elsewhere.plan(answers)
    assert before == elsewhere.plan(answers)
    rows = read_rows(answers / "fold-1" / "lists.csv")
    write_rows(answers / "fold-1" / "lists.csv", rows[::-1])
    after = elsewhere.plan(answers)
    assert before[0].key == after[0].key and before[1].key != after[1].key


def test_files_that_change_after_the_plan_fail_the_cell(
    elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = elsewhere.copy(tmp_path)
    plan = check_request(
        Request(elsewhere.table, algorithms=(f"external[path={answers}]",), folds=N_FOLDS)
    )
    cells = plan.make_cells(elsewhere.data)
    monkeypatch.setattr(type(plan), "make_cells", lambda plan, data: cells)
    shutil.rmtree(answers / "fold-0")
    rows = read_rows(answers / "fold-1" / "lists.csv")
    write_rows(answers / "fold-1" / "lists.csv", rows[::-1])

    settings = Settings(Run(tmp_path / "run"), parse_limits("10m", "8G", None), debug=True)
    gone, changed = measure_plan(plan, settings, "command of a test")
    assert gone.status == changed.status == "failed"
    assert "no answers for this fold" in (gone.reason or "")
    assert "the files have changed since the run was planned" in (changed.reason or "")


# What is wrong with files is said before anything is measured


def edit(name: str, change: Callable[[list[list[str]]], object]) -> Damage:
    """`change` gets the lines of the file so called of the first fold."""

    def damage(answers: Path) -> None:
        rows = read_rows(answers / "fold-0" / name)
        change(rows)
        write_rows(answers / "fold-0" / name, rows)

    return damage


def set_entry(column: int, text: str) -> Callable[[list[list[str]]], object]:
    return lambda rows: rows[4].__setitem__(column, text)


def take_training_item(answers: Path) -> None:
    user, item, *_ = read_rows(answers.parent / "folds" / "fold-0" / "train.csv")[0]
    rows = read_rows(answers / "fold-0" / "lists.csv")
    write_rows(answers / "fold-0" / "lists.csv", [*rows, [user, item, 1.0]])


def take_training_pair(answers: Path) -> None:
    user, item, *_ = read_rows(answers.parent / "folds" / "fold-0" / "train.csv")[0]
    rows = read_rows(answers / "fold-0" / "ratings.csv")
    write_rows(answers / "fold-0" / "ratings.csv", [*rows, [user, item, 1.0]])


def swap_sidecars(answers: Path) -> None:
    shutil.copy(answers / "fold-1" / "fold.json", answers / "fold-0" / "fold.json")


def swap_folds(answers: Path) -> None:
    """The answers of each fold say that they are for the other one."""
    (answers / "fold-0" / "fold.json").rename(answers / "kept")
    (answers / "fold-1" / "fold.json").rename(answers / "fold-0" / "fold.json")
    (answers / "kept").rename(answers / "fold-1" / "fold.json")


def write_other_digest(answers: Path) -> None:
    path = answers / "fold-1" / "fold.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"digest": "0" * 64, "split": "time"}))


def remove_answers(answers: Path) -> None:
    for path in answers.glob("fold-1/*.csv"):
        path.unlink()


def rename_columns(answers: Path) -> None:
    path = answers / "fold-0" / "lists.csv"
    path.write_text(path.read_text().replace("score", "rank", 1))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "NaN": (edit("ratings.csv", set_entry(2, "NaN")), "line 6: 'NaN'"),
    "empty score": (edit("lists.csv", set_entry(2, "")), "no finite number"),
    "infinite": (edit("lists.csv", set_entry(2, "inf")), "no finite number"),
    "words": (edit("ratings.csv", set_entry(2, "high")), "1 of 750 lines have a score"),
    "unknown user": (
        edit("ratings.csv", set_entry(0, "7")),
        "have user ids that the data do not",
    ),
    "unknown item": (edit("lists.csv", set_entry(1, "x")), "line 6: 'x'. Expected ids as in"),
    "no id": (edit("lists.csv", set_entry(1, "")), "have item ids that"),
    "twice": (edit("lists.csv", lambda rows: rows.append(rows[0])), "stands there before"),
    "training item": (take_training_item, "an item that the user has rated in training"),
    "other pair": (take_training_pair, "are not of the test part"),
    "missing pair": (edit("ratings.csv", lambda rows: rows.pop()), "1 of 750 pairs"),
    "missing user": (
        edit("lists.csv", lambda rows: rows.__setitem__(slice(24), [])),
        "users of the test part have no list",
    ),
    "short list": (edit("lists.csv", lambda rows: rows.__setitem__(slice(3), [])), "places that"),
    "one sidecar twice": (swap_sidecars, "have the same digest"),
    "folds swapped": (swap_folds, "rated in training|not of the test part"),
    "another fold": (write_other_digest, r"fold-1 is for fold 1 of 2 .*\(time, seed 0\)"),
    "other columns": (rename_columns, "expected the columns user,item,score"),
    "no sidecar": (lambda answers: (answers / "fold-0" / "fold.json").unlink(), "for this fold"),
    "damaged sidecar": (
        lambda answers: (answers / "fold-0" / "fold.json").write_text("{}"),
        "not the fold.json of an exported fold .digest: Field required.",
    ),
    "one fold without lists": (
        lambda answers: (answers / "fold-1" / "lists.csv").unlink(),
        "all folds need files of the same kinds, got fold 0: lists and ratings; fold 1: ratings",
    ),
    "no files": (remove_answers, "and no answers"),
    "two files": (
        lambda answers: shutil.copy(answers / "fold-0" / "lists.csv", answers / SECOND_LISTS),
        "lists.csv and lists.parquet: remove one",
    ),
    "no directory": (shutil.rmtree, "there is no such directory"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_is_wrong_is_said_before_anything_is_measured(
    kind: str, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    answers = elsewhere.copy(tmp_path)
    (tmp_path / "folds").symlink_to(elsewhere.folds)
    damage, words = DAMAGES[kind]
    damage(answers)
    with pytest.raises(UsageError, match=words) as refusal:
        elsewhere.plan(answers)
    assert f"external[path={answers}]" in str(refusal.value)


def test_other_folds_and_longer_lists_are_refused(elsewhere: Elsewhere) -> None:
    with pytest.raises(UsageError, match=r"fold-0 is for fold 0 of 2 .* export the folds"):
        elsewhere.plan(elsewhere.answers, split_seed=1)
    with pytest.raises(UsageError, match="fewer items than the 20 places"):
        elsewhere.plan(elsewhere.answers, protocol=Evaluation((20,)).to_json())
    with pytest.raises(
        UsageError, match=r"expected a directory with answers, as in external\[path"
    ):
        check_request(Request(elsewhere.table, algorithms=("external",))).make_cells(elsewhere.data)


def test_parquet_with_numbers_for_ids_is_the_same(elsewhere: Elsewhere, tmp_path: Path) -> None:
    answers = elsewhere.copy(tmp_path)
    for path in answers.glob("*/*.csv"):
        pl.read_csv(path).write_parquet(path.with_suffix(".parquet"))
        path.unlink()
    cells = elsewhere.plan(answers)
    assert [cell.kinds_of_files for cell in cells] == [["lists", "ratings"]] * N_FOLDS


def test_only_cold_starts_may_be_left_out(tmp_path: Path) -> None:
    """A user and an item without training ratings, and a list for who has rated everything: what a
    library cannot know is no error.
    """
    table = tmp_path / "ratings.csv"
    rows = [
        (user, item, 1 + (user * item) % 5, user + item) for user in range(9) for item in range(9)
    ]
    rows += [(99, 1, 5, 1000), (1, 99, 5, 1001)]
    lines = [",".join(map(str, row)) for row in rows]
    table.write_text("\n".join(["user,item,rating,timestamp", *lines]))
    folds = tmp_path / "folds"
    arguments = [f"table:{table}", "--split", "time[at=0.95]", "--out", str(folds)]
    assert CliRunner().invoke(application(export), arguments).exit_code == 0

    answers = answer_folds(folds, tmp_path / "answers")
    listed = {user for user, *_ in read_rows(answers / "fold-0" / "lists.csv")}
    assert "1" not in listed and "8" in listed
    path = answers / "fold-0" / "ratings.csv"
    kept = [row for row in read_rows(path) if "99" not in row[:2]]
    assert len(kept) == len(read_rows(path)) - 2
    write_rows(path, kept)
    row = f"external[path={answers}]"
    request = Request(f"table:{table}", algorithms=(row,), split="time[at=0.95]")
    settings = Settings(Run(tmp_path / "run"), parse_limits("10m", "8G", None), debug=True)
    (record,) = measure_plan(check_request(request), settings, "command of a test")
    assert record.metrics["coverage"] == pytest.approx(len(kept) / (len(kept) + 2))

"""An edited number is found, wherever it stands, on a real run that is edited for real."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.records.certificate import Certificate
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.verification.refit import SecondFit, excuse
from recbench.benchmarks.verify import verify
from recbench.datasets import UsageError
from recbench.reports.archive import pack_run
from recbench.reports.build import build, main
from recbench.reports.results import Results
from tests.conftest import ROOT, RunBench
from tests.forked_commands import Commands

HISTORIC = ROOT / "tests" / "historic"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def finished(
    ratings_file: Path, run_bench: RunBench, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A real run of a predictor, a ranker and one that fails, with a report of few figures, which
    most tests have built again.
    """
    directory = tmp_path_factory.mktemp("finished")
    rows = [
        part
        for row in ("item-mean", "popularity", "faulty-raises")
        for part in ("--algorithm", row)
    ]
    arguments = ["--dataset", f"table:{ratings_file}", "--folds", 2, *rows, "--plugin", "faulty"]
    columns = [
        part for column in ("rmse", "ndcg@10", "lightfm:auc") for part in ("--metric", column)
    ]
    run_bench(*arguments, *columns, "--debug", "--no-report", "--out", directory, check=4)
    build(directory, sections=["summary", "accuracy", "slices", "failures", "method"])
    return directory


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """The same run, to be edited; nothing in it may be changed by looking at it."""
    yield Path(shutil.copytree(finished, tmp_path / "run"))


def verified(directory: Path, *more: str) -> Result:
    return CliRunner().invoke(
        application(verify), [str(directory), "--plugin", "tests.plugins.faulty", *more]
    )


def found(directory: Path, *more: str, code: int = 1) -> str:
    """What the command says; it must not have written anything."""
    before = contents(directory)
    result = verified(directory, *more)
    assert result.exit_code == code, result.output
    assert contents(directory) == before
    return result.output


def contents(directory: Path) -> dict[str, str]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def edit(path: Path, change: Change) -> None:
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields, sort_keys=True, indent=1) + "\n")


def record_of(directory: Path, row: str, ending: str = ".json") -> Path:
    cells, _ = Run(directory).read_plan()
    return Run(directory).path(next(cell for cell in cells if cell.row == row), ending)


def test_a_run_as_it_was_left_is_fine(run: Path) -> None:
    said = found(run, code=0)
    n_metrics = sum(len(record.metrics) for record in Run(run).records())
    assert n_metrics >= 4 * 33  # 7 of ratings, twice 13 of lists, and those that came later
    assert f"{n_metrics} metrics recomputed from the raw answers" in said
    assert "6 planned cells, 4 of them ok; 12 keys" in said
    assert re.search(r"results\.csv: \d\d+ values", said)
    assert re.search(r"report\.html: \d\d+ values", said)
    assert re.search(r"profile\.json: [\d,]+ values", said)
    assert re.search(r"examples\.json: [\d,]+ values", said)
    assert "the report, built again: every page and figure compared to the byte" in said
    assert "All as it should be." in said


def test_a_run_without_report_and_table_is_fine(run: Path) -> None:
    build(run)  # with all sections: without the page nobody knows which there were
    for name in ("report.html", "results.csv"):
        (run / name).unlink()
    said = found(run, code=0)
    assert "results.csv: not there" in said
    assert "report.html: not there" in said


def change_number(path: Path) -> None:
    """Another digit in the first visible figure of four decimals."""
    text = path.read_text()
    number = re.search(r"(?<=[ >])\d?\.\d{4}(?=[ <])", text)
    assert number is not None
    path.write_text(f"{text[: number.start()]}.1111{text[number.end() :]}")


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_an_edited_visible_number_of_the_report_is_found(run: Path, name: str) -> None:
    """And nothing else is: the run had a plug-in, which the build in a process of its own lacks."""
    change_number(run / name)
    said = found(run)
    assert f"{run / name}: not what the records give" in said
    assert "FAILED: 1 discrepancy" in said


@pytest.mark.parametrize(
    ("name", "change", "place"),
    [
        ("profile.json", lambda fields: fields["stars"].update(mean=1.5), "stars.mean: expected"),
        (
            "examples.json",
            lambda fields: fields["people"][0].update(n_train=1234),
            "people[0].n_train: expected",
        ),
        (
            "examples.json",
            lambda fields: fields["people"][0]["answers"][0].update(sha256="0"),
            "people[0].answers[0].sha256: expected",
        ),
        ("profile.json", lambda fields: fields.update(digest="0"), "not about this run's data"),
    ],
    ids=["profile", "examples", "answers of examples", "profile of others"],
)
def test_an_edited_description_of_the_data_is_found(
    run: Path, name: str, change: Change, place: str
) -> None:
    edit(run / name, change)
    said = found(run)
    assert f"{name}: {place}" in said or f"{run / name} is {place}" in said
    assert "FAILED: 1 discrepancy" in said


@pytest.mark.parametrize("name", ["plan.json", "record", "profile.json", "examples.json"])
def test_a_key_that_stands_twice_is_found(run: Path, name: str) -> None:
    """The second one counts for Python, the first one for a reader."""
    path = record_of(run, "item-mean") if name == "record" else run / name
    path.write_text(path.read_text().replace("{", '{"schema": 1, ', 1))
    said = found(run, code=1 if name in ("profile.json", "examples.json") else 2)
    assert "the key 'schema' stands twice in one object" in said


def test_a_column_of_the_table_that_stands_twice_is_found(run: Path) -> None:
    path = run / "results.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([f"rmse,{header}", *(f".1,{line}" for line in lines)]) + "\n")
    assert "results.csv: columns: expected each column once" in found(run)


def metric(name: str, factor: float) -> Change:
    def change(fields: dict[str, Any]) -> None:
        fields["metrics"][name] *= factor

    return change


@pytest.mark.parametrize("more", [(), ("--without-data",)], ids=["data", "no data"])
@pytest.mark.parametrize("name", ["rmse", "precision@10", "lightfm:auc", "novelty@10"])
def test_an_edited_metric_is_found_in_the_record(
    run: Path, name: str, more: tuple[str, ...]
) -> None:
    path = record_of(run, "item-mean")
    before = json.loads(path.read_text())["metrics"][name]
    edit(path, metric(name, 1.001))
    for other in ("report.html", "results.csv"):
        (run / other).unlink()  # so that only the raw answers can tell
    said = found(run, *more)
    line = next(line for line in said.splitlines() if f"metrics.{name}" in line)
    assert line.startswith(f"records/{path.name}: metrics.{name}: expected {str(before)[:4]}")
    assert line.endswith(f"found {before * 1.001!r}")
    assert "FAILED: 1 discrepancy" in said


def test_a_metric_is_found_to_the_ninth_digit(run: Path) -> None:
    edit(record_of(run, "item-mean"), metric("rmse", 1 + 3e-9))
    for other in ("report.html", "results.csv"):
        (run / other).unlink()
    assert "metrics.rmse: expected" in found(run)


def test_a_removed_metric_is_found(run: Path) -> None:
    edit(record_of(run, "item-mean"), lambda fields: fields["metrics"].pop("rmse"))
    said = found(run)
    assert ".npz: share_columns[0]: expected a metric of the record, found rmse" in said
    assert "results.csv: row 1 (item-mean, fold 0).rmse: expected nothing, found 1." in said


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda fields: fields["cell"].update(seed=1), "cell.seed: expected 0, found 1"),
        (
            lambda fields: fields["cell"]["parameters"].update(damping=3.0),
            "cell.parameters.damping",
        ),
        (lambda fields: fields["cell"].update(digest="0" * 64), "cell.digest"),
        (lambda fields: fields.update(key="0" * 12), "key: expected"),
        (lambda fields: fields["data"].update(digest="0" * 64), "data.digest"),
        (lambda fields: fields["data"].update(test=751), "data.test: expected 750, found 751"),
        (lambda fields: fields["data"]["sources"][0].update(n_bytes=1), "data.sources[0].n_bytes"),
        (lambda fields: fields["data"].update(test_rows="0" * 12), "data.test_rows"),
        (
            lambda fields: fields["data"].update(cold_users=1),
            "data.cold_users: expected 0, found 1",
        ),
        (lambda fields: fields["slices"][1].update(rmse=0.5), "slices[1].rmse"),
        (lambda fields: fields["raw_scores"].update(highest=4.5), "raw_scores.highest"),
        (lambda fields: fields["costs"]["fit"].update(seconds=1e-9), "costs.fit.seconds"),
        (lambda fields: fields["costs"]["fit"].update(peak_mb=1.0), "fit_peak_mb"),
        (lambda fields: fields.update(kernel_seconds=1.0), "kernel_seconds"),
        (lambda fields: fields.update(answers="0" * 64), "sha256 of the file"),
    ],
)
def test_edited_fields_of_a_record_are_found(run: Path, change: Change, place: str) -> None:
    path = record_of(run, "item-mean")
    edit(path, change)
    said = found(run)
    assert place in said
    assert any(name in said for name in (path.stem, "row 1", "records[0]"))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda fields: fields["slices"].clear(), "slices: expected 8 entries, found 0 entries"),
        (lambda fields: fields["slices"].pop(), "slices: expected 8 entries, found 7 entries"),
        (
            lambda fields: fields.update(answers=None),
            "answers: expected the sha256 of its raw answers, found nothing",
        ),
        (
            lambda fields: fields.pop("answers"),
            "answers: expected the sha256 of its raw answers, found nothing",
        ),
        (lambda fields: fields["metrics"].pop("gini@10"), "metrics.gini@10: expected 0."),
        (lambda fields: fields["data"].pop("train_rows"), "data.train_rows: expected "),
        (
            lambda fields: fields["data"].pop("cold_users"),
            "data.cold_users: expected 0, found nothing",
        ),
    ],
)
def test_what_is_taken_out_of_a_record_is_found_without_table_and_report(
    run: Path, change: Change, place: str
) -> None:
    for name in ("report.html", "results.csv"):
        (run / name).unlink()
    path = record_of(run, "item-mean")
    edit(path, change)
    said = found(run)
    assert f"records/{path.name}: {place}" in said
    assert "FAILED: 1 discrepancy" in said


def test_records_without_a_place_in_the_plan_are_mentioned(run: Path) -> None:
    # What was written for the plan that is edited here.
    for name in ("report.html", "report.md", "results.csv", "examples.json"):
        (run / name).unlink()
    assert "not in the plan" not in found(run, code=0)
    path = record_of(run, "popularity")
    key = path.stem.rpartition("-")[2]
    kept = [cell for cell in Run(run).read_plan()[0] if cell.key != key]
    Run(run).write_plan(kept, Run(run).read_plan()[1])
    assert f"records that are not in the plan, and so in no table: {path.name}" in found(
        run, code=0
    )


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the raw answers and keep the file's digest right, as someone might who knows of it."""
    with np.load(path) as arrays:
        kept = dict(arrays)
    change(kept)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **kept)
    path.write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    edit(path.with_suffix(".json"), lambda fields: fields.update(answers=digest))


def add(name: str, amount: float) -> Callable[[dict[str, Any]], None]:
    def change(arrays: dict[str, Any]) -> None:
        arrays[name].flat[0] += amount

    return change


@pytest.mark.parametrize(
    ("name", "amount", "place"),
    [
        ("scores", 0.1, "metrics.rmse: expected"),
        ("share_sums", 0.1, "share_sums of rmse, user 0: expected"),
        ("share_weights", 1, "share_weights of rmse, user 0: expected"),
        ("share_users", 1, "share_users: expected the users with a share"),
        ("top_items", 50, "top_items: expected items or -1"),
        ("users", 1, "users: expected the users with a relevant test item"),
        ("auc", -0.01, "metrics.auc: expected"),
        ("lightfm:auc", -0.01, "metrics.lightfm:auc: expected"),
    ],
)
def test_edited_raw_answers_are_found(run: Path, name: str, amount: float, place: str) -> None:
    path = record_of(run, "item-mean", ".npz")
    rewrite(path, add(name, amount))
    (run / "report.html").unlink()  # it holds the digest
    assert place in found(run)


@pytest.mark.parametrize("more", [(), ("--without-data",)], ids=["data", "no data"])
def test_an_edited_score_that_no_metric_needs_is_found(run: Path, more: tuple[str, ...]) -> None:
    path = record_of(run, "popularity", ".npz")
    with np.load(path) as arrays:
        kept = dict(arrays)
    kept["scores"][0] += 1
    np.savez(path, allow_pickle=False, **kept)
    assert f"records/{path.name}: sha256 of the file: expected " in found(run, *more)


def test_raw_answers_of_another_shape_are_found(run: Path) -> None:
    rewrite(
        record_of(run, "item-mean", ".npz"),
        lambda arrays: arrays.update(scores=arrays["scores"][1:]),
    )
    assert "shape of scores: expected (750,), found (749,)" in found(run)


@pytest.mark.parametrize("content", [None, b"", b"nothing", b"PK\x03\x04 and no more"])
def test_lost_or_damaged_raw_answers_are_named(run: Path, content: bytes | None) -> None:
    path = record_of(run, "item-mean", ".npz")
    path.unlink() if content is None else path.write_bytes(content)
    assert f"records/{path.name}: the file: expected the raw answers" in found(run)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (
            lambda plan: plan["cells"][0].update(seed=7),
            "plan.json: cells[0].seed: expected 0, found 7, and so no record",
        ),
        (
            lambda plan: plan["cells"][0]["parameters"].update(damping=1.0),
            "cells[0].parameters.damping: expected 0.0",
        ),
        (
            lambda plan: plan["cells"][0]["given"].update(damping=1.0),
            "cells[0].given.damping: expected 0.0, found 1.0",
        ),
        (lambda plan: plan["cells"][1].update(digest="0" * 64), "plan.json: cells[1].digest"),
        (
            lambda plan: plan["about"]["data"].update(ratings=1501),
            "about.data.ratings: expected 1500, found 1501",
        ),
        (lambda plan: plan["about"]["data"].update(users=81), "data.users: expected 81, found 80"),
        (
            lambda plan: plan["about"]["protocol"].update(ks=[5]),
            "cells[0].protocol.ks[0]: expected 5, found 10",
        ),
        (
            lambda plan: plan["about"]["environment"].update(cores=999),
            "about.environment.cores: expected 999",
        ),
    ],
)
def test_an_edited_plan_is_found(run: Path, change: Change, place: str) -> None:
    edit(run / "plan.json", change)
    assert place in found(run)


def test_a_planned_cell_without_record_is_named(run: Path) -> None:
    path = record_of(run, "popularity")
    path.unlink()
    assert f"(popularity, fold 0): expected a record {path.name}, found nothing" in found(run)


def test_an_edited_number_in_the_table_is_found(run: Path) -> None:
    path = run / "results.csv"
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    before = lines[1]["rmse"]
    lines[1]["rmse"] = "0.9"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(lines)
    said = found(run)
    assert f"results.csv: row 2 (item-mean, fold 1).rmse: expected {before}, found 0.9" in said
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "results.csv: rows: expected 6, found 5" in found(run)


def test_an_edited_number_in_the_report_is_found(run: Path) -> None:
    path = run / "report.html"
    record = Run(run).records()[0]
    number = json.dumps(record.metrics["rmse"])
    html = path.read_text()
    place = html.rindex(f'"rmse":{number}')
    path.write_text(html[:place] + html[place:].replace(number, "0.9", 1))
    assert f"report.html: records[0].metrics.rmse: expected {number}, found 0.9" in found(run)
    path.write_text(html.replace('id="records"', 'id="others"'))
    assert "report.html: the JSON of the records: expected 6 records, found nothing" in found(run)


def test_any_edit_of_the_report_is_found_by_building_it_again(run: Path) -> None:
    def checked() -> Result:
        return CliRunner().invoke(application(main), [str(run), "--check"])

    result = checked()
    assert (result.exit_code, result.output) == (0, "")
    page = run / "report.md"
    page.write_text(page.read_text().replace("item-mean", "item-median", 1))
    result = checked()
    assert result.exit_code == 1
    assert result.output.replace("\n", "") == f"{page}: not what the records give"
    assert "item-median" in page.read_text()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("plan.json", "{", "plan.json cannot be read"),
        (
            "plan.json",
            '{"schema": 2, "cells": [], "about": {}}',
            "schema 2; this version reads schema 1",
        ),
        (
            "plan.json",
            '{"schema": 1, "cells": [], "about": {}}',
            "plan.json lacks data, environment, protocol, reproduce, data.users",
        ),
        ("RECORD", '{"cell": ', "is damaged"),
        ("RECORD", '{"schema": 2}', "expected a record of schema 1, got schema 2"),
        ("RECORD", '{"schema": 1}', "is damaged: not a record"),
        ("RECORD", "[]", "expected a record of schema 1"),
        ("results.csv", 'a,b\n"1', "results.csv is damaged"),
        (
            "report.html",
            '<script type="application/json" id="records">{</script>',
            "report.html is damaged",
        ),
    ],
)
def test_damaged_files_are_named(run: Path, name: str, content: str, message: str) -> None:
    path = record_of(run, "item-mean") if name == "RECORD" else run / name
    path.write_text(content)
    said = found(run, code=2)
    assert message in said
    assert path.name in said
    assert "Traceback" not in said


def test_what_is_no_run_is_refused(run: Path, tmp_path: Path) -> None:
    assert "holds no results" in found(tmp_path / "nowhere", code=2)
    shutil.rmtree(run / "records")
    assert "holds a plan and no record" in found(run, code=2)


def test_lost_data_can_be_named_or_left_out(run: Path, tmp_path: Path, ratings_file: Path) -> None:
    edit(
        run / "plan.json",
        lambda plan: plan["about"].update(reproduce="x --dataset table:/gone/ratings.csv"),
    )
    for page in ("report.html", "report.md"):  # which show the command that was edited here
        (run / page).unlink()
    said = found(run, code=2)
    assert "there is no file /gone/ratings.csv" in said
    assert "--dataset says where they are now, --without-data verifies the rest" in said
    assert "metrics recomputed" in found(run, "--dataset", f"table:{ratings_file}", code=0)
    shares = [Run(run).answers(record.cell)["share_columns"] for record in Run(run).records()[:4]]
    n_shares = sum(map(len, shares))
    assert n_shares >= 104
    assert f"no metric recomputed; {n_shares} compared with the stored shares" in found(
        run, "--without-data", code=0
    )
    other = tmp_path / "other.csv"
    other.write_text("".join(ratings_file.read_text().splitlines(keepends=True)[:-1]))
    said = found(run, "--dataset", f"table:{other}", code=2)
    assert re.search(
        r"its data have the digest \w{12}, the table:other.csv at hand has \w{12}\.", said
    )


def test_unknown_algorithms_and_other_definitions_are_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recbench.benchmarks.metrics.protocols.VERSION", 99)
    said = found(run, code=2)
    assert "defines the protocol differently: use that of commit" in said
    assert "no metric recomputed" in found(run, "--without-data", code=0)
    monkeypatch.undo()
    monkeypatch.setattr("recbench.benchmarks.verification.recomputation.available", dict)
    said = found(run, code=2)
    assert "unknown algorithm: name its module with --plugin or" in said
    assert "if it was defined in a notebook, verify with --without-data." in said


def test_a_cell_is_fitted_again(run: Path) -> None:
    path = record_of(run, "item-mean")
    said = found(run, "--rerun", path.stem.rpartition("-")[2], code=0)
    assert "fitting item-mean, fold 0, again" in said
    assert re.search(r"bit-identical: [\d,]+ metrics and raw answers", said)
    edit(path, metric("rmse", 1.5))
    rewrite(path.with_suffix(".npz"), add("scores", 0.5))
    said = found(run, "--rerun", path.stem)
    assert "metrics.rmse: " in said
    assert "scores: 1 of 750 entries differ, by up to 0.5" in said
    assert "FAILED: the same cell gives other numbers" in said


def test_excused_differences_do_not_fail(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "recbench.benchmarks.verify.refit_cell",
        lambda *_: SecondFit(["scores: all differ"], 0, "threads race"),
    )
    said = found(run, "--rerun", record_of(run, "item-mean").name, code=0)
    assert "scores: all differ" in said
    assert "Not judged: threads race." in said


def test_a_failure_is_found_again(run: Path) -> None:
    path = record_of(run, "faulty-raises")
    assert "bit-identical" in found(
        run, "--rerun", path.stem, "--plugin", "tests.plugins.faulty", code=0
    )
    assert "no planned cell has this key" in found(run, "--rerun", "0" * 12, code=2)
    assert "leave --without-data out" in found(run, "--rerun", path.stem, "--without-data", code=2)


def test_other_circumstances_excuse_other_numbers(run: Path) -> None:
    record = Run(run).records()[0]
    assert excuse(record, record) == ""
    varies = Certificate("not deterministic", 0.5, "2 fits to a toy", "threads race")
    assert "its numbers vary: threads race" in excuse(replace(record, determinism=varies), record)
    older = replace(
        record, cell=replace(record.cell, libraries=record.cell.libraries | {"numpy": "1.0"})
    )
    assert "libraries was {'numpy': '1.0'" in excuse(older, record)
    assert "revision was 0 and is 1" in excuse(
        replace(record, cell=replace(record.cell, revision=0)), record
    )
    elsewhere = replace(record, environment=record.environment.replaced(cpu="another"))
    assert "cpu was another" in excuse(elsewhere, record)


def test_a_run_that_mixes_data_is_refused(run: Path) -> None:
    path = record_of(run, "popularity")
    edit(path, lambda fields: fields["data"].update(digest="0" * 64))
    for read in (lambda: Run(run).records(), lambda: Results.read(run), lambda: build(run)):
        with pytest.raises(
            UsageError, match=f"{path.name} mixes data: the digest of {path.stem} is 000000000000"
        ):
            read()


def test_a_run_that_mixes_schemas_is_refused(run: Path) -> None:
    path = record_of(run, "popularity")
    edit(path, lambda fields: fields.update(schema=2))
    with pytest.raises(UsageError, match="expected a record of schema 1, got schema 2") as raised:
        Run(run).records()
    assert path.name in str(raised.value)
    assert "damaged" not in str(raised.value) and "Delete" not in str(raised.value)
    said = found(run, code=2)
    assert "a newer recbench wrote it" in said and "damaged" not in said


@pytest.fixture(params=sorted(path.name for path in HISTORIC.glob("schema-*")))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run that an earlier version has left."""
    return Path(shutil.copytree(HISTORIC / request.param, tmp_path / "old"))


def test_old_records_load(old: Path) -> None:
    records = Run(old).records()
    assert [record.status for record in records] == ["ok", "ok", "failed"]
    assert records[0].cell.row == "item-mean[damping=2.0]"
    with (old / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    for record, line in zip(records, lines, strict=True):
        assert record.cell.key == line["key"]
        assert Record.from_json(record.to_json()) == record
        for name, value in record.metrics.items():
            assert line[name] == ("" if value is None else repr(value))


def test_old_records_are_reported_and_verified(old: Path, commands: Commands) -> None:
    # In a process of its own, as the check does: here the plug-in of the tests may be known, which
    # early plans do not describe.
    built = commands.run("recbench.reports.build", [old], os.environ)
    assert built.returncode == 0, built.stderr
    page = (old / "report.html").read_text()
    first = Run(old).records()[0]
    assert f"{first.metrics['rmse']:.4f}" in page
    same = Evaluation.from_json(first.cell.protocol).to_json() == first.cell.protocol
    data = ("--dataset", f"table:{HISTORIC / 'ratings.csv'}") if same else ("--without-data",)
    said = found(old, *data, code=0)
    assert "All as it should be." in said
    assert "without slices and digest of the raw answers: 2" in said


# Runs that were packed for a reviewer


def packed(directory: Path, place: Path, *, with_answers: bool | None) -> Path:
    place.write_bytes(pack_run(directory, with_answers=with_answers, sections=["failures"]))
    return place


@pytest.mark.proof
def test_a_packed_run_is_verified_as_it_is_and_has_the_same_bytes(
    finished: Path, tmp_path: Path
) -> None:
    one = packed(finished, tmp_path / "one.zip", with_answers=True)
    assert packed(finished, tmp_path / "two.zip", with_answers=True).read_bytes() == (
        one.read_bytes()
    )
    said = verified(one)
    assert said.exit_code == 0, said.output
    assert "files compared with the manifest" in said.output
    assert "metrics recomputed from the raw answers" in said.output
    assert "the report, built again" in said.output


def test_an_archive_without_answers_says_why_and_a_changed_file_is_found(
    finished: Path, tmp_path: Path
) -> None:
    path = packed(finished, tmp_path / "run.zip", with_answers=None)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "unpacked")
        # Another commit's bench may write another report, and would call this one wrong
        assert "measured at commit" in archive.read("README.txt").decode()
    assert {"results.csv", "report.html", "tables/references.bib", "tables/setup.md"} <= names
    assert {"environment.txt", "commands.txt", "README.txt", "archive.json"} <= names
    assert not [name for name in names if name.endswith(".npz") or name == "examples.json"]
    for place in (path, tmp_path / "unpacked"):
        said = verified(place)
        assert said.exit_code == 0, said.output
        assert "does not say that they may be passed on" in said.output

    (tmp_path / "unpacked" / "environment.txt").write_text("python 4\n")
    (tmp_path / "unpacked" / "more.txt").write_text("put in\n")
    (tmp_path / "unpacked" / "commands.txt").unlink()
    said = verified(tmp_path / "unpacked")
    assert said.exit_code == 1
    for name in ("environment.txt", "more.txt", "commands.txt"):
        assert f"{name}: sha256: expected" in said.output

    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("plan.json", "{}")
    refused = verified(tmp_path / "other.zip")
    assert refused.exit_code == 2 and "is no archive of a run" in refused.output

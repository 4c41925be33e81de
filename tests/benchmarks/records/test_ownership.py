"""Files that no run of ours wrote are never replaced, and what a run replaces it says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.planning.destination import (
    choose_directory,
    dataset_of,
    describe_replacement,
)
from recbench.benchmarks.records.ownership import refuse_foreign_files
from recbench.benchmarks.records.record import Run
from recbench.benchmarks.run import run as run_command
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.storage.cache import write_atomically
from recbench.reports import build as building
from recbench.reports.build import build
from tests.conftest import RunHere
from tests.reports.invented_runs import normal, write

ROWS = ["--algorithm", "item-mean", "--algorithm", "random", "--folds", "2"]


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(application(run_command), [str(argument) for argument in arguments])


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def finished(
    ratings_file: Path, run_here: RunHere, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("finished")
    run_here("--dataset", f"table:{ratings_file}", *ROWS, "--out", out, check=0)
    return out


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be edited."""
    return Path(shutil.copytree(finished, tmp_path / "own"))


STRANGERS = {
    "results.csv": "experiment,score\nmine,1\n",
    "report.md": "# My thesis\n",
    "report.html": "<h1>My thesis</h1>",
    "plan.json": '{"holidays": ["Rome"]}',
    "profile.json": '{"name": "me"}',
    "examples.json": "[]",
    "report.sha256": "mine",
    "figures/accuracy.svg": "<svg/>",
    "records/diary.json": "{}",
    "notes.txt": "unrelated",
    "deeper/down/notes.txt": "unrelated",
}


@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.parametrize("name", STRANGERS)
def test_a_directory_with_strangers_files_is_refused_and_left_as_it_is(
    name: str, more: tuple[str, ...], ratings_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text(STRANGERS[name])
    result = bench("--dataset", f"table:{ratings_file}", *ROWS, "--out", out, *more)
    assert result.exit_code == 2, result.output
    said = result.output.replace("\n", "")
    assert name in said
    assert "name " in said and "directory" in said and "move " in said
    assert contents(out) == {name: STRANGERS[name].encode()}
    assert not (out / ".lock").exists()


def test_an_empty_directory_hidden_files_and_the_table_itself_are_no_strangers(
    ratings_file: Path, tmp_path: Path
) -> None:
    refuse_foreign_files(tmp_path / "not yet there")
    (tmp_path / ".git" / "objects").mkdir(parents=True)
    (tmp_path / ".git" / "objects" / "pack").write_text("hidden")
    (tmp_path / ".hidden").write_text("hidden")
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    refuse_foreign_files(tmp_path)
    table = tmp_path / "mine.csv"
    shutil.copy(ratings_file, table)
    with pytest.raises(UsageError, match=r"'mine\.csv'"):
        refuse_foreign_files(tmp_path)
    assert (
        bench("--dataset", f"table:{table}", *ROWS, "--out", tmp_path, "--dry-run").exit_code == 0
    )


def test_a_table_that_a_run_would_replace_is_refused_although_it_is_the_data(
    ratings_file: Path, tmp_path: Path
) -> None:
    table = tmp_path / "results.csv"
    shutil.copy(ratings_file, table)
    result = bench("--dataset", f"table:{table}", *ROWS, "--out", tmp_path)
    assert result.exit_code == 2 and "results.csv" in result.output
    assert table.read_bytes() == ratings_file.read_bytes()


def test_beside_a_plan_of_ours_other_files_are_left_alone(
    own: Path, ratings_file: Path, run_here: RunHere
) -> None:
    (own / "notes.txt").write_text("mine")
    (own / "figures" / "drawn.svg").write_text("mine too")
    result = run_here("--dataset", f"table:{ratings_file}", *ROWS, "--out", own, check=0)
    assert "4 kept from before" in result.stdout
    assert "this one replaces" not in result.stdout
    assert (own / "notes.txt").read_text() == "mine"
    assert (own / "figures" / "drawn.svg").read_text() == "mine too"


def test_a_run_without_its_plan_is_known_by_its_files_and_goes_on(
    own: Path, ratings_file: Path, run_here: RunHere
) -> None:
    (own / "plan.json").unlink()
    (own / ".plan.json.abcd1234.tmp").write_text("half a plan")
    arguments = ["--dataset", f"table:{ratings_file}", *ROWS, "--no-report", "--out", own]
    result = run_here(*arguments, check=0)
    assert "4 kept from before" in result.stdout
    assert not list(own.glob(".plan*"))


def test_without_its_plan_a_page_that_somebody_has_changed_is_theirs(own: Path) -> None:
    (own / "plan.json").unlink()
    refuse_foreign_files(own)
    with (own / "report.md").open("a") as page:
        page.write("My own conclusions.\n")
    with pytest.raises(UsageError, match=r"'report\.md'"):
        refuse_foreign_files(own)


BAD_PLANS: dict[str, tuple[Callable[[str], str], str]] = {
    "newer": (
        lambda text: json.dumps(json.loads(text) | {"schema": 2}),
        "a newer recbench wrote it",
    ),
    "cut off": (lambda text: text[: len(text) // 2], "it is damaged"),
    "empty": (lambda text: "", "it is damaged"),
    "a list": (lambda text: "[]", "it is damaged"),
    "deep": (lambda text: "[" * 200_000, "it is damaged"),
    "no about": (lambda text: json.dumps({"schema": 1, "cells": []}), "it lacks 'about'"),
    "null for a cell's parameters": (
        lambda text: text.replace('"given": {}', '"given": null'),
        "0.given: ",
    ),
    "no text": (lambda text: "\udcff", "it is damaged"),
}


@pytest.mark.parametrize("case", BAD_PLANS)
def test_a_plan_that_is_newer_or_damaged_is_never_replaced(
    case: str, own: Path, ratings_file: Path
) -> None:
    change, message = BAD_PLANS[case]
    plan = own / "plan.json"
    plan.write_bytes(change(plan.read_text()).encode(errors="surrogateescape"))
    before = contents(own)
    for more in (("--folds", 3), ("--dry-run",)):
        result = bench("--dataset", f"table:{ratings_file}", *ROWS, "--out", own, *more)
        said = result.output.replace("\n", "")
        assert result.exit_code == 2, result.output
        assert str(plan) in said and message in said
        assert "It is not replaced: name another directory" in said
        assert ("damaged" in said) == (case != "newer")
    assert contents(own) == before


def test_a_record_of_a_newer_schema_is_not_called_damaged_and_nothing_is_replaced(
    own: Path, ratings_file: Path
) -> None:
    record = next(own.glob("records/item-mean-*.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"schema": 2}))
    before = contents(own)
    arguments = ["--dataset", f"table:{ratings_file}", *ROWS, "--no-report", "--out", own]
    result = bench(*arguments, "--k", 5, "--k", 10)
    assert result.exit_code == 0, "the record is of a cell that is not in this plan"
    shutil.copy(own / "plan.json", own.parent / "other.json")
    result = bench(
        "--dataset", f"table:{ratings_file}", *ROWS, "--algorithm", "popularity", "--out", own
    )
    said = result.output.replace("\n", "")
    assert result.exit_code == 2
    assert record.name in said and "a newer recbench wrote it" in said
    assert "damaged" not in said and "Delete" not in said
    assert (own / "plan.json").read_bytes() == (own.parent / "other.json").read_bytes()
    assert record.read_bytes() == before[f"records/{record.name}"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([*ROWS[:-1], "3"], "folds 2 -> 3"),
        ([*ROWS, "--seed", "5"], "seed 0 -> 5; split seed 0 -> 5"),
        ([*ROWS, "--split-seed", "7"], "split seed 0 -> 7"),
        ([*ROWS, "--split", "user-kfold"], "split kfold -> user-kfold"),
        ([*ROWS, "--k", "5"], "k 10 -> 5"),
        (["--suite", "recommenders-ml100k"], "without item-mean, random"),
        (["--algorithm", "random", "--folds", "2"], ": without item-mean."),
    ],
)
def test_what_is_replaced_is_said(
    options: list[str], said: str, own: Path, ratings_file: Path
) -> None:
    result = bench("--dataset", f"table:{ratings_file}", *options, "--out", own, "--dry-run")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if "this one replaces" in line]
    assert line.startswith(f"{own} holds another run, which this one replaces: ")
    assert said in line and "its records are kept" in line


def test_other_data_in_the_same_directory_are_said(
    own: Path, ratings_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("".join(ratings_file.read_text().splitlines(keepends=True)[:-1]))
    result = bench("--dataset", f"table:{other}", *ROWS, "--out", own, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "which this one replaces: data table:ratings.csv (" in result.output
    assert ") -> table:other.csv (" in result.output


def test_a_run_says_it_before_it_replaces(own: Path, ratings_file: Path, run_here: RunHere) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        "random",
        "--out",
        own,
        "--no-report",
    ]
    lines = run_here(*arguments, "--folds", 3, check=0).stdout.splitlines()
    said = next(place for place, line in enumerate(lines) if "which this one replaces" in line)
    assert "folds 2 -> 3; without item-mean" in lines[said]
    assert said < next(place for place, line in enumerate(lines) if line.startswith("[1/3]"))
    assert len(list(own.glob("records/*.json"))) == 4 + 3


def test_more_of_the_same_replaces_nothing(own: Path, ratings_file: Path) -> None:
    for more in (["--algorithm", "popularity"], ["--repeats", "2"], ["--also-split", "time"]):
        result = bench(
            "--dataset", f"table:{ratings_file}", *ROWS, *more, "--out", own, "--dry-run"
        )
        assert result.exit_code == 0 and "this one replaces" not in result.output


def test_cells_of_other_versions_are_replaced_too(own: Path) -> None:
    run = Run(own)
    cells, about = run.read_plan()
    cells[0].libraries["numpy"] = "0.1"
    run.write_plan(cells, about)
    cells[0].libraries["numpy"] = "0.2"
    fresh = [
        type(cell)(**{name: getattr(cell, name) for name in cell.__dataclass_fields__})
        for cell in cells
    ]
    (line,) = describe_replacement(fresh, run)
    assert "other code, libraries or parameters in 1 of 4 cells" in line


@pytest.mark.slow
def test_tables_of_one_name_do_not_share_a_directory(
    ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tables = []
    for name in ("a/ratings.csv", "b/ratings.csv", "b/ratings.tsv"):
        table = tmp_path / name
        table.parent.mkdir(exist_ok=True)
        shutil.copy(ratings_file, table)
        tables.append(table)
    one = ["--algorithm", "random", "--folds", "2", "--no-report", "--debug"]
    for table in tables:
        assert bench("--dataset", f"table:{table}", *one).exit_code == 0
    directories = sorted((tmp_path / "runs").iterdir())
    assert len(directories) == 3
    assert directories[0] == tmp_path / "runs" / "table-ratings"
    for table in tables:
        directory = choose_directory(f"table:{table}")
        assert directory == choose_directory(f"table:{table.relative_to(tmp_path)}"), (
            "the same, however it is named"
        )
        assert dataset_of(Run(directory).read_plan()[1]) == f"table:{table}"
        again = bench("--dataset", f"table:{table}", *one)
        assert "2 kept from before" in again.output
        assert "this one replaces" not in again.output
    assert sorted((tmp_path / "runs").iterdir()) == directories


def test_options_of_a_table_that_are_spelt_alike_in_a_name_do_not_share_a_directory(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    semicolons = "table:ratings.csv[sep=;]"
    place = choose_directory(semicolons)
    cells, about = Run(own).read_plan()
    command = f"python -m benchmarks.run --dataset '{semicolons}' --folds 2"
    place.mkdir(parents=True)
    Run(place).write_plan(cells, about.replaced(reproduce=command))
    assert choose_directory(semicolons) == place
    assert choose_directory("table:ratings.csv[sep=|]") != place


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("invented"), normal(n_folds=2))


@pytest.mark.parametrize(
    "name", ["report.md", "report.html", "report.sha256", "figures/accuracy.svg"]
)
@pytest.mark.slow
def test_a_report_does_not_replace_a_strangers(name: str, invented: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    result = CliRunner().invoke(
        application(building.main), [str(invented), "--out", str(out), "--sections", "accuracy"]
    )
    assert result.exit_code == 2, result.output
    said = result.output.replace("\n", "")
    assert name in said and "--out" in said
    assert contents(out) == {name: b"mine"}


@pytest.mark.slow
def test_a_report_is_built_again_unless_its_page_was_rewritten_by_hand(
    invented: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build(invented, out=out, sections=["accuracy", "failures"])
    (out / "notes.txt").write_text("mine")
    (out / "figures" / "accuracy.svg").unlink()
    build(invented, out=out, sections=["accuracy"])
    assert (out / "notes.txt").read_text() == "mine"
    (out / "report.md").write_text("my own words")
    with pytest.raises(UsageError, match=r"'report\.md'"):
        build(invented, out=out, sections=["accuracy"])
    assert (out / "report.md").read_text() == "my own words"


@pytest.mark.slow
def test_a_build_killed_between_any_two_files_can_be_repeated(
    invented: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    small = building.make_files(invented, out=out, sections=["failures", "summary"])
    large = building.make_files(invented, out=out, sections=["accuracy", "summary"])
    write_file = write_atomically

    class Killed(BaseException):
        pass

    def build_partly(files: dict[str, bytes], n_files: int) -> None:
        n_written = 0

        def write_or_die(path: Path, content: bytes) -> None:
            nonlocal n_written
            if n_written == n_files:
                raise Killed
            n_written += 1
            write_file(path, content)

        with monkeypatch.context() as patch:
            patch.setattr("recbench.reports.build.write_atomically", write_or_die)
            patch.setattr(building, "make_files", lambda *_, **__: files)
            with pytest.raises(Killed):
                build(invented, out=out)

    for n_files in range(len(large) + 1):  # the list is written twice, first and last
        build_partly(large, n_files)
        build_partly(small, min(n_files, len(small)))
    monkeypatch.setattr(building, "make_files", lambda *_, **__: large)
    build(invented, out=out)
    assert contents(out) == dict(sorted(large.items()))

"""Rows and metrics over many runs: what moves, what breaks a line, and what other programs read."""

import json
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.gating import DatedRun, History, read_history
from recbench.benchmarks.history import date_run, history
from recbench.benchmarks.records.facts import PhaseCost, RunDescription
from recbench.benchmarks.records.record import Record, Run
from tests.reports import invented_runs

N_RUNS = 50
N_USERS = 100
NOISE = 0.03  # of a user's squared error from run to run
DRIFT = 0.003  # of the RMSE, over ten runs


def write_run(
    directory: Path,
    minute: int,
    errors: Any,
    *,
    environment: dict[str, Any] | None = None,
    cell: dict[str, Any] | None = None,
    **changed: Any,
) -> Path:
    """A run of one row on one fold, whose users have these squared errors."""
    planned = replace(invented_runs.cell("item-mean", 0, 1), **(cell or {}))
    record = invented_runs.ok(planned, 1.0)
    seconds = PhaseCost(seconds=1.0 + minute / 100, cpu_seconds=1.0)
    machine = {"commit": "", "host": "here"} | (environment or {})
    record = replace(
        record,
        started=f"2026-01-01T{minute // 60:02}:{minute % 60:02}:00Z",
        metrics={"rmse": float(np.sqrt(np.mean(errors)))},
        costs={"fit": seconds},
        kernel_seconds=0.01,
        environment=record.environment.replaced(**machine),
        **changed,
    )
    invented_runs.write(directory, [record])
    run = Run(directory)
    cells, about = run.read_plan()
    run.write_plan(cells, about.replaced(metrics=["rmse"], environment=record.environment))
    arrays = {
        "share_users": np.arange(len(errors), dtype=np.int32),
        "share_columns": np.array(["rmse"]),
        "share_sums": np.array([errors]),
        "share_weights": np.ones((1, len(errors))),
    }
    run.write(record, arrays)
    return directory


def read(*directories: Path, repository: Path = Path("/")) -> History:
    return read_history([date_run(directory, repository) for directory in directories])


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(application(history), [str(part) for part in arguments])


@pytest.fixture(scope="module")
def nightly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty runs, of which ten lose .003 of RMSE together; their names are in another order."""
    rng = np.random.default_rng(0)
    habits = rng.gamma(10, 0.1, N_USERS)
    folder = tmp_path_factory.mktemp("nightly")
    for number in range(N_RUNS):
        drift = DRIFT * np.clip((number - 19) / 10, 0, 1)
        noise = rng.normal(0, NOISE, N_USERS)
        errors = habits + noise + 2 * drift
        write_run(folder / f"run-{number * 7 % N_RUNS:02}", number, errors)
    return folder


@pytest.fixture(scope="module")
def page(nightly: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves of these runs."""
    out = tmp_path_factory.mktemp("page") / "history"
    result = typed(nightly, "--out", out, "--fail-on-drift")
    assert result.exit_code == 1, result.output
    assert "worse: item-mean on movielens-100k, rmse" in result.output
    assert "a slow drift, seen in no pair" in result.output
    return out


@pytest.mark.slow
def test_a_slow_drift_that_no_pair_shows_is_found(page: Path) -> None:
    found = json.loads((page / "history.json").read_text())
    lines = {line["column"]: line for line in found["lines"]}
    (move,) = lines["rmse"]["moves"]
    assert move["is_worse"] and move["n_visible"] == 0 and move["n_pairs"] >= 5
    assert move["first"] < 30 and move["last"] > 19
    assert move["low"] < DRIFT < move["high"] and move["low"] > 0

    report = (page / "report.md").read_text()
    assert "slow drift: no pair of neighbours shows it" in report
    assert "less than 0.1%" in report
    assert (page / "report.html").exists()
    assert (page / "figures" / "history-movielens-100k-rmse.svg").exists()


@pytest.mark.slow
def test_each_point_has_the_interval_over_users(page: Path) -> None:
    found = json.loads((page / "history.json").read_text())
    lines = {line["column"]: line for line in found["lines"]}
    assert [point["place"] for point in lines["rmse"]["points"]] == list(range(N_RUNS))
    assert all(point["low"] < point["value"] < point["high"] for point in lines["rmse"]["points"])
    assert len(lines["fit_seconds"]["points"]) == N_RUNS

    # The band of a time is another one, and its legend says which
    report = (page / "report.md").read_text()
    of_metric, _, of_time = report.replace("\\", "").partition("### time to fit")
    of_time = of_time.partition("\n## ")[0]
    assert "the band is the 95 % interval over users" in of_metric
    assert "the band is the range of the folds" in of_time and "95 % interval" not in of_time


@pytest.mark.slow
def test_bencher_reads_each_run(page: Path) -> None:
    """The schema of https://bencher.dev/bmf.json, by hand."""
    paths = sorted((page / "exports").glob("bencher-*.json"))
    assert len(paths) == N_RUNS
    for path in paths:
        for name, measures in json.loads(path.read_text()).items():
            assert 0 < len(name) <= 1024
            assert {"rmse", "fit_seconds"} == set(measures)
            for metric in measures.values():
                assert {"value"} <= set(metric) <= {"value", "lower_value", "upper_value"}
                assert all(isinstance(value, float) for value in metric.values())


@pytest.mark.slow
def test_github_action_benchmark_reads_the_newest_run_and_shows_all(page: Path) -> None:
    exports = page / "exports"
    newest = json.loads((exports / "github-smaller-is-better.json").read_text())
    assert [bench["name"] for bench in newest] == [
        "movielens-100k: item-mean, rmse",
        "movielens-100k: item-mean, fit_seconds",
    ]
    for bench in newest:
        assert isinstance(bench["value"], float) and isinstance(bench["unit"], str)
        assert " to " in bench["range"]
    assert json.loads((exports / "github-bigger-is-better.json").read_text()) == []

    script = (exports / "data.js").read_text().removeprefix("window.BENCHMARK_DATA = ")
    data = json.loads(script)
    suites = data["entries"]["recbench, smaller is better"]
    assert len(suites) == N_RUNS and suites[-1]["benches"] == newest
    assert {suite["tool"] for suite in suites} == {"customSmallerIsBetter"}
    assert suites[0]["date"] < suites[-1]["date"] <= data["lastUpdate"]


def flat(seed: int) -> Any:
    return np.random.default_rng(seed).gamma(10, 0.1, N_USERS)


def test_other_data_begin_a_new_line_and_it_is_said(tmp_path: Path) -> None:
    other = {"digest": "cd" * 32}
    first = write_run(tmp_path / "a", 0, flat(0))
    second = write_run(tmp_path / "b", 1, flat(1), cell=other)
    third = write_run(tmp_path / "c", 2, flat(2), cell=other)
    found = read(first, second, third)
    places = [[point.place for point in line.points] for line in found.lines if not line.is_time]
    assert places == [[0], [1, 2]]
    assert ["digest differs" in one.reason for one in found.breaks] == [True]


def test_a_line_goes_on_behind_a_run_of_other_data_and_of_a_failure(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", 0, flat(0)),
        write_run(tmp_path / "b", 1, flat(0), cell={"split": "time"}),
        write_run(tmp_path / "c", 2, flat(0), status="timeout", reason="killed"),
        write_run(tmp_path / "d", 3, flat(0)),
    ]
    found = read(*runs)
    places = [[point.place for point in line.points] for line in found.lines if not line.is_time]
    assert places == [[0, 3], [1]]
    assert "timeout" in found.breaks[-1].reason


@pytest.mark.parametrize("other", [{"host": "there"}, {"cpu": "Other"}, {"contended": True}])
def test_times_of_another_machine_stand_on_no_line_with_ours(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    runs = [
        write_run(tmp_path / "a", 0, flat(0)),
        write_run(tmp_path / "b", 1, flat(0), environment=other),
        write_run(tmp_path / "c", 2, flat(0)),
    ]
    found = read(*runs)
    times = [[point.place for point in line.points] for line in found.lines if line.is_time]
    metrics = [[point.place for point in line.points] for line in found.lines if not line.is_time]
    assert times[0] == [0, 2] and metrics == [[0, 1, 2]]
    assert len(found.breaks) == 1


def test_runs_that_are_named_after_commits_stand_in_their_order(tmp_path: Path) -> None:
    """Also when an old commit is measured last."""
    repository = tmp_path / "repository"
    commits = []
    subprocess.run(["git", "init", "-q", repository], check=True)
    for day in (1, 2):
        date = f"2026-02-0{day}T00:00:00Z"
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        what = ["commit", "-q", "--allow-empty", "-m", f"day {day} <b>"]
        environment = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date, "PATH": "/usr/bin:/bin"}
        subprocess.run(["git", "-C", repository, *who, *what], check=True, env=environment)
        shown = subprocess.run(
            ["git", "-C", repository, "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
        commits.append(shown.stdout.strip())

    late = write_run(tmp_path / f"x-{commits[0][:9]}", 9, flat(0))
    early = write_run(tmp_path / f"y-{commits[1]}", 1, flat(1))
    found = read(late, early, repository=repository)
    assert found.is_by_commit
    assert [run.commit for run in found.runs] == commits
    assert found.runs[0].subject == "day 1 <b>"

    unnamed = write_run(tmp_path / "z", 5, flat(2))
    mixed = read(late, early, unnamed, repository=repository)
    assert not mixed.is_by_commit
    assert [run.name[0] for run in mixed.runs] == ["y", "z", "x"]


def test_the_same_result_again_is_no_new_measurement(tmp_path: Path) -> None:
    """Thirty runs, three results: a line with three values can show nothing."""
    record = invented_runs.ok(invented_runs.cell("item-mean", 0, 1), 1.0)
    runs = [dated(record, number, 1 + number // 10) for number in range(30)]
    found = read_history(runs)
    assert not found.moves
    assert found.lines[0].since_first == (2.0, None, None)


def dated(record: Record, number: int, rmse: float) -> DatedRun:
    """A run that is nowhere, of a record with this error."""
    about = RunDescription(metrics=["rmse"], data=record.data)
    started = datetime.fromisoformat(f"2026-01-{number + 1:02}T00:00:00+00:00")
    changed = replace(record, metrics={"rmse": rmse}, costs={})
    return DatedRun(f"run-{number}", Run(Path("/nowhere")), about, [changed], started)


def test_a_metric_that_came_later_has_a_line_from_there() -> None:
    record = invented_runs.ok(invented_runs.cell("item-mean", 0, 1), 1.0)
    runs = [dated(record, number, 1.0) for number in range(3)]
    (newest,) = runs[2].records
    newest.metrics["mae"] = 0.7
    found = read_history(
        [*runs[:2], replace(runs[2], about=RunDescription(metrics=["rmse", "mae"]))]
    )
    lines = {line.column: [point.place for point in line.points] for line in found.lines}
    assert lines == {"rmse": [0, 1, 2], "mae": [2]}


def test_the_tuning_of_a_run_is_no_run_of_its_own(tmp_path: Path) -> None:
    for minute in range(2):
        write_run(tmp_path / f"run-{minute}", minute, flat(minute))
    write_run(tmp_path / "run-1" / "tuning", 1, flat(1))
    result = typed(tmp_path, "--out", tmp_path / "out")
    assert result.output.startswith("2 runs from"), result.output


def test_what_is_no_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    one = write_run(tmp_path / "one", 0, flat(0))
    for arguments, message in (
        ((one,), "two runs or more"),
        ((tmp_path / "empty",), "holds no run"),
        ((tmp_path / "absent",), "no directory"),
    ):
        result = typed(*arguments, "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_a_history_in_which_nothing_moved_shows_its_lines_and_how_far_they_are(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(1)
    habits = rng.gamma(10, 0.1, N_USERS)
    for number in range(3):
        write_run(tmp_path / f"run-{number}", number, habits + rng.normal(0, NOISE, N_USERS))
    result = typed(tmp_path, "--out", tmp_path / "page")
    assert result.exit_code == 0
    assert "Nothing moved and stayed away. Furthest from its first run is item-mean" in " ".join(
        result.output.split()
    )
    first_screen = (tmp_path / "page" / "report.md").read_text().partition("## How accurate")[0]
    assert "| row | runs | first | newest | change |" in first_screen
    assert "history-movielens-100k-rmse.svg" in first_screen
    assert "| item-mean | 3 |" in first_screen

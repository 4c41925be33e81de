"""The gate on real runs that were made worse on purpose."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recbench.benchmarks.accept import accept
from recbench.benchmarks.certainty.bootstrap import bootstrap_users
from recbench.benchmarks.certainty.estimate import Estimate
from recbench.benchmarks.certainty.user_shares import UserShares
from recbench.benchmarks.compare import CODES, compare
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.gating.gate import judge_runs
from recbench.benchmarks.gating.outcome import Outcome
from recbench.benchmarks.gating.suspicion import suspect_rows
from recbench.benchmarks.gating.tolerances import Tolerance, parse_tolerance
from recbench.benchmarks.gating.verdicts import judge_metric, judge_time
from recbench.benchmarks.metrics.registry import METRICS, Doubles
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.facts import AlgorithmDescription, PhaseCost
from recbench.benchmarks.records.record import Record, Run
from recbench.datasets import UsageError
from tests.conftest import ROOT, RunHere
from tests.reports import invented_runs

LIMITS = ["rmse:+1%", "precision@10:-5%"]


@pytest.fixture(scope="module")
def base(ratings_file: Path, run_here: RunHere, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of three algorithms on two folds."""
    directory = tmp_path_factory.mktemp("base")
    rows = [
        part
        for row in ("item-mean", "user-item-bias", "popularity")
        for part in ("--algorithm", row)
    ]
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        *rows,
        "--out",
        directory,
        "--no-report",
    ]
    run_here(*arguments, check=0)
    edit_records(directory, leave_alone)
    return directory


@pytest.fixture
def head(base: Path, tmp_path: Path) -> Path:
    """The same run, to be changed."""
    return Path(shutil.copytree(base, tmp_path / "head"))


def compared(base: Path, head: Path, *limits: str, more: tuple[str, ...] = ()) -> Result:
    arguments = [
        str(base),
        str(head),
        *(part for limit in limits or LIMITS for part in ("--fail-on", limit)),
        *more,
    ]
    return CliRunner().invoke(application(compare), arguments)


Edit = Callable[[dict[str, Any]], None]


def change(directory: Path, row: str, shares: Edit = lambda _: None, **fields: Any) -> None:
    """Edit the cells of a row: its raw answers, its record or, under `cell`, what it is a record
    of.
    """
    run = Run(directory)
    cells, about = run.read_plan()
    planned = []
    for cell in cells:
        record = run.read(cell)
        assert record is not None
        if cell.row == row:
            with np.load(run.path(cell, ".npz")) as found:
                arrays = dict(found)
            shares(arrays)
            cell = replace(cell, **fields.get("cell", {}))
            rest = {name: value for name, value in fields.items() if name != "cell"}
            run.write(replace(record, cell=cell, **rest), arrays)
        planned.append(cell)
    run.write_plan(planned, about)


def worse(column: str, factor: float, noise: float = 0.0) -> Edit:
    """Multiply what the users add to a column."""

    def scale(arrays: dict[str, Any]) -> None:
        place = arrays["share_columns"].tolist().index(column)
        rng = np.random.default_rng(0)
        arrays["share_sums"][place] *= factor + rng.normal(0, noise, len(arrays["share_users"]))

    return scale


def verdicts(directory: Path) -> dict[tuple[str, str], str]:
    found = json.loads((directory / "verdict.json").read_text())["verdicts"]
    return {(entry["row"], entry["limit"]["column"]): entry["verdict"] for entry in found}


def test_the_same_run_passes(base: Path, tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "verdict.json"), "--markdown", str(tmp_path / "verdict.md"))
    result = compared(base, base, *LIMITS, "fit_seconds:+50%", more=files)
    assert result.exit_code == 0, result.output
    found = verdicts(tmp_path)
    assert found["item-mean", "rmse"] == found["popularity", "precision@10"] == "PASS"
    assert found["item-mean", "fit_seconds"] == "PASS"
    assert ("popularity", "rmse") not in found
    assert "All 3 rows pass." in (tmp_path / "verdict.md").read_text()


@pytest.mark.parametrize(
    ("column", "factor", "verdict", "code"),
    [
        ("rmse", 1.03**2, "REGRESSED", 1),
        ("rmse", 0.97**2, "IMPROVED", 0),
        ("rmse", 0.8**2, "SUSPICIOUS", 0),
        ("precision@10", 0.9, "REGRESSED", 1),
        ("precision@10", 0.98, "WORSE", 0),
        ("precision@10", 1.05, "IMPROVED", 0),
    ],
)
def test_what_got_worse_or_better_is_told(
    base: Path, head: Path, column: str, factor: float, verdict: str, code: int
) -> None:
    change(head, "item-mean", worse(column, factor))
    result = compared(base, head, more=("--json", str(head / "verdict.json")))
    assert verdicts(head)["item-mean", column] == verdict
    assert result.exit_code == code, result.output


def test_a_worsening_within_chance_does_not_fail_but_is_too_fine_to_be_gated(
    base: Path, head: Path
) -> None:
    change(head, "item-mean", worse("rmse", 1.02, noise=0.5))
    result = compared(base, head, "rmse:+0.1%")
    assert result.exit_code == 2
    assert (
        "finer than the data can resolve: rmse:+0.1%: the minimum detectable effect is"
        in result.output
    )
    assert compared(base, head, "rmse:+30%").exit_code == 0


def test_a_missing_row_is_incomplete_and_a_new_one_is_not(base: Path, head: Path) -> None:
    run = Run(head)
    cells, about = run.read_plan()
    run.write_plan([cell for cell in cells if cell.row != "popularity"], about)
    result = compared(base, head)
    assert result.exit_code == 4
    assert "MISSING popularity, precision@10: the head has no such row" in result.output
    back = compared(head, base)
    assert back.exit_code == 0
    assert "NEW popularity" in back.output


def test_a_failed_cell_of_the_head_is_missing(base: Path, head: Path) -> None:
    change(head, "item-mean", status="timeout", reason="killed after 600 s")
    result = compared(base, head)
    assert result.exit_code == 4
    assert "MISSING item-mean, rmse: head: timeout in fold 0: killed after 600 s" in result.output


def test_a_row_that_regressed_wins_over_one_that_crashed(base: Path, head: Path) -> None:
    change(head, "item-mean", status="crashed", reason="killed by SIGSEGV")
    result = compared(base, head)
    assert result.exit_code == 4
    assert "CRASHED item-mean, rmse: head: crashed in fold 0" in result.output
    assert compared(head, base).exit_code == 2, "what crashed in the base cannot be compared"
    change(head, "user-item-bias", worse("rmse", 1.2))
    assert compared(base, head).exit_code == 1
    change(head, "popularity", cell={"split": "user-kfold"})
    assert compared(base, head).exit_code == 1, "what is incomparable changes nothing either"


def test_what_cannot_run_in_either_run_is_not_gated(base: Path, tmp_path: Path) -> None:
    for name in ("old", "new"):
        shutil.copytree(base, tmp_path / name)
        change(tmp_path / name, "item-mean", status="not_installed", reason="cannot import it")
    result = compared(tmp_path / "old", tmp_path / "new")
    assert result.exit_code == 0
    assert "NOT GATED item-mean, rmse: in both: not_installed in fold 0" in result.output


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("digest", {"digest": "0" * 64}),
        ("split", {"split": "user-kfold"}),
        ("n_folds", {"n_folds": 3}),
        ("split_seed", {"split_seed": 1}),
    ],
)
def test_what_cannot_be_compared_is_named(
    base: Path, head: Path, key: str, changed: dict[str, Any]
) -> None:
    for row in ("item-mean", "user-item-bias", "popularity"):
        change(head, row, cell=changed)
    result = compared(base, head)
    assert result.exit_code == 2
    assert f"INCOMPARABLE item-mean, rmse: {key} differs:" in result.output


def test_a_run_that_mixes_data_is_refused(base: Path, head: Path) -> None:
    change(head, "item-mean", cell={"digest": "0" * 64})
    result = compared(base, head)
    assert result.exit_code == 2
    found = re.search(r"plan\.json mixes data: the digest of (\S+) is ", result.output)
    assert found and (head / "records" / f"{found[1]}.json").exists()


def test_other_definitions_cannot_be_compared(base: Path, head: Path) -> None:
    cell: Cell = Run(head).read_plan()[0][0]
    protocol = json.loads(json.dumps(cell.protocol))
    protocol["protocols"]["standard"]["candidates"] = "all"
    change(head, "item-mean", cell={"protocol": protocol})
    result = compared(base, head)
    assert result.exit_code == 2
    assert "INCOMPARABLE item-mean, rmse: the protocol's protocols differs" in result.output


def slower(record: Record, factor: float) -> dict[str, PhaseCost]:
    fit = record.costs["fit"]
    cpu_seconds = factor * (fit.cpu_seconds or 0)
    fit = fit.replaced(seconds=factor * fit.seconds, cpu_seconds=cpu_seconds)
    return record.costs | {"fit": fit}


def edit_records(directory: Path, edit: Callable[[Record], Record]) -> None:
    """Replace the records of a run, and leave the raw answers as they are."""
    run = Run(directory)
    for cell in run.read_plan()[0]:
        record = run.read(cell)
        assert record is not None
        run.path(cell).write_bytes(edit(record).to_json())


def leave_alone(record: Record) -> Record:
    """As if nothing else had run, which other tests on the machine cannot be kept from."""
    return replace(record, environment=record.environment.replaced(contended=False))


@pytest.fixture
def long_fits(base: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of the run whose fits take seconds."""
    for name in ("base", "head"):
        shutil.copytree(base, tmp_path / name)
        edit_records(
            tmp_path / name,
            lambda record: replace(
                record, costs=slower(record, 2 / record.costs["fit"].seconds), kernel_seconds=0.1
            ),
        )
    return tmp_path / "base", tmp_path / "head"


def test_times_are_gated_in_units_of_the_kernel(long_fits: tuple[Path, Path]) -> None:
    old, new = long_fits
    edit_records(new, lambda record: replace(record, costs=slower(record, 2.5)))
    assert compared(old, new, "fit_seconds:+50%").exit_code == 1
    # The whole machine was slower by as much
    edit_records(new, lambda record: replace(record, kernel_seconds=0.25))
    assert compared(old, new, "fit_seconds:+50%").exit_code == 0


@pytest.mark.parametrize("facts", [{"cpu": "another"}, {"contended": True}])
def test_a_limit_on_time_that_judges_no_row_is_an_error(
    long_fits: tuple[Path, Path], facts: dict[str, object]
) -> None:
    """On another machine, or beside other cells, a build would pass however slow it has become."""
    old, new = long_fits
    edit_records(new, lambda r: replace(r, environment=r.environment.replaced(**facts)))
    result = compared(old, new, "fit_seconds:+50%")
    assert result.exit_code == 2
    assert "NOT GATED" in result.output and "can be gated by fit_seconds" in result.output
    assert compared(old, new, "fit_seconds:+50%", "rmse:+1%").exit_code == 2


def test_a_busy_machine_is_no_slower_code(long_fits: tuple[Path, Path]) -> None:
    """Five runs at once on two cores: seconds of the wall double, those of the processor do not."""
    old, new = long_fits

    def wait(record: Record) -> Record:
        if record.cell.row == "popularity":
            return record
        fit = record.costs["fit"]
        costs = record.costs | {"fit": fit.replaced(seconds=2.5 * fit.seconds)}
        return replace(record, costs=costs)

    edit_records(new, wait)
    result = compared(old, new, "fit_seconds:+50%")
    assert result.exit_code == 0
    assert "UNRESOLVED item-mean, fit_seconds: slower in every fold by the clock" in result.output


def test_times_without_a_kernel_judge_nothing(long_fits: tuple[Path, Path]) -> None:
    old, new = long_fits
    edit_records(new, lambda record: replace(record, kernel_seconds=None))
    result = compared(old, new, "fit_seconds:+50%")
    assert result.exit_code == 2 and "a cell has no time, or none of the kernel" in result.output


def test_fits_of_milliseconds_are_unresolved_and_spoil_no_limit(
    long_fits: tuple[Path, Path],
) -> None:
    old, new = long_fits
    for directory, seconds in ((old, 0.002), (new, 0.005)):
        edit_records(
            directory,
            lambda record, seconds=seconds: (  # type: ignore[misc]
                replace(record, costs=slower(record, seconds / 2))
                if record.cell.row == "popularity"
                else record
            ),
        )
    edit_records(new, lambda record: replace(record, kernel_seconds=0.1001))
    result = compared(old, new, "fit_seconds:+50%")
    assert result.exit_code == 0, result.output
    assert "UNRESOLVED popularity, fit_seconds: too short: 0.00500 s" in result.output
    only = compared(old, new, "fit_seconds:+50% for popularity")
    assert only.exit_code == 2, "every row of that limit is unresolved"


def test_a_slower_fit_in_six_folds_is_worse_and_does_not_fail() -> None:
    planned = [invented_runs.cell("als", fold) for fold in range(6)]
    old = [invented_runs.ok(cell, 0.9) for cell in planned]
    old = [replace(record, costs=slower(record, 2 / record.costs["fit"].seconds)) for record in old]
    old = [replace(record, kernel_seconds=0.1) for record in old]
    new = [replace(record, costs=slower(record, 1.2)) for record in old]
    tolerance = parse_tolerance("fit_seconds:+50%")
    assert judge_time("als", tolerance, old, new).verdict == "WORSE"
    assert judge_time("als", tolerance, new, old).verdict == "IMPROVED"
    assert judge_time("als", tolerance, old[:5], new[:5]).verdict == "PASS", "chance can do that"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("rmse:+0.5%", ("rmse", 0.005, True)),
        ("precision@10:-3%", ("precision@10", 0.03, True)),
        ("mae:+.01", ("mae", 0.01, False)),
        ("mean_error:+0.02", ("mean_error", 0.02, False)),
        ("lightfm:auc:-1%", ("lightfm:auc", 0.01, True)),
        ("fit_seconds:+50%", ("fit_seconds", 0.5, True)),
    ],
)
def test_limits_are_read(text: str, limit: tuple[str, float, bool]) -> None:
    assert parse_tolerance(text) == Tolerance(text, *limit)


def test_a_limit_names_its_rows_and_commas_in_brackets_part_nothing() -> None:
    text = "ndcg@10:-1% for ease, als[n_epochs=5, factors=20],slim"
    tolerance = parse_tolerance(text)
    rows = ("ease", "als[factors=20,n_epochs=5]", "slim")
    assert tolerance == Tolerance(text, "ndcg@10", 0.01, True, rows)
    assert [tolerance.covers(row) for row in (*rows, "popularity")] == [True, True, True, False]
    assert parse_tolerance("rmse:+1%").covers("popularity")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rmse", "expected COLUMN:+AMOUNT"),
        ("rmse:0.5%", "expected COLUMN:+AMOUNT"),
        ("rmse:+a%", "expected COLUMN:+AMOUNT"),
        ("rmse:+0%", "no data resolve a change of 0"),
        ("rmse:+0.000", "no data resolve a change of 0"),
        ("rmse:-1%", "gets worse towards +; write rmse:+1%"),
        ("precision@10:+3%", "gets worse towards -"),
        ("precision:-3%", "expected a cutoff"),
        ("rsme:+1%", "unknown metric"),
        ("gini@10:+1%", "no uncertainty over users"),
        ("mean_error:+1%", "best at 0"),
        ("fit_seconds:+1", "times are compared as ratios"),
        ("fit_seconds:-10%", "times are compared as ratios"),
        ("precision@10:-100%", "cannot lose more than all that it has"),
        ("precision@10:-1", "cannot lose more than all that it has"),
        ("ndcg@10:-250%", "so this never fails"),
        (f"rmse:+{'9' * 400}", "no change exceeds this amount"),
        ("rmse:+1% for", "expected COLUMN:+AMOUNT"),
        ("rmse:+1% for ease,,slim", "expected names of rows"),
    ],
)
def test_bad_limits_are_refused(base: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("+", r"\+")):
        parse_tolerance(text)
    assert compared(base, base, text).exit_code == 2


def test_limits_are_for_the_rows_they_name(base: Path, head: Path) -> None:
    change(head, "item-mean", worse("rmse", 1.2))
    assert compared(base, head, "rmse:+1% for user-item-bias, item-mean").exit_code == 1
    only = compared(base, head, "rmse:+1% for user-item-bias")
    assert only.exit_code == 0 and "item-mean" not in only.output
    unknown = compared(base, head, "rmse:+1% for user-item-bais")
    assert unknown.exit_code == 2 and "Did you mean 'user-item-bias'?" in unknown.output
    ranks_only = compared(base, head, "rmse:+1% for popularity")
    assert ranks_only.exit_code == 2 and "can be gated by rmse" in ranks_only.output
    arguments = [str(base), str(head / "new"), "--fail-on", "rmse:+1% for user-mean"]
    accepted = CliRunner().invoke(application(accept), arguments)
    assert accepted.exit_code == 2


def test_without_limits_everything_stands_side_by_side(
    base: Path, head: Path, tmp_path: Path
) -> None:
    change(head, "item-mean", worse("rmse", 1.2))
    change(head, "popularity", status="crashed", reason="killed by SIGSEGV")
    files = ("--json", str(tmp_path / "verdict.json"), "--markdown", str(tmp_path / "verdict.md"))
    arguments = [str(base), str(head), *files]
    result = CliRunner().invoke(application(compare), arguments)
    assert result.exit_code == 0, result.output
    found = verdicts(tmp_path)
    assert found["item-mean", "rmse"] == "WORSE"
    assert found["user-item-bias", "ndcg@10"] == "PASS"
    assert found["popularity", "ndcg@10"] == "CRASHED"
    entries = json.loads((tmp_path / "verdict.json").read_text())["verdicts"]
    [lost] = [e for e in entries if (e["row"], e["limit"]["column"]) == ("popularity", "ndcg@10")]
    assert lost["base"] > 0 and lost["head"] is None, "what is there is shown"
    assert {"mae", "precision@10", "fit_seconds", "rank_seconds"} <= {name for _, name in found}
    assert "side by side" in (tmp_path / "verdict.md").read_text()
    json_file = json.loads((tmp_path / "verdict.json").read_text())
    assert (json_file["exit_code"], json_file["failed"]) == (0, False)


def test_what_cannot_lose_the_amount_is_not_gated() -> None:
    rng = np.random.default_rng(0)
    some = rng.random(100) * 0.001
    less = rng.random(100) * 0.0001
    verdict = judge_metric("row", parse_tolerance("precision@10:-0.01"), made(some), made(less), 1)
    assert verdict.verdict == "NOT GATED"
    assert "cannot lose the 0.0100 that may pass" in verdict.reason


def test_an_error_beyond_the_scale_is_no_limit(base: Path, head: Path) -> None:
    """On 1 to 5 no prediction is more than 4 off, so nothing would ever fail."""
    change(head, "item-mean", worse("rmse", 1.2))
    change(head, "user-item-bias", worse("rmse", 1.2))
    for limit in ("rmse:+4", "rmse:+500%"):
        result = compared(base, head, limit)
        assert result.exit_code == 2, limit
        assert "can be gated by rmse" in result.output and "cannot lose the" in result.output


def test_suspicious_fails_where_that_is_asked_for(base: Path, head: Path) -> None:
    change(head, "item-mean", worse("rmse", 0.8**2))
    assert compared(base, head).exit_code == 0
    assert compared(base, head, more=("--fail-on-suspicious",)).exit_code == 1
    change(head, "popularity", status="crashed", reason="killed by SIGSEGV")
    assert compared(base, head, more=("--fail-on-suspicious",)).exit_code == 1
    assert compared(base, head).exit_code == 4


def test_a_row_without_error_or_with_that_of_the_oracle_is_suspicious_by_itself(
    base: Path, tmp_path: Path
) -> None:
    """Also where the base had seen the test ratings too."""
    leaking = Path(shutil.copytree(base, tmp_path / "leaking"))
    edit_records(
        leaking,
        lambda r: (
            replace(r, metrics=r.metrics | {"rmse": 0.0, "r2": 1.0})
            if r.cell.row == "item-mean"
            else r
        ),
    )
    result = compared(leaking, leaking, "rmse:+1%")
    assert result.exit_code == 0
    assert "SUSPICIOUS item-mean, rmse: its predictions have no error" in result.output
    assert compared(leaking, leaking, "rmse:+1%", more=("--fail-on-suspicious",)).exit_code == 1
    assert suspect_rows(Run(base).records()) == {}

    of_oracle = [invented_runs.ok(invented_runs.cell("oracle", fold), 0.8) for fold in (0, 1)]
    leaks = [invented_runs.ok(invented_runs.cell("leaks", fold), 0.803) for fold in (0, 1)]
    honest = [invented_runs.ok(invented_runs.cell("als", fold), 0.82) for fold in (0, 1)]
    found = suspect_rows([*of_oracle, *leaks, *honest])
    assert found.keys() == {"leaks"} and "that of the oracle" in found["leaks"]


def test_equal_ratings_are_no_suspicion_and_identical_runs_of_them_pass(
    run_here: RunHere, tmp_path: Path
) -> None:
    """Case 19: every error is 0, and percent of 0 is nothing."""
    lines = [f"{user},{item},4" for user in range(30) for item in range(12) if (user + item) % 3]
    (tmp_path / "equal.csv").write_text("\n".join(["user,item,rating", *lines]))
    arguments = ["--dataset", f"table:{tmp_path / 'equal.csv'}", "--folds", 2, "--no-report"]
    rows = ["--algorithm", "item-mean", "--algorithm", "global-mean", "--algorithm", "popularity"]
    run_here(*arguments, *rows, "--out", tmp_path / "run", check=0)
    result = compared(tmp_path / "run", tmp_path / "run", "rmse:+0.5%", "precision@10:-3%")
    assert result.exit_code == 0, result.output
    assert suspect_rows(Run(tmp_path / "run").records()) == {}


def test_answers_that_are_not_those_of_their_record_are_refused(base: Path, head: Path) -> None:
    """Shares that somebody has edited, and the answers of another cell, pass for nobody."""
    run = Run(head)
    first, second = (cell for cell in run.read_plan()[0] if cell.row == "item-mean")
    whole = run.path(first, ".npz").read_bytes()
    run.path(first, ".npz").write_bytes(run.path(second, ".npz").read_bytes())
    result = compared(base, head)
    assert result.exit_code == 2
    text = result.output.replace("\n", "")
    assert first.key in text and "it is not the file that its record was made with" in text
    assert compared(head, base).exit_code == 2
    run.path(first, ".npz").write_bytes(whole)
    assert compared(base, head).exit_code == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("array", ["share_sums", "share_weights"])
def test_shares_that_are_no_numbers_are_refused(
    base: Path, head: Path, value: float, array: str
) -> None:
    def spoil(arrays: dict[str, Any]) -> None:
        arrays[array][0, 3] = value

    change(head, "item-mean", spoil)
    result = compared(base, head)
    assert result.exit_code == 2
    assert "NaN or infinity among the users' shares" in result.output.replace("\n", " ")


def test_simulated_and_real_ratings_are_not_compared(base: Path, head: Path) -> None:
    edit_records(head, lambda record: replace(record, data=record.data.replaced(simulated=True)))
    result = compared(base, head)
    assert result.exit_code == 2
    assert "whether the ratings are simulated differs" in result.output


def test_what_is_no_run_is_refused(base: Path, tmp_path: Path) -> None:
    result = compared(base, tmp_path)
    assert result.exit_code == 2
    assert "holds no results" in result.output


def test_lost_or_damaged_answers_are_named(base: Path, head: Path) -> None:
    run = Run(head)
    path = run.path(run.read_plan()[0][0], ".npz")
    path.write_bytes(b"nothing")
    result = compared(base, head)
    assert result.exit_code == 2
    assert str(path.name) in result.output.replace("\n", "")


def test_an_accepted_baseline_is_small_and_gates_the_next_run(
    base: Path, head: Path, tmp_path: Path
) -> None:
    def accepted(run: Path) -> Result:
        limits = [part for limit in LIMITS for part in ("--fail-on", limit)]
        return CliRunner().invoke(
            application(accept), [str(run), str(tmp_path / "baseline"), *limits]
        )

    first = accepted(base)
    assert first.exit_code == 0, first.output
    assert "baseline is new" in first.output.replace("\n", "")
    assert compared(tmp_path / "baseline", base).exit_code == 0
    change(head, "item-mean", worse("rmse", 1.1))
    assert compared(tmp_path / "baseline", head).exit_code == 1
    assert "REGRESSED" in accepted(head).output
    assert compared(tmp_path / "baseline", head).exit_code == 0
    with np.load(next((tmp_path / "baseline" / "records").glob("item-mean*.npz"))) as arrays:
        assert arrays["share_columns"].tolist() == ["rmse", "precision@10"]
    change(head, "item-mean", status="timeout", reason="killed")
    assert accepted(head).exit_code == 2


def made(hits: Doubles, weights: Doubles | None = None) -> Estimate:
    """A number of users who have one value each in one fold, as the gate sees it."""
    sample = UserShares(hits[None], np.ones((1, len(hits))) if weights is None else weights[None])
    return bootstrap_users(METRICS["precision"], [sample], n_draws=400).estimate(0)


def test_what_is_0_in_the_base_has_no_percent_and_is_never_passed() -> None:
    rng = np.random.default_rng(0)
    some = rng.random(100)
    none = np.zeros(100)
    rare = np.eye(1, 100)[0]
    relative = parse_tolerance("precision@10:-3%")
    absolute = parse_tolerance("precision@10:-0.01")
    for old, new in ((none, some), (rare, none)):
        verdict = judge_metric("row", relative, made(old), made(new), 0.1)
        assert verdict.verdict == "UNRESOLVED" and "as in precision@10:-0.01" in verdict.reason
        assert verdict.low is None
    assert judge_metric("row", absolute, made(some), made(none), 0.1).verdict == "REGRESSED"
    for tolerance in (relative, absolute):
        equal = judge_metric("row", tolerance, made(none), made(none), 0.1)
        assert (equal.verdict, equal.change) == ("PASS", 0), "what is equal passes at 0, too"


def test_a_gain_is_suspicious_whatever_the_form_of_the_limit() -> None:
    rng = np.random.default_rng(1)
    some = rng.random(200)
    for text in ("precision@10:-3%", "precision@10:-0.01"):
        assert (
            judge_metric("row", parse_tolerance(text), made(some), made(1.3 * some), 0.1).verdict
            == "SUSPICIOUS"
        )
        assert (
            judge_metric("row", parse_tolerance(text), made(some), made(1.05 * some), 0.1).verdict
            == "IMPROVED"
        )
    assert (
        judge_metric(
            "row", parse_tolerance("precision@10:-0.01"), made(0 * some), made(some), 0.1
        ).verdict
        == "SUSPICIOUS"
    )
    assert (
        judge_metric(
            "row", parse_tolerance("mean_error:+0.01"), made(some), made(0.1 * some), 0.1
        ).verdict
        == "IMPROVED"
    )


def few_users(factor: float) -> Edit:
    """Only three users have something to find, and they find `factor` times as much."""

    def cut(arrays: dict[str, Any]) -> None:
        place = arrays["share_columns"].tolist().index("precision@10")
        arrays["share_weights"][place, 3:] = 0
        arrays["share_sums"][place] *= factor * (np.arange(arrays["share_sums"].shape[1]) < 3)

    return cut


def test_too_few_users_are_no_pass(base: Path, head: Path, tmp_path: Path) -> None:
    """A draw that misses them all is no number, and a comparison with no number is always false."""
    shutil.copytree(base, tmp_path / "few")
    for row in ("item-mean", "user-item-bias", "popularity"):
        change(tmp_path / "few", row, few_users(1))
        change(head, row, few_users(0.3))
    files = ("--json", str(tmp_path / "verdict.json"), "--markdown", str(tmp_path / "verdict.md"))
    result = compared(tmp_path / "few", head, "precision@10:-3%", more=files)
    assert result.exit_code == 2
    assert (
        "too few users: 3 with a value in one of the folds, and at least 20 are needed"
        in result.output
    )
    assert set(verdicts(tmp_path).values()) == {"UNRESOLVED"}
    assert "cannot be resolved" in (tmp_path / "verdict.md").read_text()


def test_all_outputs_say_that_a_tolerance_is_too_fine(
    base: Path, head: Path, tmp_path: Path
) -> None:
    change(head, "item-mean", worse("rmse", 1.0, noise=0.5))
    files = ("--json", str(tmp_path / "verdict.json"), "--markdown", str(tmp_path / "verdict.md"))
    assert compared(base, head, "rmse:+0.1%", more=files).exit_code == 2
    content = json.loads((tmp_path / "verdict.json").read_text())
    assert (content["exit_code"], content["failed"]) == (2, True)
    assert verdicts(tmp_path) == {
        ("item-mean", "rmse"): "UNRESOLVED",
        ("user-item-bias", "rmse"): "PASS",
    }
    written = (tmp_path / "verdict.md").read_text()
    assert "**1 of 2 rows cannot be resolved, so nothing is known to pass.**" in written
    assert "UNRESOLVED item-mean, rmse: too fine: the minimum detectable effect is" in written


def test_a_limit_that_judges_no_row_is_refused(base: Path, head: Path) -> None:
    for column in ("precision@20", "lightfm:precision@10", "diversity@10"):
        result = compared(base, base, f"{column}:-3%")
        assert result.exit_code == 2
        assert (
            f"can be gated by {column}. Columns there" in result.output
            and "precision@10" in result.output
        )
    for row in ("item-mean", "user-item-bias"):
        change(head, row, without("rmse"), metrics={"precision@10": 0.1})
    assert compared(head, head, "rmse:+1%").exit_code == 2
    assert compared(head, base, "rmse:+1%").exit_code == 2, "and none of the base either"
    result = compared(base, head, "rmse:+1%")
    assert (
        result.exit_code == 4 and "MISSING item-mean, rmse: undefined in the head" in result.output
    )


def without(column: str) -> Edit:
    """Take a column out of the raw answers."""

    def cut(arrays: dict[str, Any]) -> None:
        kept = arrays["share_columns"] != column
        arrays.update(
            {name: arrays[name][kept] for name in ("share_columns", "share_sums", "share_weights")}
        )

    return cut


def test_a_baseline_without_a_column_cannot_be_compared_by_it(base: Path, tmp_path: Path) -> None:
    arguments = [str(base), str(tmp_path / "baseline"), "--fail-on", "rmse:+1%"]
    assert CliRunner().invoke(application(accept), arguments).exit_code == 0
    result = compared(tmp_path / "baseline", base)
    assert result.exit_code == 2
    assert (
        "INCOMPARABLE popularity, precision@10: the base was accepted without precision@10"
        in result.output
    )
    again = CliRunner().invoke(application(accept), [*arguments, "--fail-on", "precision@10:-3%"])
    assert again.exit_code == 0 and compared(tmp_path / "baseline", base).exit_code == 0
    absent = CliRunner().invoke(application(accept), [*arguments[:2], "--fail-on", "recall@20:-3%"])
    assert absent.exit_code == 2 and "can be gated by recall@20" in absent.output


@pytest.mark.parametrize(
    ("predicts", "expected"),
    [("ratings", ["NOT GATED"]), ("order", []), (None, [])],
    ids=["predicts ratings", "ranks only", "the plan is old"],
)
def test_an_error_that_no_run_has_is_named_where_ratings_are_predicted(
    predicts: Literal["ratings", "order"] | None, expected: list[str], tmp_path: Path
) -> None:
    planned = [invented_runs.cell("popularity", fold) for fold in (0, 1)]
    records = [invented_runs.ok(cell, 0.9, ranks_only=True) for cell in planned]
    run = Run(invented_runs.write(tmp_path, records))
    cells, about = run.read_plan()
    description = AlgorithmDescription(definition="what many have rated", predicts=predicts)
    run.write_plan(cells, about.replaced(algorithms={"popularity": description}))
    tolerances = [parse_tolerance("rmse:+1%"), parse_tolerance("ndcg@10:-50%")]
    found = judge_runs(run, run, tolerances, suspicious=0.1)
    by_column = [verdict.verdict for verdict in found if verdict.tolerance.column == "rmse"]
    assert by_column == expected
    assert len(found) == len(expected) + 1, "what it ranks is judged in any case"


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_nothing_is_lost_by_accepting(
    base: Path, head: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accepted(run: Path, baseline: Path) -> Result:
        arguments = [str(run), str(baseline), "--fail-on", "rmse:+1%"]
        return CliRunner().invoke(application(accept), arguments)

    before = files(head)
    link = tmp_path / "link"
    link.symlink_to(head)
    for place in (head, head / "records", head / "baseline", head.parent, link):
        assert accepted(head, place).exit_code == 2 and files(head) == before
    assert accepted(base, head).exit_code == 2 and files(head) == before, (
        "a run is more than a baseline"
    )
    assert accepted(base, tmp_path / "baseline").exit_code == 0
    kept = files(tmp_path / "baseline")
    written = Run.write

    def broken(run: Run, *arguments: Any) -> None:
        if (
            run.directory.name == "accepted"
            and len(list((run.directory / "records").iterdir())) > 4
        ):
            raise OSError("no space left")
        written(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write", broken)
        assert accepted(base, tmp_path / "baseline").exit_code == 3
    renamed = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.name == "accepted":
            raise OSError("interrupted")
        return renamed(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        assert accepted(base, tmp_path / "baseline").exit_code == 3
    assert files(tmp_path / "baseline") == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline", "head", "link"]


@pytest.mark.parametrize(
    "theirs", ["records/song.mp3", "records/deep/er.json", "records/item-mean-notes.json"]
)
def test_a_directory_with_files_of_others_is_no_baseline(
    base: Path, tmp_path: Path, theirs: str
) -> None:
    arguments = [str(base), str(tmp_path / "baseline"), "--fail-on", "rmse:+1%"]
    assert CliRunner().invoke(application(accept), arguments).exit_code == 0
    precious = tmp_path / "baseline" / theirs
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("mine")
    before = files(tmp_path)
    result = CliRunner().invoke(application(accept), arguments)
    assert result.exit_code == 2 and "is no baseline, it holds records/" in result.output
    assert files(tmp_path) == before


def test_a_stranger_with_the_same_names_is_no_baseline(base: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs" / "records").mkdir(parents=True)
    (tmp_path / "theirs" / "records" / "song.mp3").write_text("mine")
    arguments = [str(base), str(tmp_path / "theirs"), "--fail-on", "rmse:+1%"]
    result = CliRunner().invoke(application(accept), arguments)
    assert result.exit_code == 2 and "holds no results" in result.output
    assert files(tmp_path) == {"theirs/records/song.mp3": b"mine"}


@pytest.fixture(scope="module")
def repeated(
    ratings_file: Path, run_here: RunHere, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two divisions, two initialisations and another split."""
    directory = tmp_path_factory.mktemp("repeated")
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        "--algorithm",
        "item-mean",
        "--out",
        directory,
    ]
    run_here(*arguments, "--repeats", 2, "--also-split", "last-out", "--no-report", check=0)
    edit_records(directory, leave_alone)
    return directory


def test_other_splits_are_rows_and_other_initialisations_are_left_out(
    repeated: Path, tmp_path: Path
) -> None:
    head = Path(shutil.copytree(repeated, tmp_path / "head"))
    run = Run(head)
    records = run.records()
    assert len(records) == 7
    scale = worse("rmse", 9.0)
    for record in records:
        if record.cell.seed != records[0].cell.seed:
            rewrite(run, record, scale)
    assert compared(repeated, head, "rmse:+1%").exit_code == 0, "initialisations do not count"
    last = next(record for record in records if record.cell.split != "kfold")
    rewrite(run, last, worse("rmse", 1.05**2))
    result = compared(
        repeated,
        head,
        "rmse:+1%",
        "fit_seconds:+50%",
        more=("--json", str(tmp_path / "verdict.json")),
    )
    assert result.exit_code == 1
    name = f"item-mean (split {last.cell.split})"
    found = verdicts(tmp_path)
    assert (found["item-mean", "rmse"], found[name, "rmse"]) == ("PASS", "REGRESSED")
    assert found[name, "fit_seconds"] == "NOT GATED" and "one fold: a single ratio" in result.output
    main = json.loads((tmp_path / "verdict.json").read_text())["verdicts"][0]
    own = [
        r.metrics["rmse"] or 0
        for r in records
        if r.cell.split == "kfold" and r.cell.seed == records[0].cell.seed
    ]
    assert main["base"] == pytest.approx(np.mean(own), rel=1e-6) and len(own) == 4


def rewrite(run: Run, record: Record, shares: Edit) -> None:
    with np.load(run.path(record.cell, ".npz")) as found:
        arrays = dict(found)
    shares(arrays)
    run.write(record, arrays)


def test_the_readme_has_the_exit_codes_of_the_gate() -> None:
    """In the order in which they win."""
    section = (ROOT / "README.md").read_text().partition("| exit code | of `compare`")[2]
    codes = [int(code) for code in re.findall(r"^\| (\d) \|", section.partition("\n\n")[0], re.M)]
    assert codes == [CODES[outcome] for outcome in Outcome] == [1, 4, 2, 0]

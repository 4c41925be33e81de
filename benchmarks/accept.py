"""Makes a run the baseline that later runs are compared with: the only way to change what a build is gated by."""

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from typer import Argument, Option

from recbench.benchmarks.certainty import SHARE_ARRAYS
from recbench.benchmarks.compare import open_console, tabulate_verdicts
from recbench.benchmarks.console import FINE, serve
from recbench.benchmarks.gating import judge_runs, parse_tolerance, refuse_absent_columns
from recbench.benchmarks.records import MADE_BELOW, Record, Run
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError

PARTS = ("plan.json", "records")


def accept(
    run: Annotated[Path, Argument(help="the results of a run, all cells ok")],
    baseline: Annotated[
        Path, Argument(help="the directory of the baseline, such as reports/baselines/simulated")
    ],
    gated: Annotated[
        list[str],
        Option("--fail-on", help=f"COLUMN:+5%, as for `{command_to_type('compare')}`; repeatable"),
    ],
) -> int:
    """Print what changes, and put the plan, the records and the gated columns of the raw answers in the baseline."""
    limits = [parse_tolerance(text) for text in gated]
    _refuse_place(run.resolve(), baseline.resolve())
    source = Run(run)
    records = source.records()
    bad = [f"{record.cell.row} {record.cell.place}" for record in records if record.status != "ok"]
    if bad:
        raise UsageError(f"{run} cannot be a baseline: not ok are {', '.join(bad)}")
    refuse_absent_columns(source, limits)
    console = open_console()
    if (baseline / "plan.json").exists():
        console.print(
            tabulate_verdicts(judge_runs(Run(baseline), source, limits, suspicious=np.inf))
        )
    else:
        console.print(f"{baseline} is new", markup=False)
    baseline.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{baseline.name}.", dir=baseline.parent) as scratch:
        accepted, replaced = Path(scratch, "accepted"), Path(scratch, "replaced")
        _write(Run(accepted), source, records, [limit.column for limit in limits])
        _replace(baseline, accepted, replaced)
    size = sum(path.stat().st_size for path in baseline.rglob("*") if path.is_file())
    console.print(
        f"{len(records)} records accepted into {baseline}, {size / 2**20:.1f} MB", markup=False
    )
    return FINE


def _refuse_place(run: Path, baseline: Path) -> None:
    """UsageError for a baseline that shares files with the run, or that would take more than a baseline with it."""
    if run == baseline or run in baseline.parents or baseline in run.parents:
        raise UsageError(
            f"{baseline} and {run} lie in each other: a baseline needs a directory of its own"
        )
    if baseline.exists():
        others = (
            {path.name for path in baseline.iterdir()} - set(PARTS)
            if baseline.is_dir()
            else {"a file"}
        )
        others = others or _strangers(baseline)
        if others:
            raise UsageError(
                f"{baseline} is no baseline, it holds {', '.join(sorted(others))}: name another"
            )


def _strangers(baseline: Path) -> set[str]:
    """What in the directory of a baseline no baseline holds: it is a plan and the records of its rows, or empty."""
    if not any(baseline.iterdir()):
        return set()
    cells, _ = Run(baseline).read_plan()
    planned = {cell.algorithm for cell in cells}
    records = baseline / "records"
    if records.is_symlink() or not records.is_dir():
        return {"a plan without its records"}
    return {f"records/{path.name}" for path in records.iterdir() if not _is_record(path, planned)}


def _is_record(path: Path, planned: Collection[str]) -> bool:
    """Whether `path` is called like the record or the raw answers of a planned algorithm, under whichever key."""
    algorithm = path.name.rpartition("-")[0]
    is_named = MADE_BELOW["records"].fullmatch(path.name) is not None
    return is_named and algorithm in planned and path.is_file() and not path.is_symlink()


def _write(target: Run, source: Run, records: list[Record], columns: list[str]) -> None:
    cells, about = source.read_plan()
    (target.directory / "records").mkdir(parents=True)
    target.write_plan(cells, about)
    for record in records:
        target.write(record, _trimmed(source.path(record.cell, ".npz"), columns))


def _replace(baseline: Path, accepted: Path, replaced: Path) -> None:
    """Put `accepted` in the place of `baseline`, which is kept until the new one is there."""
    if baseline.exists():
        baseline.rename(replaced)
    try:
        accepted.rename(baseline)
    except BaseException:
        if replaced.exists():
            replaced.rename(baseline)
        raise


def _trimmed(path: Path, columns: list[str]) -> dict[str, NDArray[Any]]:
    """The shares of `columns` alone: the rest of the raw answers is large and no gate asks for it."""
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in SHARE_ARRAYS}
    chosen = np.isin(kept["share_columns"], columns)
    return {
        "share_users": kept["share_users"],
        "share_columns": kept["share_columns"][chosen],
        "share_sums": kept["share_sums"][chosen],
        "share_weights": kept["share_weights"][chosen],
    }


if __name__ == "__main__":
    serve(accept)

"""Makes a run the baseline that later runs are compared with.

It is the only way to change what a build is gated by.
"""

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from typer import Argument, Option

from recbench.benchmarks.certainty import SHARE_ARRAYS
from recbench.benchmarks.console import FINE, serve
from recbench.benchmarks.gating import (
    judge_runs,
    open_wide_console,
    parse_tolerance,
    refuse_absent_columns,
    tabulate_verdicts,
)
from recbench.benchmarks.records import NAMES_BELOW, Record, Run
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
    """Print what changes, and put the run in the place of the baseline.

    A baseline holds the plan, the records and the gated columns of the raw answers.
    """
    tolerances = [parse_tolerance(text) for text in gated]
    _refuse_place(run.resolve(), baseline.resolve())
    source = Run(run)
    records = source.records()
    failed = [
        f"{record.cell.row} {record.cell.place}" for record in records if record.status != "ok"
    ]
    if failed:
        raise UsageError(f"{run} cannot be a baseline: not ok are {', '.join(failed)}")
    refuse_absent_columns(source, tolerances)

    console = open_wide_console()
    if (baseline / "plan.json").exists():
        verdicts = judge_runs(Run(baseline), source, tolerances, suspicious=np.inf)
        console.print(tabulate_verdicts(verdicts))
    else:
        console.print(f"{baseline} is new")

    # Written beside the baseline, so that one rename puts it in its place.
    baseline.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{baseline.name}.", dir=baseline.parent) as scratch:
        accepted = Path(scratch, "accepted")
        columns = [tolerance.column for tolerance in tolerances]
        _write_baseline(Run(accepted), source, records, columns)
        _replace_baseline(baseline, accepted, Path(scratch, "replaced"))

    size = sum(path.stat().st_size for path in baseline.rglob("*") if path.is_file())
    megabytes = f"{size / 2**20:.1f} MB"
    console.print(f"{len(records)} records accepted into {baseline}, {megabytes}")
    return FINE


def _refuse_place(run: Path, baseline: Path) -> None:
    """UsageError for a baseline that shares files with the run, or whose place holds other
    files.
    """
    if run == baseline or run in baseline.parents or baseline in run.parents:
        raise UsageError(
            f"{baseline} and {run} lie in each other: a baseline needs a directory of its own"
        )
    if not baseline.exists():
        return

    strangers = {"a file"}
    if baseline.is_dir():
        strangers = {path.name for path in baseline.iterdir()} - set(PARTS)
    strangers = strangers or _find_foreign_records(baseline)
    if strangers:
        raise UsageError(
            f"{baseline} is no baseline, it holds {', '.join(sorted(strangers))}: name another"
        )


def _find_foreign_records(baseline: Path) -> set[str]:
    """What in the directory of a baseline is no record of a row of its plan.

    Empty for an empty directory. UsageError if the plan cannot be read.
    """
    if not any(baseline.iterdir()):
        return set()

    cells, _ = Run(baseline).read_plan()
    planned = {cell.algorithm for cell in cells}
    records = baseline / "records"
    if records.is_symlink() or not records.is_dir():
        return {"a plan without its records"}
    return {f"records/{path.name}" for path in records.iterdir() if not _is_record(path, planned)}


def _is_record(path: Path, planned: Collection[str]) -> bool:
    """Whether `path` has the name of a record or raw answers of a planned algorithm, under
    any key.
    """
    algorithm = path.name.rpartition("-")[0]
    has_name_of_ours = NAMES_BELOW["records"].fullmatch(path.name) is not None
    is_plain_file = path.is_file() and not path.is_symlink()
    return has_name_of_ours and algorithm in planned and is_plain_file


def _write_baseline(target: Run, source: Run, records: list[Record], columns: list[str]) -> None:
    """Write the plan and the records of `source` into `target`, with the shares in `columns`
    alone.
    """
    cells, about = source.read_plan()
    (target.directory / "records").mkdir(parents=True)
    target.write_plan(cells, about)
    for record in records:
        answers = source.answers_of(record, SHARE_ARRAYS)
        target.write(record, _keep_columns(answers, columns))


def _replace_baseline(baseline: Path, accepted: Path, replaced: Path) -> None:
    """Put `accepted` in the place of `baseline`, which is kept until the new one is there."""
    if baseline.exists():
        baseline.rename(replaced)
    try:
        accepted.rename(baseline)
    except BaseException:
        if replaced.exists():
            replaced.rename(baseline)
        raise


def _keep_columns(shares: dict[str, NDArray[Any]], columns: list[str]) -> dict[str, NDArray[Any]]:
    """The users' shares in `columns` alone.

    The rest of the raw answers is large, and no gate asks for it.
    """
    is_chosen = np.isin(shares["share_columns"], columns)
    return {
        "share_users": shares["share_users"],
        "share_columns": shares["share_columns"][is_chosen],
        "share_sums": shares["share_sums"][is_chosen],
        "share_weights": shares["share_weights"][is_chosen],
    }


if __name__ == "__main__":
    serve(accept)

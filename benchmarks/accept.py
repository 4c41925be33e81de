"""Makes a run the baseline that later runs are compared with.

No other command changes a baseline; tests of a library have `pytest --recbench-update` for theirs.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Argument, Option

from recbench.benchmarks.console import FINE, serve
from recbench.benchmarks.gating import (
    judge_runs,
    open_wide_console,
    parse_tolerance,
    refuse_baseline,
    tabulate_verdicts,
    write_baseline,
)
from recbench.benchmarks.records import Run
from recbench.command import command_to_type


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
    source = Run(run)
    refuse_baseline(source, baseline, tolerances)

    console = open_wide_console()
    if (baseline / "plan.json").exists():
        verdicts = judge_runs(Run(baseline), source, tolerances, suspicious=np.inf)
        console.print(tabulate_verdicts(verdicts))
    else:
        console.print(f"{baseline} is new")
    n_records = write_baseline(source, baseline, tolerances)

    size = sum(path.stat().st_size for path in baseline.rglob("*") if path.is_file())
    megabytes = f"{size / 2**20:.1f} MB"
    console.print(f"{n_records} records accepted into {baseline}, {megabytes}")
    return FINE


if __name__ == "__main__":
    serve(accept)

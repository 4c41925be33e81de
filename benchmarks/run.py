"""The command line of the bench: flags are parsed, `api` does the work, and progress is shown."""

import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, time
from typing import Annotated, Self

from psutil import Process
from rich.console import Console
from typer import Option

from recbench.adapters.spark import MASTER
from recbench.benchmarks.api import (
    USUAL_TIME_LIMIT,
    Beginning,
    Comparison,
    Listener,
    Settings,
    find_run,
    measure_plan,
    parse_limits,
    preview_plan,
)
from recbench.benchmarks.console import (
    FINE,
    INCOMPLETE,
    Display,
    announce_run,
    import_plugin,
    print_estimates,
    print_lines,
    print_plan,
    serve,
)
from recbench.benchmarks.gating import suspect_rows
from recbench.benchmarks.metrics import column_of
from recbench.benchmarks.models import find_best, group_rows
from recbench.benchmarks.planning import USUAL_SUITE, Request, RunPlan, check_request
from recbench.benchmarks.records import Cell, Record, Run
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, format_seconds, open_console

SECONDS_OF_IMPORTS = 30.0  # that a command takes at most before it does anything
SHOWN_METRICS = ("rmse", "ndcg@10")  # in the live table, when the report shows them too
MOSTLY_COLD = "most test ratings are cold"  # the blind spot with which it shows warm ones, too


def run(
    dataset: Annotated[str, Option(help=f"a name from `{command_to_type('list')} datasets`")],
    suite: Annotated[
        str | None,
        Option(
            help=f"the rows of the table, from `{command_to_type('list')} suites`; not beside "
            f"--algorithm [default: {USUAL_SUITE}]"
        ),
    ] = None,
    algorithm: Annotated[
        list[str] | None, Option(help="NAME or NAME[key=value,...]; repeatable")
    ] = None,
    folds: Annotated[
        int | None, Option(help="number of folds [default: the suite's, or 5]", min=1)
    ] = None,
    split: Annotated[
        str | None,
        Option(help=f"from `{command_to_type('list')} splits` [default: the suite's, or kfold]"),
    ] = None,
    seed: Annotated[
        int | None,
        Option(help="fixes folds, initialisations and ties [default: 0]", min=0, max=2**32 - 1),
    ] = None,
    split_seed: Annotated[
        int | None, Option(help="fixes the folds alone [default: --seed]", min=0, max=2**32 - 1)
    ] = None,
    also_split: Annotated[
        str | None,
        Option(
            help="divide in this way too, such as time, and show how the order of the rows changes"
        ),
    ] = None,
    filters: Annotated[
        str,
        Option(
            help="train behind these filters, too, and test on what they keep and drop: 5/20,20/50 "
            "(items with more than 5 and users with more than 20 ratings, ...)",
            metavar="ITEMS/USERS,...",
            show_default=False,
        ),
    ] = "",
    grow: Annotated[
        str,
        Option(
            help="train on these shares of the users, too, and test on the same ratings: .05,.2,1",
            metavar="SHARES",
            show_default=False,
        ),
    ] = "",
    repeats: Annotated[
        int,
        Option(
            help="more than 1: as many divisions, if seeds make any, and initialisations of the "
            "first",
            min=1,
        ),
    ] = 1,
    k: Annotated[
        list[int] | None, Option(help="cutoff of the ranking metrics; repeatable [default: 10]")
    ] = None,
    metric: Annotated[
        list[str] | None,
        Option(
            help="column of the report, or all; repeatable [default: the suite's, or the usual]"
        ),
    ] = None,
    jobs: Annotated[
        int, Option(help="cells at a time; more than 1 makes times contended", min=1)
    ] = 1,
    cluster: Annotated[
        str,
        Option(
            help="measure on the workers of Dask: local:3 to try it out, or a scheduler's address "
            "or file",
            metavar="ADDRESS",
            show_default=False,
        ),
    ] = "",
    rounds: Annotated[
        int, Option(help="measure all rows in turn so often; times are medians over all", min=1)
    ] = 1,
    threads: Annotated[int, Option(help="threads of each cell", min=1)] = 1,
    tune: Annotated[
        str,
        Option(
            help="tune each row, too, on an inner division of each fold: 50 (trials), 10m "
            "(processor time), or 50,10m (whichever is spent first)",
            metavar="TRIALS|TIME|TRIALS,TIME",
            show_default=False,
        ),
    ] = "",
    no_default_trial: Annotated[
        bool,
        Option(
            "--no-default-trial",
            help="leave the row's own hyperparameters out of what --tune tries",
        ),
    ] = False,
    parameters: Annotated[
        str,
        Option(
            help="give rows the values that searches have found elsewhere: tuned:movielens-100k, "
            f"or a TOML file, see `{command_to_type('list')} parameters`",
            metavar="tuned:DATASET|FILE",
            show_default=False,
        ),
    ] = "",
    spark_master: Annotated[
        str,
        Option(
            help="where the row spark-als computes, such as spark://HOST:7077 [default: in its "
            "cell's process family, with --threads]",
            metavar="ADDRESS",
            show_default=False,
        ),
    ] = "",
    shard: Annotated[
        str,
        Option(
            help="measure this part of the plan alone, such as 2/8; "
            f"`{command_to_type('merge')}` joins all parts",
            metavar="NUMBER/COUNT",
            show_default=False,
        ),
    ] = "",
    time_limit: Annotated[str, Option(help="per cell: 90s, 10m, 1.5h")] = USUAL_TIME_LIMIT,
    memory_limit: Annotated[
        str | None, Option(help="per cell: 512M, 8G [default: 80 % of the machine]")
    ] = None,
    budget: Annotated[
        str | None,
        Option(help="for the whole run with its report; rows that have no room are not run"),
    ] = None,
    no_skip: Annotated[
        bool,
        Option("--no-skip", help="run cells, too, whose estimate is far above a limit"),
    ] = False,
    out: Annotated[Path | None, Option(help="where results go [default: runs/DATASET]")] = None,
    force: Annotated[
        list[str] | None, Option(help="measure this row again although it is there; repeatable")
    ] = None,
    plugin: Annotated[
        list[str] | None, Option(help="module with more adapters; repeatable")
    ] = None,
    show_user: Annotated[
        list[str] | None,
        Option(help="this user's recommendations go into the report [default: three drawn users']"),
    ] = None,
    real_only: Annotated[bool, Option("--real-only", help="never stand in simulated data")] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="print the plan and what it will take, and leave")
    ] = False,
    debug: Annotated[
        bool,
        Option(
            "--debug", help="in this process: prints, breakpoint(), whole tracebacks; no limits"
        ),
    ] = False,
    latency: Annotated[
        bool,
        Option(
            "--latency",
            help="what serving each row would cost, too: its model of the first fold is saved, "
            "loaded from disk and asked for top tens",
        ),
    ] = False,
    no_report: Annotated[
        bool,
        Option(
            "--no-report", help="no report.md, report.html and figures, and no answers at the end"
        ),
    ] = False,
) -> int:
    """Run algorithms on a data set, each fold in a process of its own; report errors and costs.

    \b
    Examples:
      --dataset movielens-100k --suite quick
      --dataset table:ratings.csv --algorithm ease --algorithm "als[factors=20]" --folds 3
    """
    started = _begun_at()
    console = open_console(soft_wrap=True)

    for module in plugin or []:
        import_plugin(module)
    if suite is not None and algorithm:
        raise UsageError(
            f"--suite {suite} --algorithm {algorithm[0]}: rows come from a suite or are named, so "
            f"leave one of the two out; `{command_to_type('list')} suites` shows the rows of suites"
        )
    if debug and jobs > 1:
        raise UsageError(
            f"--jobs {jobs} --debug: to be debugged, cells run one after the other in this "
            "process; leave --jobs out"
        )
    if debug and latency:
        raise UsageError(
            "--latency --debug: in this process nothing is timed as in a run; leave one of them out"
        )

    if cluster and (debug or jobs > 1):
        raise UsageError(
            f"--cluster {cluster}: it has one cell at a time on each worker, in processes there; "
            "leave --jobs and --debug out"
        )

    request = Request(
        dataset=dataset,
        suite=suite or USUAL_SUITE,
        algorithms=tuple(algorithm or ()),
        folds=folds,
        split=split,
        seed=seed,
        split_seed=split_seed,
        also_split=also_split,
        repeats=repeats,
        cutoffs=tuple(k or ()),
        metrics=tuple(metric or ()),
        threads=threads,
        forced_rows=tuple(force or ()),
        users=tuple(show_user or ()),
        plugins=tuple(plugin or ()),
        tune=tune,
        parameters=parameters,
        default_trial=not no_default_trial,
        filters=filters,
        grow=grow,
        shard=shard,
        latency=latency,
    )
    plan = check_request(request)
    if spark_master:
        os.environ[MASTER] = spark_master  # inherited by the processes of cells
    limits = parse_limits(time_limit, memory_limit, budget)
    settings = Settings(
        run=find_run(dataset, out),
        limits=limits,
        jobs=jobs,
        rounds=rounds,
        debug=debug,
        cluster=cluster,
        real_only=real_only,
        skips=not no_skip,
        is_reported=not no_report,
        begun=started,
    )
    if dry_run:
        return _show_preview(console, plan, settings)

    command = f"{command_to_type('run')} {shlex.join(sys.argv[1:])}"
    with Progress(console, is_plain=debug) as progress:
        records = measure_plan(plan, settings, command, progress)
    _print_summary(console, records, perf_counter() - started)
    if progress.blind_spots:
        kinds = "; ".join(progress.blind_spots)
        console.print(f"  what these data cannot tell: {kinds}", style="yellow", markup=False)

    if not no_report:
        comparison = Comparison(settings.run.directory)
        report = comparison.report()
        print_lines(console, comparison.answers())
        console.print(f"report: {report.resolve().as_uri()}", markup=False)
    print_lines(console, _advise_training(settings.run.directory, records))
    is_complete = all(record.status == "ok" for record in records)
    return FINE if is_complete else INCOMPLETE


def _begun_at() -> float:
    """When the command began, on the clock of `perf_counter`: Python and imports count.

    The present, in a process that has done something else before.
    """
    age = time() - Process().create_time()
    return perf_counter() - age if age < SECONDS_OF_IMPORTS else perf_counter()


class Progress(Listener):
    """Shows on `console` what a run begins with, and each cell. Use as a context manager."""

    def __init__(self, console: Console, *, is_plain: bool) -> None:
        self._console = console
        self._is_plain = is_plain  # nothing may be drawn over what a debugged cell prints
        self._display: Display | None = None
        self.blind_spots: list[str] = []  # what the data cannot tell, in a few words each

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._display is not None:
            self._display.__exit__(*error)

    def on_replacement(self, lines: list[str]) -> None:
        """Print what of an earlier run goes."""
        print_lines(self._console, lines)

    def on_beginning(self, beginning: Beginning) -> None:
        """Print what will be run on what, and open the live table."""
        announce_run(self._console, beginning.data, beginning.n_cells, beginning.n_waiting)
        print_lines(self._console, [f"  {remark}" for remark in beginning.remarks])
        self.blind_spots = [spot.kind for spot in beginning.blind_spots]
        for spot in beginning.blind_spots:
            self._console.print(f"  blind spot: {spot.sentence}", style="yellow", markup=False)

        columns = [column for column in SHOWN_METRICS if column in beginning.columns]
        if MOSTLY_COLD in self.blind_spots:
            limited = [column_of("warm", column) for column in columns]
            columns += [column for column in limited if column is not None]
        self._display = Display(
            self._console,
            beginning.n_waiting,
            columns or beginning.columns[:2],
            plain=self._is_plain,
        )
        self._display.__enter__()

    def on_more(self, reason: str, n_cells: int) -> None:
        """Say why more cells are measured, and make room for them."""
        print_lines(self._console, [f"  {reason}"])
        if self._display is not None:
            self._display.add_cells(n_cells)

    def on_start(self, cell: Cell) -> None:
        """Name the cell that is running now."""
        if self._display is not None:
            self._display.show_start(cell)

    def on_record(self, record: Record) -> None:
        """Add a cell that has ended."""
        if self._display is not None:
            self._display.add_record(record)


def _show_preview(console: Console, plan: RunPlan, settings: Settings) -> int:
    """Print the plan, and what of an earlier run it would replace; the exit code."""
    previewed = preview_plan(plan, settings)
    print_lines(console, previewed.replacement)
    print_plan(console, previewed.states, settings.run.directory)
    print_estimates(console, previewed.rows, previewed.other_seconds, skips=settings.skips)
    return FINE


def _print_summary(console: Console, records: Sequence[Record], seconds: float) -> None:
    """Print how many cells are ok after so many `seconds`, and by row the others' statuses.

    Last come rows that are too good to be taken on trust.
    """
    n_ok = 0
    statuses_by_row: dict[str, Counter[str]] = {}
    for record in records:
        if record.status == "ok":
            n_ok += 1
            continue
        statuses = statuses_by_row.setdefault(record.cell.row, Counter())
        statuses[record.status] += 1

    lines = [f"{n_ok} of {len(records)} cells ok after {format_seconds(seconds)} s"]
    for row, statuses in statuses_by_row.items():
        counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
        lines.append(f"  {row}: {counts}; the reasons are in results.csv and in the report")
    for row, why in suspect_rows(records).items():
        lines.append(f"  SUSPICIOUS {row}: {why}")
    print_lines(console, lines)


def _advise_training(directory: Path, records: Sequence[Record]) -> list[str]:
    """What to type to train the best row by each of the first metrics, as lines.

    Where the data name no best row, how to train one all the same.
    """
    _, about = Run(directory).read_plan()
    if about.shard:
        return []  # it has some of the cells only

    reasons = {column: spot.kind for spot in about.blind_spots for column in spot.hides}
    command = f"{command_to_type('train')} {shlex.quote(str(directory))}"
    of_those = ""
    if any(record.cell.external is not None for record in records):
        of_those = " of the rows that were fitted here"

    rows = group_rows(records)
    lines = []
    for column in SHOWN_METRICS:
        best = find_best(rows, column) if column in about.metrics else None
        if best is None:
            continue
        if column in reasons:
            lines.append(
                f"no row is named best in {column} ({reasons[column]}); to train one all the same: "
                f"{command} --row {shlex.quote(best)} --out model"
            )
        else:
            lines.append(
                f"best {column}{of_those}: {best}; to train it on all ratings: {command} --best "
                f"{column} --out model"
            )
    return lines


if __name__ == "__main__":
    serve(run)

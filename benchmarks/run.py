"""The command line of the bench: plan -> run -> records -> report. The composition root."""

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Annotated

import psutil
from rich.console import Console
from typer import Option

from recbench import datasets
from recbench.benchmarks.console import (
    FINE,
    INCOMPLETE,
    Display,
    announce,
    import_plugin,
    print_plan,
    serve,
)
from recbench.benchmarks.execution import Limits, make_jobs, open_executor, remove_logs
from recbench.benchmarks.metrics import (
    Evaluation,
    find_metric,
    metric_columns,
    protocols_of_columns,
)
from recbench.benchmarks.planning import cells as plan
from recbench.benchmarks.planning import (
    choose_directory,
    describe_replacement,
    files_of,
    resume,
    state_of,
)
from recbench.benchmarks.planning import units as limits
from recbench.benchmarks.records import (
    Cell,
    PublishedNumber,
    Record,
    Run,
    RunDescription,
    claimed,
    describe_algorithms,
    describe_data,
    evaluation_source,
    find_users,
    refuse_strangers,
    write_examples,
    write_table,
)
from recbench.benchmarks.splits import SPLITS, canonical_spec, resolve_n_folds
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, pick_name
from recbench.datasets.profile import write_profile
from recbench.datasets.ratings import Dataset

SHOWN = ("rmse", "ndcg@10")  # in the live table, when the report shows them too


def run(
    dataset: Annotated[str, Option(help=f"a name from `{command_to_type('list')} datasets`")],
    suite: Annotated[
        str, Option(help="the rows of the table; overridden by --algorithm")
    ] = "standard",
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
    repeats: Annotated[
        int,
        Option(
            help="more than 1: as many divisions, if seeds make any, and initialisations of the first",
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
    threads: Annotated[int, Option(help="threads of each cell", min=1)] = 1,
    time_limit: Annotated[str, Option(help="per cell: 90s, 10m, 1.5h")] = "10m",
    memory_limit: Annotated[
        str | None, Option(help="per cell: 512M, 8G [default: 80 % of the machine]")
    ] = None,
    budget: Annotated[
        str | None, Option(help="for the whole run; cells without room are not run")
    ] = None,
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
    dry_run: Annotated[bool, Option("--dry-run", help="print the plan and leave")] = False,
    debug: Annotated[
        bool,
        Option(
            "--debug", help="in this process: prints, breakpoint(), whole tracebacks; no limits"
        ),
    ] = False,
    no_report: Annotated[
        bool, Option("--no-report", help="all but report.md, report.html and figures")
    ] = False,
) -> int:
    """Run algorithms on a data set, each fold in a process of its own, and report errors and costs."""
    begun = perf_counter()
    console = Console(soft_wrap=True, highlight=False)
    for module in plugin or []:
        import_plugin(module)
    chosen = plan.Suite("", "", plan.rows(algorithm)) if algorithm else plan.suite(suite)
    table, divided = chosen.rows, canonical_spec(split or chosen.split or "kfold")
    start, also = (
        seed if seed is not None else chosen.seed or 0,
        canonical_spec(also_split) if also_split else None,
    )
    if debug and jobs > 1:
        raise UsageError(
            f"--jobs {jobs} --debug: to be debugged, cells run one after the other in this process; "
            "leave --jobs out"
        )
    if also == divided:
        raise UsageError(
            f"--also-split {also} is the split of the run itself; name another, such as time"
        )
    forced = {
        pick_name("row to force", row, [r.name for r in plan.with_truth(table)])
        for row in force or []
    }
    ks, shown = _columns(k, metric or chosen.metrics)
    limit = Limits(
        limits.seconds("--time-limit", time_limit),
        _memory(memory_limit),
        limits.seconds("--budget", budget) if budget else None,
    )
    datasets.check_spec(dataset)
    # absolute, since an adapter may change the directory
    results = Run((out or choose_directory(dataset)).absolute())
    refuse_strangers(results.directory, files_of(dataset))
    evaluation, made_by = Evaluation(ks, protocols_of_columns(shown)), evaluation_source()

    def planned(data: Dataset) -> list[Cell]:
        find_users(data, show_user or [])  # refuses unknown ones before anything runs
        if not split and divided.partition("[")[0] not in {*SPLITS, *data.splits}:
            raise UsageError(
                f"suite {suite!r} is defined for the split {divided!r}, which {data.name} does not have"
            )
        n_folds = resolve_n_folds(data, divided, folds, None if split else chosen.folds)
        rows = table if algorithm else plan.with_truth(table, data)
        how = plan.How(divided, n_folds, start, evaluation, threads, repeats, split_seed)
        if not also:
            return plan.cells(data, rows, how)
        other = plan.How(also, resolve_n_folds(data, also, None), start, evaluation, threads)
        return [*plan.cells(data, rows, how), *plan.cells(data, rows, other)]

    if dry_run:
        cells = planned(datasets.load(dataset, real_only=real_only))
        for line in describe_replacement(cells, results):
            console.print(line, markup=False)
        planned_states = [(cell, state_of(results, cell, forced, made_by)) for cell in cells]
        print_plan(console, planned_states, results.directory)
        return FINE
    with ExitStack() as stack:
        executor = stack.enter_context(open_executor(threads, jobs, debug=debug))
        # while the executor imports the libraries
        data = datasets.load(dataset, real_only=real_only)
        stack.enter_context(claimed(results.directory, files_of(dataset)))
        cells = planned(data)
        # Before anything is written: a record that cannot be read, and what the new plan replaces.
        states = {cell.name: state_of(results, cell, forced, made_by) for cell in cells}
        for line in describe_replacement(cells, results):
            console.print(line, markup=False)
        reproduce = _reproduce(dataset, cells[0], repeats, shown, plugin or [])
        about = RunDescription(
            command=f"{command_to_type('run')} {shlex.join(sys.argv[1:])}",
            reproduce=reproduce,
            metrics=shown,
            protocol=evaluation.to_json(),
            evaluation=made_by,
            published=_published(chosen, data, cells[0]),
            data=describe_data(data),
            algorithms=describe_algorithms(cells),
            environment=executor.environment,
        )
        results.write_plan(cells, about)
        write_profile(results.directory / "profile.json", data)
        resumed = resume(results, cells, states, data, made_by)
        waiting = resumed.waiting
        remove_logs(results, [cell for cell in cells if cell not in waiting])
        announce(console, data, len(cells), len(waiting))
        for remark in resumed.remarks:
            console.print(f"  {remark}", markup=False)
        live = [column for column in SHOWN if column in shown] or shown[:2]
        measurements = make_jobs(
            waiting,
            results,
            data,
            environment=about.environment,
            evaluation=made_by,
            limits=limit,
            plugins=plugin or [],
        )
        # nothing may be drawn over what a debugged cell prints
        with Display(console, len(waiting), live, plain=debug) as display:
            for record in executor.execute(measurements, display.started):
                display.finished(record)
    records = results.records()
    write_examples(results, records, data, find_users(data, show_user or []))
    return _close(console, results, records, perf_counter() - begun, report=not no_report)


def _columns(
    k: list[int] | None, metric: Sequence[str] | None
) -> tuple[tuple[int, ...], list[str]]:
    """The cutoffs, and the metric columns the report shows; UsageError for an unknown metric or a k below 1."""
    if min(k or [1]) < 1:
        raise UsageError(f"--k {min(k or [1])}: expected a cutoff of at least 1")
    if list(metric or []) == ["all"]:
        metric = metric_columns(tuple(sorted(set(k or [10]))))
    shown = list(metric or metric_columns(tuple(sorted(set(k or [10]))), headline=True))
    for column in shown:
        find_metric(column)
    wanted = {int(column.partition("@")[2]) for column in shown if "@" in column}
    return tuple(sorted(set(k or ([] if wanted else [10])) | wanted)), shown


def _memory(memory_limit: str | None) -> float:
    if memory_limit:
        return limits.megabytes("--memory-limit", memory_limit)
    return 0.8 * psutil.virtual_memory().total / 2**20


def _reproduce(dataset: str, cell: Cell, repeats: int, shown: list[str], plugins: list[str]) -> str:
    """The command that measures a row again, up to the row's name."""
    command = [*command_to_type("run").split(), "--dataset", dataset, "--split", cell.split]
    command += ["--folds", str(cell.n_folds), "--seed", str(cell.seed)]
    command += ["--split-seed", str(cell.split_seed)] if cell.split_seed != cell.seed else []
    ks = cell.protocol["ks"]
    command += [part for k in ks for part in ("--k", str(k))]
    if shown != metric_columns(tuple(ks), headline=True):
        command += [part for column in shown for part in ("--metric", column)]
    command += [
        "--threads",
        str(cell.threads),
        *(["--repeats", str(repeats)] if repeats > 1 else []),
    ]
    return shlex.join([*command, *(part for plugin in plugins for part in ("--plugin", plugin))])


def _published(suite: plan.Suite, data: Dataset, cell: Cell) -> list[PublishedNumber]:
    """What others have measured in this way; nothing on simulated data or if the division is not the suite's."""
    as_defined = cell.split == (suite.split or "kfold") and suite.folds in (None, cell.n_folds)
    if not as_defined or data.provenance.simulated:
        return []
    return [number for number in suite.published if number.dataset == data.name]


def _close(
    console: Console, results: Run, records: list[Record], seconds: float, *, report: bool
) -> int:
    """Write the table and the report, say where they are, and give the exit code."""
    write_table(results.directory, records)
    bad = [record for record in records if record.status != "ok"]
    console.print(
        f"{len(records) - len(bad)} of {len(records)} cells ok after {seconds:.0f} s", markup=False
    )
    for row in dict.fromkeys(record.cell.row for record in bad):
        statuses = Counter(record.status for record in bad if record.cell.row == row)
        counted = ", ".join(f"{count} {status}" for status, count in statuses.items())
        console.print(
            f"  {row}: {counted}; the reasons are in results.csv and in the report", markup=False
        )
    if report:
        from recbench.reports.build import build

        console.print(f"report: {build(results.directory).resolve().as_uri()}", markup=False)
    return INCOMPLETE if bad else FINE


if __name__ == "__main__":
    serve(run)

"""The sceptic's command: whether a run's numbers are what its raw answers, data and files say."""

from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from recbench.benchmarks.console import FAILED, FINE, import_plugin, print_lines, serve
from recbench.benchmarks.models import check_model, holds_model
from recbench.benchmarks.planning import load_data_of
from recbench.benchmarks.records import Record, Run
from recbench.benchmarks.tuning import find_trials
from recbench.benchmarks.verification import (
    Ledger,
    check_against_shares,
    check_descriptions,
    check_files,
    check_manifest,
    check_report,
    check_searches,
    find_cell,
    open_run_directory,
    recompute_metrics,
    refit_cell,
)
from recbench.datasets.foundation import UsageError, open_console
from recbench.datasets.ratings import Dataset

# What can be done where the data are not found
WITHOUT_DATA = (
    "Without the data no metric can be recomputed: --dataset says where they are now, "
    "--without-data verifies the rest."
)


def verify(
    directory: Annotated[
        Path, Argument(metavar="DIR", help="what a run has left, packed or not, or a model")
    ],
    dataset: Annotated[
        str | None, Option(help="where the data are now [default: as the run named them]")
    ] = None,
    without_data: Annotated[
        bool, Option("--without-data", help="only what can be verified without the data")
    ] = False,
    rerun_key: Annotated[
        str | None,
        Option("--rerun", metavar="KEY", help="fit this one cell again instead, and compare"),
    ] = None,
    plugin: Annotated[
        list[str] | None, Option(help="module with more adapters; repeatable")
    ] = None,
) -> int:
    """Recompute every metric in DIR from its raw answers, and compare all files with each other.

    DIR may be what `reports.archive` has packed, or unpacked.

    Of a model: whether its files, its answers and its ratings are what they were.

    Exit code 1 if anything is not as it should be, one line each; 2 if it cannot be verified.
    Nothing is written.
    """
    plugins = plugin or []
    for module in plugins:
        import_plugin(module)
    console = open_console(soft_wrap=True)
    if holds_model(directory):
        return _verify_model(console, directory, dataset, with_data=not without_data)
    with open_run_directory(directory) as unpacked:
        return _verify_run(
            console, Run(unpacked), dataset, rerun_key, plugins, with_data=not without_data
        )


def _verify_run(
    console: Console,
    run: Run,
    dataset: str | None,
    rerun_key: str | None,
    plugins: list[str],
    *,
    with_data: bool,
) -> int:
    """Check a run, print what was compared and what is wrong, and give the exit code."""
    if rerun_key is not None:
        if not with_data:
            raise UsageError("--rerun needs the data: leave --without-data out")
        return _verify_by_refit(console, run, rerun_key, dataset, plugins)

    # What the files say comes first: the data may be far away, or take long to load.
    ledger = Ledger()
    manifest = check_manifest(run.directory, ledger)
    has_answers = manifest is None or manifest.has_answers
    records = check_files(run, ledger, has_answers=has_answers)
    check_searches(run, [record.cell for record in records], ledger)
    print_lines(console, ledger.findings)
    n_printed = len(ledger.findings)
    if not has_answers:
        print_lines(console, _summarise(ledger, records))
        return FAILED if ledger.findings else FINE

    if not with_data:
        check_against_shares(run, records, ledger)
    else:
        _, about = run.read_plan()
        data = load_data_of(about, dataset, WITHOUT_DATA)
        recompute_metrics(run, records, about, data, ledger)
        check_descriptions(run, records, data, ledger)
        _verify_trials(find_trials(run), data, ledger)
    check_report(run, ledger)
    print_lines(console, ledger.findings[n_printed:])

    print_lines(console, _summarise(ledger, records))
    return FAILED if ledger.findings else FINE


def _verify_model(
    console: Console, directory: Path, dataset: str | None, *, with_data: bool
) -> int:
    """Check a model, print what was compared and what is wrong, and give the exit code."""
    check = check_model(directory, dataset, with_data=with_data)
    print_lines(console, check.findings)
    print_lines(console, [f"  {line}" for line in [*check.compared, *check.remarks]])
    console.print(_conclude(len(check.findings)))
    return FAILED if check.findings else FINE


def _verify_trials(trials: Run, data: Dataset, ledger: Ledger) -> None:
    """Verify the trials of a tuned run, if there are any, as the run that they are."""
    if not (trials.directory / "plan.json").exists():
        return
    of_trials = Ledger()
    records = check_files(trials, of_trials)
    _, about = trials.read_plan()
    recompute_metrics(trials, records, about, data, of_trials)
    ledger.findings += [f"tuning/{finding}" for finding in of_trials.findings]
    ledger.compared["metrics of trials"] += of_trials.compared["metrics"]


def _summarise(ledger: Ledger, records: list[Record]) -> list[str]:
    """What was compared, in numbers, and what came out, as lines."""
    compared = ledger.compared
    n_ok = sum(record.status == "ok" for record in records)
    lines = [
        f"{len(records)} planned cells, {n_ok} of them ok; "
        f"{compared['keys']} keys and names of files"
    ]
    if compared["metrics"]:
        lines.append(
            f"{compared['metrics']:,} metrics recomputed from the raw answers, "
            f"{compared['bit for bit']:,} of them equal bit for bit; "
            f"{compared['shares']:,} shares of users"
        )
        lines.append(f"{compared['slices']:,} values of slices recomputed")
    else:
        n_from_shares = f"{compared['from shares']:,}"
        lines.append(
            f"no metric recomputed; {n_from_shares} compared with the stored shares of the users"
        )

    lines.append(
        f"{compared['plan']:,} values of the plan and the cells, "
        f"{compared['digests']} digests of answers"
    )

    if compared["files of the archive"]:
        lines.append(f"{compared['files of the archive']:,} files compared with the manifest")

    if compared["searches"]:
        lines.append(
            f"tuning: {compared['searches']:,} values of searches and trials, "
            f"{compared['metrics of trials']:,} metrics of trials recomputed"
        )

    if compared["files"]:
        lines.append(f"rows from files: {compared['files']:,} values compared with the files")

    # A run may do without any of these files.
    for file in ("results.csv", "report.html"):
        n_values = compared[file]
        lines.append(f"{file}: {n_values:,} values" if n_values else f"{file}: not there")
    for file in ("profile.json", "examples.json"):
        n_values = compared[file]
        lines.append(f"{file}: {n_values:,} values" if n_values else f"{file}: not compared")

    if compared["report"]:
        lines.append("the report, built again: every page and figure compared to the byte")
    else:
        lines.append(
            "the report was not built again: it is not there, or what it would be built from is "
            "incomplete or does not hold"
        )

    lines += ledger.remarks
    indented = [f"  {line}" for line in lines]
    return [*indented, _conclude(len(ledger.findings))]


def _conclude(n_findings: int) -> str:
    """The last line: what came out."""
    if n_findings == 0:
        return "All as it should be."
    discrepancies = "1 discrepancy" if n_findings == 1 else f"{n_findings} discrepancies"
    return f"FAILED: {discrepancies}, see above"


def _verify_by_refit(
    console: Console, run: Run, key: str, dataset: str | None, plugins: list[str]
) -> int:
    """Fit the cell of `key` again, print how it differs from its record, and give the exit code."""
    cells, about = run.read_plan()
    cell = find_cell(cells, key)
    console.print(f"fitting {cell.row}, {cell.place}, again")
    data = load_data_of(about, dataset, WITHOUT_DATA)
    second_fit = refit_cell(run, cell, about, data, plugins)

    lines = [f"{cell.name}: {line}" for line in second_fit.differences]
    print_lines(console, lines)
    if not second_fit.differences:
        console.print(f"bit-identical: {second_fit.n_same:,} metrics and raw answers")
        return FINE

    if second_fit.excuse:
        console.print(f"Not judged: {second_fit.excuse}.")
        return FINE

    console.print("FAILED: the same cell gives other numbers")
    return FAILED


if __name__ == "__main__":
    serve(verify)

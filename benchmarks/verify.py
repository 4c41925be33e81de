"""The sceptic's command: whether the numbers of a run are what its raw answers, data and files say they are."""

import shlex
from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from recbench import datasets
from recbench.benchmarks.console import FAILED, FINE, import_plugin, serve
from recbench.benchmarks.records import Record, Run, RunDescription
from recbench.benchmarks.verification import (
    Ledger,
    check_against_shares,
    check_files,
    find_cell,
    recompute_metrics,
    refit_cell,
)
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset


def verify(
    directory: Annotated[Path, Argument(metavar="DIR", help="what a run has left")],
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

    Exit code 1 if anything is not as it should be, one line each; 2 if it cannot be verified. Nothing is written.
    """
    for module in plugin or []:
        import_plugin(module)
    console, run = Console(soft_wrap=True, highlight=False, markup=False), Run(directory)
    if rerun_key is not None:
        if without_data:
            raise UsageError("--rerun needs the data: leave --without-data out")
        return _again(console, run, rerun_key, dataset, plugin or [])
    ledger = Ledger()
    records = check_files(run, ledger)
    n_said = _say(console, ledger, 0)
    if without_data:
        check_against_shares(run, records, ledger)
    else:
        about = run.read_plan()[1]
        recompute_metrics(run, records, about, _load(about, dataset), ledger)
    _say(console, ledger, n_said)
    for line in _summary(ledger, records, directory):
        console.print(line)
    return FAILED if ledger.findings else FINE


def _say(console: Console, ledger: Ledger, n_said: int) -> int:
    for finding in ledger.findings[n_said:]:
        console.print(finding)
    return len(ledger.findings)


def _load(about: RunDescription, spec: str | None) -> Dataset:
    """The data of the run, found as its plan names them unless `spec` does; real ones if those were real."""
    if spec is None:
        words = shlex.split(about.reproduce)
        spec = words[words.index("--dataset") + 1] if "--dataset" in words[:-1] else about.data.name
    try:
        return datasets.load(spec, real_only=not about.data.simulated)
    except UsageError as error:
        raise UsageError(
            f"{error}\nWithout the data no metric can be recomputed: --dataset says where they are now, "
            "--without-data verifies the rest."
        ) from None


def _summary(ledger: Ledger, records: list[Record], directory: Path) -> list[str]:
    """What was compared, in numbers, and what came out."""
    n, lines = ledger.compared, []
    n_ok = sum(record.status == "ok" for record in records)
    lines.append(
        f"{len(records)} planned cells, {n_ok} of them ok; {n['keys']} keys and names of files"
    )
    if n["metrics"]:
        exact = f"{n['bit for bit']:,} of them equal bit for bit"
        lines.append(
            f"{n['metrics']:,} metrics recomputed from the raw answers, {exact}; {n['shares']:,} shares of users"
        )
        lines.append(f"{n['slices']:,} values of slices recomputed")
    else:
        lines.append(
            f"no metric recomputed; {n['from shares']:,} compared with the stored shares of the users"
        )
    lines.append(
        f"{n['plan']:,} values of the plan and the cells, {n['digests']} digests of answers"
    )
    files = ("results.csv", "report.html")
    lines += [f"{file}: {n[file]:,} values" if n[file] else f"{file}: not there" for file in files]
    if n["report.html"]:
        lines.append(
            "the visible figures of the report: compared by "
            f"`{command_to_type('report')} {directory} --check`"
        )
    lines += ledger.remarks
    n_found = len(ledger.findings)
    found = "1 discrepancy" if n_found == 1 else f"{n_found} discrepancies"
    return [
        *(f"  {line}" for line in lines),
        f"FAILED: {found}, see above" if n_found else "All as it should be.",
    ]


def _again(console: Console, run: Run, key: str, dataset: str | None, plugins: list[str]) -> int:
    cells, about = run.read_plan()
    cell = find_cell(cells, key)
    console.print(f"fitting {cell.row}, {cell.place}, again")
    compared = refit_cell(run, cell, about, _load(about, dataset), plugins)
    for difference in compared.differences:
        console.print(f"{cell.name}: {difference}")
    if not compared.differences:
        console.print(f"bit-identical: {compared.n_same:,} metrics and raw answers")
        return FINE
    if compared.excuse:
        console.print(f"Not judged: {compared.excuse}.")
        return FINE
    console.print("FAILED: the same cell gives other numbers")
    return FAILED


if __name__ == "__main__":
    serve(verify)

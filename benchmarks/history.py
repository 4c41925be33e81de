"""Many runs of changing code: every row and metric over the commits, and what drifts."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import recbench
from recbench.benchmarks.console import FAILED, FINE, serve
from recbench.benchmarks.gating import DatedRun, History, read_history
from recbench.benchmarks.records import Run
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, open_console
from recbench.reports.build import build_history
from recbench.reports.several import summarise_history

USUAL_OUT = Path("runs") / "history"
HASH = re.compile(r"(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])")


def history(
    runs: Annotated[
        list[Path], Argument(metavar="RUN...", help="results of runs, or folders that hold them")
    ],
    out: Annotated[Path, Option(help="where the report goes")] = USUAL_OUT,
    repository: Annotated[
        Path,
        Option(help="the repository of the code that was measured: runs are named after commits"),
    ] = Path(),
    fail_on_drift: Annotated[
        bool, Option("--fail-on-drift", help="exit code 1 if a line got worse and stayed so")
    ] = False,
) -> int:
    """Draw each row and metric over RUN..., ordered by commit, and find what drifts.

    A run is of the commit that its directory is named after, as in `2026-11-28-4f2a91c`, else of
    the commit of the bench. Written are report.html, report.md, history.json, and in exports/ the
    JSON of Bencher and of github-action-benchmark.
    """
    directories = list(_find_runs(runs))
    if len(directories) < 2:
        named = ", ".join(map(str, runs))
        raise UsageError(
            f"a history needs two runs or more, and {named} holds {len(directories)}: name more "
            f"directories that `{command_to_type('run')} --out` has written"
        )

    dated = [date_run(directory, repository) for directory in directories]
    read = read_history(dated)
    page = build_history(read, out)

    console = open_console()
    printed = [*summarise_history(read), *_describe_moves(read), page.resolve().as_uri()]
    for text in printed:
        console.print(text, soft_wrap=True, markup=False)

    is_worse = any(move.is_worse for _, move in read.moves)
    return FAILED if fail_on_drift and is_worse else FINE


def _find_runs(paths: Sequence[Path]) -> Iterator[Path]:
    """The directories with a plan: those given, or those one or two folders below."""
    for path in paths:
        if not path.is_dir():
            raise UsageError(f"{path} is no directory: expected a run, or a folder of runs")
        if (path / "plan.json").exists():
            yield path
            continue
        found = sorted([*path.glob("*/plan.json"), *path.glob("*/*/plan.json")])
        # What lies inside a run is a part of it: its tuning has a plan of its own.
        plans = [plan for plan in found if not (plan.parents[1] / "plan.json").exists()]
        if not plans:
            raise UsageError(
                f"{path} holds no run: no plan.json in it, nor one or two folders below"
            )
        yield from (plan.parent for plan in plans)


def date_run(directory: Path, repository: Path) -> DatedRun:
    """A run with its commit, as far as it is known, and when it began.

    UsageError if it is none, if its records are damaged, and if no cell of it has begun.
    """
    run = Run(directory)
    about = run.read_plan()[1]
    records = run.records()
    starts = [datetime.fromisoformat(record.started) for record in records if record.started]
    if not starts:
        raise UsageError(f"{directory}: no cell has begun, so it has no place in a history")

    # The commit by which it is named, of the code that was measured; else that of the bench
    name = directory.resolve().name
    places = [(repository, token) for token in HASH.findall(name)]
    if HASH.fullmatch(about.environment.commit):  # a plan may be a stranger's
        places.append((recbench.ROOT, about.environment.commit))
    for place, token in places:
        commit, committed, subject = _look_up_commit(place, token)
        if committed is not None:
            return DatedRun(name, run, about, records, min(starts), commit, committed, subject)
    return DatedRun(name, run, about, records, min(starts), about.environment.commit)


def _look_up_commit(repository: Path, token: str) -> tuple[str, datetime | None, str]:
    """The hash, date and subject of a commit; no date if there is no such commit, or no Git."""
    show = ["show", "--no-patch", "--format=%H%n%cI%n%s", f"{token}^{{commit}}", "--"]
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *show], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return token, None, ""

    lines = done.stdout.splitlines()
    if done.returncode or len(lines) < 2:
        return token, None, ""
    return lines[0], datetime.fromisoformat(lines[1]), " ".join(lines[2:])


def _describe_moves(read: History) -> list[str]:
    """A line for each line that moved."""
    described = []
    for line, move in read.moves:
        first = read.runs[move.first].label
        last = read.runs[move.last].label
        direction = "worse" if move.is_worse else "better"
        seen = f"seen in {move.n_visible} of {move.n_pairs} pairs"
        kind = "a slow drift, seen in no pair" if move.is_slow else seen

        interval = f"[{move.low:+.4f}, {move.high:+.4f}]"
        described.append(
            f"{direction}: {line.row} on {line.dataset}, {line.column} {move.before:.4f} "
            f"{move.size:+.4f} {interval} from {first} to {last}, {kind}"
        )
    return described


if __name__ == "__main__":
    serve(history)

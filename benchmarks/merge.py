"""Joins runs of one plan that were measured apart, such as the shards of several machines.

What is joined is what one machine would have written: plan, records, raw answers, table and report.
Runs of other code, data or questions are refused, since their rows could not be compared.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from recbench import datasets
from recbench.adapters import available
from recbench.benchmarks.api import Comparison
from recbench.benchmarks.console import FINE, INCOMPLETE, import_plugin, print_lines, serve
from recbench.benchmarks.planning import Shard, dataset_of, name_changes, parse_shard
from recbench.benchmarks.records import (
    AlgorithmDescription,
    BlindSpot,
    Cell,
    Disagreement,
    Record,
    Run,
    RunDescription,
    claim_directory,
    find_users,
    write_examples,
    write_table,
)
from recbench.benchmarks.tuning import read_histories, write_histories
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, open_console
from recbench.datasets.storage import write_atomically

PROFILE = "profile.json"  # what the data look like: the same in every run of them
TRIALS = "tuning"  # the folder of a tuned run in which the trials of its searches are a run
DIFFERING = "differing"  # the folder for records that should be equal to another, and are not
ENDINGS = (".npz", ".log", ".json")  # the record last: it promises the others
SHOWN_DIGITS = 8  # of a digest in a message


def merge(
    runs: Annotated[list[Path], Argument(help="directories of results, such as those of shards")],
    out: Annotated[Path, Option(help="where the joined results go: a new or an empty directory")],
    plugin: Annotated[
        list[str] | None, Option(help="module with more adapters; repeatable")
    ] = None,
    no_report: Annotated[
        bool, Option("--no-report", help="all but report.md, report.html and figures")
    ] = False,
) -> int:
    """Join runs of one plan into one run, with its report.

    Of two records of one cell the first that is ok is taken. Where both are ok and their answers
    are not equal, both are kept and it is said: the exit code then is 4, as for a shard whose cells
    are not all ok.
    """
    console = open_console(soft_wrap=True)
    for module in plugin or []:
        import_plugin(module)

    parts = [_read_part(path) for path in runs]
    out = out.absolute()
    _refuse_place(out, parts)
    _refuse_differences(parts)
    parts = _in_order(parts)

    with claim_directory(out):
        if (out / "plan.json").exists():
            raise UsageError(f"--out {out}: a run is there already; name a new directory")
        joined = _join_runs(parts, out)
        remark = _write_what_needs_data(joined, parts[0])

    _print_summary(console, joined, remark)
    if not no_report:
        report = Comparison(out).report()
        console.print(f"report: {report.resolve().as_uri()}", markup=False)

    all_ok = all(record.status == "ok" for record in joined.records)
    return FINE if all_ok and not joined.about.disagreements else INCOMPLETE


@dataclass(frozen=True)
class RunToJoin:
    """A run that is to be joined with others."""

    run: Run
    cells: list[Cell]
    about: RunDescription

    @property
    def shard(self) -> Shard | None:
        """Which part of a plan it is; None for a run of its own."""
        return parse_shard(self.about.shard) if self.about.shard else None

    @property
    def name(self) -> str:
        """Its directory, as it was typed."""
        return str(self.run.directory)


@dataclass(frozen=True)
class Joined:
    """What has become of the parts."""

    run: Run
    about: RunDescription
    records: list[Record]


def _read_part(directory: Path) -> RunToJoin:
    """UsageError if `directory` holds no run."""
    run = Run(directory)
    cells, about = run.read_plan()
    if not cells:
        raise UsageError(f"{directory} holds a plan without cells: nothing is to be joined")
    for cell in cells:
        if cell.algorithm not in available():
            raise UsageError(
                f"{directory}: {cell.algorithm} is not known here; name its module with --plugin"
            )
    return RunToJoin(run, cells, about)


def _refuse_place(out: Path, parts: Sequence[RunToJoin]) -> None:
    """UsageError if the results would go into one of the parts, or a part is named twice."""
    seen: set[Path] = set()
    for part in parts:
        directory = part.run.directory.resolve()
        if directory == out.resolve():
            raise UsageError(f"--out {out} is one of the runs to be joined: name a new directory")
        if directory in seen:
            raise UsageError(f"{part.name} is named twice")
        seen.add(directory)


def _refuse_differences(parts: Sequence[RunToJoin]) -> None:
    """UsageError unless all parts answer one question, on one division of the same data, with the
    same code.
    """
    first = parts[0]
    for place, other in enumerate(parts[1:], start=1):
        facts = {
            "data": (first.about.data.digest, other.about.data.digest),
            "code of the evaluation": (first.about.evaluation, other.about.evaluation),
            "protocol or cutoffs": (first.about.protocol, other.about.protocol),
            "columns": (first.about.metrics, other.about.metrics),
        }
        for name, (expected, found) in facts.items():
            if expected != found:
                raise _difference_error(first, other, name, expected, found)
        # A row that the first lacks may be in two others, as in shards of more parts than folds
        for earlier in parts[:place]:
            _refuse_other_cells(earlier, other)
    _refuse_missing_shards(parts)


def _difference_error(
    first: RunToJoin, other: RunToJoin, name: str, expected: object, found: object
) -> UsageError:
    """The error to raise about two runs that differ in what `name` says."""
    return UsageError(
        f"{first.name} and {other.name} cannot be joined: they differ in {name} "
        f"({_shorten(expected)} and {_shorten(found)}). Measure one of them again with the code and"
        " the data of the other"
    )


def _shorten(value: object) -> str:
    """A value as a message shows it: of a digest the first digits."""
    text = str(value)
    is_digest = len(text) == 64 and text.isalnum()
    return text[:SHOWN_DIGITS] if is_digest else text


def _refuse_other_cells(first: RunToJoin, other: RunToJoin) -> None:
    """UsageError if the runs measured one row, or any two rows, in ways that do not compare."""
    by_split = {cell.split: cell for cell in first.cells}
    by_row = {cell.row: cell for cell in first.cells}
    versions_before: dict[str, str] = {}
    for cell in first.cells:
        versions_before |= cell.libraries
    for cell in other.cells:
        of_split = by_split.get(cell.split)
        if of_split is not None:
            for name in ("digest", "n_folds", "threads"):
                expected = getattr(of_split, name)
                found = getattr(cell, name)
                if expected != found:
                    words = f"{name} of the split {cell.split}"
                    raise _difference_error(first, other, words, expected, found)
        for module in versions_before.keys() & cell.libraries.keys():
            versions = versions_before[module], cell.libraries[module]
            if len(set(versions)) > 1:
                raise _difference_error(first, other, f"the version of {module}", *versions)

        same_row = by_row.get(cell.row)
        if same_row is not None and cell.tuning is None:
            changes = [change for change in name_changes(same_row, cell) if change != "data"]
            if changes:
                differing = f"the row {cell.row}: {', '.join(changes)}"
                raise _difference_error(first, other, differing, same_row.key, cell.key)


def _refuse_missing_shards(parts: Sequence[RunToJoin]) -> None:
    """UsageError unless the shards among the parts are of one number of shards, and all there.

    With folds missing, the means of two rows would be over different test parts.
    """
    shards = [part.shard for part in parts if part.shard is not None]
    if not shards:
        return
    counts = {shard.count for shard in shards}
    if len(counts) > 1:
        listed = ", ".join(str(shard) for shard in shards)
        raise UsageError(f"shards of one plan have one number behind the stroke, got {listed}")

    count = counts.pop()
    numbers = {shard.number for shard in shards}
    missing = [str(Shard(number, count)) for number in range(1, count + 1) if number not in numbers]
    if missing:
        raise UsageError(
            f"shard {', '.join(missing)} is missing: a table without its cells would compare rows "
            "on different folds; name its directory too"
        )
    _refuse_torn_rows(parts)


def _refuse_torn_rows(parts: Sequence[RunToJoin]) -> None:
    """UsageError if a row lacks a fold: then the shards are of plans with other rows."""
    folds: dict[tuple[str, str, int, int], set[int]] = {}
    n_folds: dict[tuple[str, str, int, int], int] = {}
    for part in parts:
        for cell in part.cells:
            division = (cell.row, cell.split, cell.split_seed, cell.seed)
            folds.setdefault(division, set()).add(cell.fold)
            n_folds[division] = cell.n_folds
    for division, of_division in folds.items():
        row, split, split_seed, seed = division
        is_usual = split_seed == seed  # initialisations may be measured where they are needed only
        if is_usual and len(of_division) < n_folds[division]:
            raise UsageError(
                f"{row} has {len(of_division)} of {n_folds[division]} folds of {split}: these are "
                "not the shards of one plan. Measure all with the same options but --shard"
            )


def _in_order(parts: Sequence[RunToJoin]) -> list[RunToJoin]:
    """Shards by their number, then runs of their own as they were named."""
    shards = sorted(
        (part for part in parts if part.shard is not None),
        key=lambda part: part.shard.number if part.shard else 0,
    )
    return [*shards, *(part for part in parts if part.shard is None)]


def _join_runs(parts: Sequence[RunToJoin], out: Path) -> Joined:
    """Write plan, records and answers of all parts, searches included, into `out`."""
    run = Run(out)
    cells = _join_cells(parts)
    disagreements = list(_copy_records(parts, run))
    about = _join_descriptions(parts, cells, disagreements)
    run.write_plan(cells, about)
    _join_searches(parts, out)

    records = run.records()
    write_table(out, records, about)
    return Joined(run, about, records)


def _join_cells(parts: Sequence[RunToJoin]) -> list[Cell]:
    """Each planned cell once, in the order of the plan that was divided into shards.

    A shard has every n-th cell, so the first ones of all shards come first, then the second ones.
    """
    shards = [part.cells for part in parts if part.shard is not None]
    ordered: list[Cell] = []
    for cells_of_round in itertools.zip_longest(*shards):
        ordered += [cell for cell in cells_of_round if cell is not None]
    for part in parts:
        if part.shard is None:
            ordered += part.cells

    by_name = {cell.name: cell for cell in ordered}
    return list(by_name.values())


def _copy_records(parts: Sequence[RunToJoin], run: Run) -> Iterator[Disagreement]:
    """Copy every record that was made, with raw answers and log; of two of one cell the better,
    which is the one that is ok or, of two with the same answers, the one that knows its latency.

    Two that are ok and have other answers are both kept, and said. UsageError for raw answers that
    are not those of their record.
    """
    taken: dict[str, tuple[RunToJoin, Record]] = {}
    for part in parts:
        for cell in part.cells:
            record = part.run.read(cell)
            if record is None:
                continue
            if record.status == "ok":
                part.run.answers_of(record, names=["scores"])  # refuses what is damaged
            if cell.name not in taken:
                taken[cell.name] = part, record
                continue

            earlier, before = taken[cell.name]
            if before.status != "ok":
                if record.status == "ok":
                    taken[cell.name] = part, record
                continue
            if record.status == "ok" and record.answers != before.answers:
                folder = run.directory / DIFFERING / _name_apart(part, parts)
                _copy_files(part.run, cell, Run(folder))
                yield Disagreement(
                    row=cell.row,
                    place=cell.place,
                    kept=earlier.name,
                    other=part.name,
                )
            elif record.serving is not None and before.serving is None:
                taken[cell.name] = part, record  # the same answers, and what serving would cost

    for part, record in taken.values():
        _copy_files(part.run, record.cell, run)


def _name_apart(part: RunToJoin, parts: Sequence[RunToJoin]) -> str:
    """The name of its directory, with its place where another part's is called the same."""
    name = part.run.directory.resolve().name
    namesakes = [each for each in parts if each.run.directory.resolve().name == name]
    return name if len(namesakes) == 1 else f"{name}-{namesakes.index(part) + 1}"


def _copy_files(source: Run, cell: Cell, target: Run) -> None:
    """Copy the record of a cell, its raw answers and its log, as far as they are there."""
    for ending in ENDINGS:
        path = source.path(cell, ending)
        if path.is_file():
            copy = target.path(cell, ending)
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(copy, path.read_bytes())


def _join_descriptions(
    parts: Sequence[RunToJoin], cells: Sequence[Cell], disagreements: list[Disagreement]
) -> RunDescription:
    """What the joined plan says: as the first, with rows and blind spots of all."""
    algorithms: dict[str, AlgorithmDescription] = {}
    blind_spots: dict[str, BlindSpot] = {}
    for part in parts:
        algorithms |= part.about.algorithms
        blind_spots |= {spot.sentence: spot for spot in part.about.blind_spots}

    rows = dict.fromkeys(cell.row for cell in cells)
    names = " ".join(part.name for part in parts)
    return parts[0].about.replaced(
        command=f"{command_to_type('merge')} {names}",
        algorithms={row: algorithms[row] for row in rows if row in algorithms},
        blind_spots=list(blind_spots.values()),
        shard="",
        disagreements=disagreements,
    )


def _join_searches(parts: Sequence[RunToJoin], out: Path) -> None:
    """Join the searches of tuned rows, and the trials that they rest on; nothing without any."""
    histories = [history for part in parts for history in read_histories(part.run.directory)]
    if not histories:
        return
    write_histories(out, {(each.row, each.split, each.fold): each for each in histories}.values())

    trials = []
    for part in parts:
        directory = part.run.directory / TRIALS
        if (directory / "plan.json").exists():
            trials.append(_read_part(directory))
    if not trials:
        return
    run = Run(out / TRIALS)
    disagreements = list(_copy_records(trials, run))
    cells = _join_cells(trials)
    run.write_plan(cells, trials[0].about.replaced(disagreements=disagreements))


def _write_what_needs_data(joined: Joined, part: RunToJoin) -> str:
    """Write profile and examples; "" or, where the data are not here, what is missing for it.

    The profile is that of a part. Recommendations are drawn from the records of all.
    """
    profile = part.run.directory / PROFILE
    if profile.is_file():
        write_atomically(joined.run.directory / PROFILE, profile.read_bytes())

    spec = dataset_of(joined.about)
    try:
        if spec is None:
            raise UsageError("the plan does not name them")
        data = datasets.load(spec)
        if data.digest != joined.about.data.digest:
            raise UsageError(f"{spec} has another digest here")
    except UsageError as error:
        return f"without recommendations to single users, since the data are not here: {error}"
    write_examples(joined.run, joined.records, data, find_users(data, ()))
    return ""


def _print_summary(console: Console, joined: Joined, remark: str) -> None:
    """Print what was joined, and what of it does not agree."""
    n_ok = sum(record.status == "ok" for record in joined.records)
    lines = [f"{n_ok} of {len(joined.records)} cells ok in {joined.run.directory}"]
    if remark:
        lines.append(f"  {remark}")
    for disagreement in joined.about.disagreements:
        lines.append(f"  {disagreement.sentence}")
    print_lines(console, lines)


if __name__ == "__main__":
    serve(merge)

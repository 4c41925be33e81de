"""Whether the present source gives the numbers of a commit: `python -m tests.proof.same COMMIT`.

Suite `ci` runs on both data sets with the commit's modules and then with the present ones, on this
machine, and all cells are compared. Equal means equal to the bit, NaN being equal to NaN: every
metric, slice and traced error of a record, and every array of its raw answers, users' shares
included. Times, memory, words and keys may differ. Cells are found by what they measure (row,
split, fold and seeds), since their keys change with the source.

Each side reads the data anew into a cache of its own, so that what the other one has parsed is
never compared with itself.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.proof.trees import PACKAGES, ROOT, UnknownCommit, commit_id, worktree

# Those of the Makefile's `gate`.
DATASETS = ("movielens-100k", "netflix-filtered[simulated_users=0.1]")
COMPARED = ("metrics", "slices", "trace")  # the parts of a record that hold numbers about answers
TIMED = "seconds"  # the entry of a trace that is never the same twice
# Exit codes of benchmarks.run: all cells are ok, or some are not and their records say why.
RUN_IS_WHOLE = (0, 4)

# Prints from which file each module named would be imported.
PRINT_ORIGINS = """
import importlib.util, sys
for name in sys.argv[1:]:
    print(importlib.util.find_spec(name).origin)
"""

Leaf = str | float | bool | None


class RunFailed(Exception):
    """One side could not be measured, so that nothing can be said about equality."""


class CellId(NamedTuple):
    """What a cell measures, in the words that every version of the records has."""

    row: str  # the algorithm, and as JSON the hyperparameters that were set on purpose
    split: str
    n_folds: int
    fold: int
    split_seed: int
    seed: int

    def __str__(self) -> str:
        """As it stands in the list of differences."""
        folds = f"{self.split} fold {self.fold} of {self.n_folds}"
        return f"{self.row}, {folds}, split seed {self.split_seed}, seed {self.seed}"


@dataclass(frozen=True)
class MeasuredCell:
    """What a run knows of a cell."""

    status: str
    numbers: Mapping[str, Leaf] = field(default_factory=dict)  # by path, such as `metrics.rmse`
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # its raw answers


@dataclass
class TreeComparison:
    """How much was compared, and what differs."""

    n_cells: int = 0
    n_ok: int = 0  # cells with answers on both sides: only these say something about numbers
    n_numbers: int = 0
    n_arrays: int = 0
    differences: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 where all is equal, 1 where it is not, 2 where a side cannot be run."""
    options = _parser().parse_args(arguments)
    datasets = options.dataset or list(DATASETS)
    all_equal = True

    try:
        with (
            worktree(options.base) as base_tree,
            tempfile.TemporaryDirectory(prefix="recbench-same-") as scratch,
        ):
            print(f"base: {commit_id(options.base)}; head: the present files of {ROOT}", flush=True)
            base = Path(scratch, "base")
            head = Path(scratch, "head")
            for number, dataset in enumerate(datasets):
                base_run = base / str(number)
                head_run = head / str(number)
                run_suite(base_tree, dataset, options.suite, base_run, cache=base / "cache")
                run_suite(ROOT, dataset, options.suite, head_run, cache=head / "cache")

                comparison = compare_cells(read_cells(base_run), read_cells(head_run))
                print(describe(dataset, comparison), flush=True)
                all_equal = all_equal and not comparison.differences
    except (UnknownCommit, RunFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    return 0 if all_equal else 1


def run_suite(tree: Path, dataset: str, suite: str, out: Path, cache: Path) -> None:
    """Measure the suite with the modules of `tree`, into `out`. RunFailed, with what it printed."""
    environment = os.environ | {"RECBENCH_CACHE": str(cache)}
    _refuse_foreign_modules(tree, environment)

    command = [sys.executable, "-m", "benchmarks.run", "--suite", suite, "--no-report"]
    command += ["--dataset", dataset, "--out", str(out)]
    run = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if run.returncode not in RUN_IS_WHOLE:
        printed = (run.stdout + run.stderr)[-2000:]
        said = f"`{' '.join(command)}` ended with exit code {run.returncode}"
        raise RunFailed(f"in {tree}, {said}:\n{printed}")


def read_cells(run: Path) -> dict[CellId, MeasuredCell]:
    """All planned cells of a results directory; those without a record have the status `not_run`.

    RunFailed if two records are about the same cell.
    """
    plan = json.loads((run / "plan.json").read_bytes())
    cells = {_cell_id(cell): MeasuredCell("not_run") for cell in plan["cells"]}

    seen = set()
    for path in sorted((run / "records").glob("*.json")):
        record = json.loads(path.read_bytes())
        cell_id = _cell_id(record["cell"])
        if cell_id in seen:
            raise RunFailed(f"{run} has two records of one cell: {cell_id}")
        seen.add(cell_id)
        arrays = _read_arrays(path.with_suffix(".npz"))
        cells[cell_id] = MeasuredCell(record["status"], _read_numbers(record), arrays)
    return cells


def compare_cells(
    base: Mapping[CellId, MeasuredCell], head: Mapping[CellId, MeasuredCell]
) -> TreeComparison:
    """Every cell of either side beside its twin."""
    comparison = TreeComparison()
    for cell_id in dict.fromkeys([*base, *head]):
        if cell_id not in head:
            comparison.differences.append(f"{cell_id}: only in base")
        elif cell_id not in base:
            comparison.differences.append(f"{cell_id}: only in head")
        else:
            comparison.n_cells += 1
            _compare_cell(cell_id, base[cell_id], head[cell_id], comparison)
    return comparison


def describe(dataset: str, comparison: TreeComparison) -> str:
    """What was found, a line a difference."""
    numbers_and_arrays = f"{comparison.n_numbers:,} numbers and {comparison.n_arrays:,} arrays"
    compared = f"{comparison.n_cells} cells ({comparison.n_ok} ok), {numbers_and_arrays}"
    if not comparison.differences:
        return f"{dataset}: equal to the bit: {compared}"
    first_line = f"{dataset}: {len(comparison.differences):,} differences in {compared}"
    return "\n  ".join([first_line, *comparison.differences])


def _compare_cell(
    cell_id: CellId, base: MeasuredCell, head: MeasuredCell, comparison: TreeComparison
) -> None:
    differences = comparison.differences
    if base.status == head.status == "ok":
        comparison.n_ok += 1
    if base.status != head.status:
        differences.append(f"{cell_id}: the status was {base.status} and is {head.status}")

    for name in dict.fromkeys([*base.numbers, *head.numbers]):
        comparison.n_numbers += 1
        before = base.numbers.get(name, "absent")
        now = head.numbers.get(name, "absent")
        if not _is_same_leaf(before, now):
            differences.append(f"{cell_id}: {name} was {before} and is {now}")

    for name in dict.fromkeys([*base.arrays, *head.arrays]):
        comparison.n_arrays += 1
        difference = _array_difference(base.arrays.get(name), head.arrays.get(name))
        if difference:
            differences.append(f"{cell_id}: array {name}: {difference}")


def _array_difference(base: NDArray[Any] | None, head: NDArray[Any] | None) -> str:
    """In words how two arrays differ; "" where they are equal to the bit."""
    if base is None:
        return "only in head"
    if head is None:
        return "only in base"
    if (base.dtype, base.shape) != (head.dtype, head.shape):
        return f"was {base.dtype}{list(base.shape)} and is {head.dtype}{list(head.shape)}"

    n_different = int(np.count_nonzero(~_same_bits(base, head)))
    return f"{n_different:,} of {base.size:,} values differ" if n_different else ""


def _same_bits(base: NDArray[Any], head: NDArray[Any]) -> NDArray[np.bool_]:
    """For each value of two arrays of one type and shape: are its bits equal, or both NaN?"""
    if not np.issubdtype(base.dtype, np.floating):
        return np.asarray(base == head)
    # Not ==, for which 0.0 and -0.0 are the same.
    is_same_number = (base == head) & (np.signbit(base) == np.signbit(head))
    return np.asarray(is_same_number | (np.isnan(base) & np.isnan(head)))


def _is_same_leaf(base: Leaf, head: Leaf) -> bool:
    """Whether two values read from JSON are the same; 1 and 1.0 are, 0.0 and -0.0 are not."""
    if isinstance(base, int | float) and isinstance(head, int | float):
        return float(base).hex() == float(head).hex()
    return base == head


def _read_numbers(record: Mapping[str, Any]) -> dict[str, Leaf]:
    numbers: dict[str, Leaf] = {}
    for part in COMPARED:
        numbers |= dict(_leaves(part, record.get(part)))
    return numbers


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Leaf]]:
    """All values inside nested JSON by their path, but for times."""
    match value:
        case dict():
            for name, inner in value.items():
                if name != TIMED:
                    yield from _leaves(f"{path}.{name}", inner)
        case list():
            for place, inner in enumerate(value):
                yield from _leaves(f"{path}[{place}]", inner)
        case _:
            yield path, value


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The raw answers; none where the cell has left none."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _cell_id(cell: Mapping[str, Any]) -> CellId:
    row = cell["algorithm"]
    if cell["given"]:
        row += " " + json.dumps(cell["given"], sort_keys=True)
    return CellId(
        row=row,
        split=cell["split"],
        n_folds=cell["n_folds"],
        fold=cell["fold"],
        split_seed=cell["split_seed"],
        seed=cell["seed"],
    )


def _refuse_foreign_modules(tree: Path, environment: Mapping[str, str]) -> None:
    """RunFailed unless Python, started in `tree`, finds there each package that the tree has."""
    packages = [name for name in PACKAGES if (tree / name / "__init__.py").exists()]
    command = [sys.executable, "-c", PRINT_ORIGINS, *packages]
    answer = subprocess.run(
        command, cwd=tree, env=environment, check=True, capture_output=True, text=True
    )

    for origin in answer.stdout.splitlines():
        if not Path(origin).resolve().is_relative_to(tree.resolve()):
            advice = "unset PYTHONPATH and PYTHONSAFEPATH"
            raise RunFailed(f"in {tree} Python would import {origin}: {advice}")


def _parser() -> argparse.ArgumentParser:
    description = "Compare the numbers of the present source with those of a commit, to the bit."
    parser = argparse.ArgumentParser(prog="python -m tests.proof.same", description=description)
    parser.add_argument("base", metavar="COMMIT", help="whose numbers are expected")
    parser.add_argument("--suite", default="ci", help="what is measured (default: ci)")
    data_help = f"repeatable; files by absolute path (default: {' and '.join(DATASETS)})"
    parser.add_argument("--dataset", action="append", metavar="NAME", help=data_help)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What a run keeps, what it evaluates again, and what it measures again.

A cell whose key has changed is measured again, and so is one whose latency is asked for and was not
measured; one whose key is the same but whose numbers were made by other code is evaluated again,
from its raw answers, without a fit.
"""

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import available
from recbench.benchmarks.evaluation import (
    Answers,
    KnownRatings,
    evaluate_answers,
    user_item_matrix,
)
from recbench.benchmarks.metrics import PROTOCOLS, Evaluation, column_name
from recbench.benchmarks.records import Cell, Record, Run, predicts_of
from recbench.benchmarks.splits import divide, rows_of_histories
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset, Ratings

DivisionId = tuple[str, int, int, int, str]
State = Literal["kept", "to evaluate", "to serve", "to run"]

TO_MEASURE: tuple[State, ...] = ("to serve", "to run")

# What may differ between two records of one row and place, and how a message calls it.
CHANGES = {
    "source": "code",
    "revision": "revision",
    "libraries": "versions of libraries",
    "digest": "data",
    "protocol": "protocol or cutoffs",
    "threads": "number of threads",
    "external": "files with its answers",
}
PLACE = (
    "algorithm",
    "parameters",
    "split",
    "n_folds",
    "fold",
    "seed",
    "split_seed",
    "inner",
    "tuning",
)


def division_of(cell: Cell) -> DivisionId:
    """The arguments of `divide` beside the data: split, folds, fold, split seed, inner split."""
    return cell.split, cell.n_folds, cell.fold, cell.split_seed, cell.inner


def find_misfits(
    arrays: Mapping[str, NDArray[Any]], evaluation: Evaluation, test: Ratings
) -> Iterator[tuple[str, object, object]]:
    """Where raw answers, arrays by name, lack the shapes and ranges that the test part asks for.

    For each such place: its name, what is expected, and what stands there. Nothing if they fit.
    """
    shapes: dict[str, tuple[int, ...]] = {"scores": (len(test),)}  # as they should be
    for name in evaluation.protocols:
        users_name = column_name(name, "users")
        top_items_name = column_name(name, "top_items")

        # Each user with a relevant test item was asked for a ranking
        threshold = PROTOCOLS[name].threshold(test.scale)
        n_relevant = np.diff(user_item_matrix(test, threshold).indptr)
        users = np.flatnonzero(n_relevant)
        kept_users = arrays.get(users_name, ())
        if not np.array_equal(users, kept_users):
            yield users_name, "the users with a relevant test item", "others"

        top_items = arrays.get(top_items_name, np.empty((0, 0), np.int32))
        if top_items.size:
            lowest = top_items.min()
            highest = top_items.max()
            if lowest < -1 or highest >= test.n_items:  # -1 ends a short list
                yield top_items_name, "items or -1", f"{lowest} to {highest}"

        depth = top_items.shape[-1] if top_items.ndim else 0
        shapes[users_name] = (len(users),)
        shapes[top_items_name] = (len(users), depth)
        shapes[column_name(name, "ranks")] = (len(users), depth)
        shapes[column_name(name, "auc")] = (len(users),)

    for name, expected in shapes.items():
        shape = arrays[name].shape if name in arrays else None
        if shape != expected:
            yield f"shape of {name}", expected, shape


def state_of(
    run: Run,
    cell: Cell,
    forced_rows: Collection[str],
    evaluation: str,
    *,
    is_served: bool = False,
) -> State:
    """What is to be done about a planned cell whose numbers the code `evaluation` should make.

    It is kept, or evaluated again, if it has an ok record and the raw answers that this was written
    with, to the bit, its row is not one of `forced_rows`, and its latency was measured if that
    `is_served`. UsageError for a damaged record.
    """
    record = run.read(cell)
    if record is None or record.status != "ok":
        return "to run"
    if cell.row in forced_rows or not run.has_answers_of(record):
        return "to run"
    if is_served and record.serving is None:
        return "to serve"
    if record.evaluation != evaluation:
        return "to evaluate"
    return "kept"


@dataclass(frozen=True)
class Resumed:
    """What is left of a plan, and in words why earlier work was not kept as it was."""

    waiting: list[Cell]  # to be measured
    remarks: list[str]


def resume_plan(
    run: Run, cells: Sequence[Cell], states: Mapping[str, State], dataset: Dataset, evaluation: str
) -> Resumed:
    """Evaluate again what can be, and say which of the planned `cells` have to be measured.

    `states` are those of `state_of` by the cells' names. Measured again is also what should be
    evaluated again and has lost its raw answers. Records that are evaluated again are written.
    """
    stale = [cell for cell in cells if states[cell.name] == "to evaluate"]
    lost = _evaluate_stale(run, stale, dataset, evaluation)
    waiting = [cell for cell in cells if states[cell.name] in TO_MEASURE or cell.name in lost]

    remarks = []
    n_evaluated = len(stale) - len(lost)
    if n_evaluated:
        remarks.append(
            f"{_count_cells(n_evaluated)} evaluated again from the raw answers, without a fit: "
            "the code of the evaluation has changed"
        )

    n_by_row_and_reason: Counter[tuple[str, str]] = Counter()
    for cell in waiting:
        reason = _reason_to_measure(run, cell, states[cell.name], lost)
        if reason:
            n_by_row_and_reason[cell.row, reason] += 1
    for (row, reason), n_cells in n_by_row_and_reason.items():
        remarks.append(f"{row}: {_count_cells(n_cells)} measured again: {reason}")
    return Resumed(waiting, remarks)


def _reason_to_measure(run: Run, cell: Cell, state: State, lost: Collection[str]) -> str:
    """Why a cell is measured again, in words; "" if it is new, or was not ok, or is forced.

    An ok one that has lost its raw answers says so, also if it is forced.
    """
    if cell.name in lost:
        return "the code of the evaluation has changed, and the raw answers do not serve"
    if state == "to serve":
        return "its latency is asked for, and was not measured"

    record = run.read(cell)
    if record is not None:
        if record.status == "ok" and not run.has_answers_of(record):
            return "the raw answers are gone or damaged"
        return ""

    changes = _find_changes(run, cell)
    return f"changed since: {', '.join(changes)}" if changes else ""


def _count_cells(n: int) -> str:
    """The beginning of a sentence about so many cells."""
    return "1 cell is" if n == 1 else f"{n} cells are"


def _find_changes(run: Run, cell: Cell) -> list[str]:
    """In words what the nearest ok record of the same row and place does not share with `cell`.

    Empty if there is none: then the cell is new.
    """
    nearest: list[str] = []
    for path in sorted((run.directory / "records").glob(f"{cell.algorithm}-*.json")):
        try:
            record = Record.from_json(path.read_bytes())
        except ValueError:
            continue  # a damaged record of another key: no part of this plan
        if record.status != "ok" or not _has_same_place(record.cell, cell):
            continue
        changes = name_changes(record.cell, cell)
        if changes and (not nearest or len(changes) < len(nearest)):
            nearest = changes
    return nearest


def _has_same_place(one: Cell, other: Cell) -> bool:
    """Whether both are on the same fold with the same hyperparameters and seeds."""
    return all(getattr(one, name) == getattr(other, name) for name in PLACE)


def name_changes(old: Cell, new: Cell) -> list[str]:
    """The fields of CHANGES that differ between two cells of one row, in words.

    A plug-in's own module, which stands among the libraries, is code and no library.
    """
    own_module = available()[new.algorithm].__module__
    changes = []
    for name, words in CHANGES.items():
        before = getattr(old, name)
        now = getattr(new, name)
        if name == "external":
            before = old.fixed_fields().get(name)
            now = new.fixed_fields().get(name)
        if name == "libraries":
            before = dict(before)
            before.pop(own_module, None)
            now = dict(now)
            now.pop(own_module, None)
        if before != now:
            changes.append(words)
    return changes


def _evaluate_stale(run: Run, cells: Iterable[Cell], dataset: Dataset, source: str) -> set[str]:
    """Write the records of `cells` anew from their raw answers, with numbers of today's code.

    `source` is the hash of that code. Out come the names of the cells whose raw answers do not
    serve; their records are left as they are.
    """
    lost = set()
    by_division = sorted(cells, key=division_of)
    for division, group in itertools.groupby(by_division, division_of):
        train_rows, test_rows = divide(dataset, *division)
        history_rows = rows_of_histories(dataset, *division)
        known = dataset.ratings.take(np.concatenate([train_rows, history_rows]))
        train = KnownRatings.of(known, len(history_rows))
        test = dataset.ratings.take(test_rows)

        for cell in group:
            record = run.read(cell)
            arrays = _read_sound_answers(run, cell, test)
            if record is None or arrays is None:
                lost.add(cell.name)
                continue

            evaluation = Evaluation.from_json(cell.protocol)
            answers = Answers.from_arrays(arrays, evaluation.protocols)
            numbers = evaluate_answers(
                answers, train, test, dataset.catalogue, evaluation, predicts_of(cell)
            )
            record = replace(
                record,
                cell=cell,
                metrics=numbers.scored.values,
                slices=numbers.slices,
                raw_scores=numbers.raw_scores,
                evaluation=source,
            )
            run.write(record, answers.to_arrays() | numbers.scored.to_arrays())
    return lost


def _read_sound_answers(run: Run, cell: Cell, test: Ratings) -> dict[str, NDArray[Any]] | None:
    """The raw answers of a cell; None unless they are its record's, and fit the test part."""
    record = run.read(cell)
    if record is None or record.answers is None:
        return None

    try:
        arrays = run.answers_of(record)
    except UsageError:
        return None
    is_sound = not any(find_misfits(arrays, Evaluation.from_json(cell.protocol), test))
    return arrays if is_sound else None

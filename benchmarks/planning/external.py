"""Rows whose answers come from files: which these are, checked before anything is measured."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recbench.adapters import available
from recbench.adapters.unfitted import External
from recbench.benchmarks.evaluation import limit_to_lists, read_foreign_answers
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.records import Cell, ExternalFiles
from recbench.benchmarks.splits import digest_of_parts, divide, rows_of_histories
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset


def is_external(algorithm: str) -> bool:
    """Whether the answers of this algorithm come from files."""
    return issubclass(available()[algorithm], External)


def attach_files(dataset: Dataset, cells: Sequence[Cell]) -> list[Cell]:
    """The cells of an external row, with the files of each fold and what these can be asked.

    Every file is read and checked. UsageError, which names row, fold and file, for whatever is
    wrong with them, and where a fold has none.
    """
    by_fold: dict[tuple[int, int], tuple[ExternalFiles, Evaluation]] = {}
    attached = []
    for cell in cells:
        if cell.seeded_fold not in by_fold:
            by_fold[cell.seeded_fold] = _check_fold(dataset, cell)
        files, evaluation = by_fold[cell.seeded_fold]
        attached.append(replace(cell, external=files, protocol=evaluation.to_json()))

    _refuse_mixed_kinds(attached)
    return attached


def _check_fold(dataset: Dataset, cell: Cell) -> tuple[ExternalFiles, Evaluation]:
    """The files of one fold, and the questions that they answer."""
    path = str(cell.parameters["path"])
    if not path:
        raise UsageError(
            "external: expected a directory with answers, as in external[path=DIR]; see "
            "Predictions made elsewhere in the README"
        )

    directory = Path(path).expanduser().absolute()
    division = (cell.split, cell.n_folds, cell.fold, cell.split_seed)
    train, test = divide(dataset, *division)
    histories = rows_of_histories(dataset, *division)
    digest = digest_of_parts(dataset, train, test, histories)
    evaluation = Evaluation.from_json(cell.protocol)
    known = dataset.ratings.take(np.concatenate([train, histories]))
    try:
        folder, answers = read_foreign_answers(
            directory, digest, dataset, known, dataset.ratings.take(test), evaluation
        )
    except UsageError as error:
        raise UsageError(f"{cell.row}, {cell.place}: {error}") from None

    if answers.ratings is not None and dataset.feedback == "implicit":
        raise UsageError(
            f"{cell.row}, {cell.place}: it predicts ratings, and {dataset.name} has none, since "
            "every line is a positive: write lists alone"
        )
    files = ExternalFiles(directory=str(directory), fold=digest, files=folder.digest_files())
    return files, limit_to_lists(evaluation, has_lists=answers.lists is not None)


def _refuse_mixed_kinds(cells: Sequence[Cell]) -> None:
    """UsageError if some folds have ratings or lists that others have not: no mean would be one."""
    kinds = {cell.place: " and ".join(cell.kinds_of_files) for cell in cells}
    if len(set(kinds.values())) > 1:
        told = "; ".join(f"{place}: {names}" for place, names in kinds.items())
        raise UsageError(f"{cells[0].row}: all folds need files of the same kinds, got {told}")

"""Whether a run's numbers follow from its raw answers.

Every metric and every user's share in it is made again, with the data or from the stored shares.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import available
from recbench.benchmarks.certainty import SHARE_ARRAYS, find_blind_spots
from recbench.benchmarks.evaluation import (
    Answers,
    CellMetrics,
    KnownRatings,
    collect_foreign_answers,
    evaluate_answers,
    read_foreign_answers,
)
from recbench.benchmarks.execution import describe_fold
from recbench.benchmarks.metrics import PROTOCOLS, Evaluation, find_metric
from recbench.benchmarks.planning import DivisionId, division_of, find_misfits
from recbench.benchmarks.records import (
    Cell,
    ExternalFiles,
    FoldFacts,
    Record,
    Run,
    RunDescription,
    describe_data,
    evaluation_source,
    predicts_of,
)
from recbench.benchmarks.splits import digest_of_split, divide, has_cuts, rows_of_histories
from recbench.benchmarks.verification.files import is_early
from recbench.benchmarks.verification.ledger import Closeness, Ledger
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset, Ratings

# Of metrics and slices. The same machine gives the same bits; on another one sums of many numbers
# end
# differently in the last digits, because vector instructions of another width add in another order.
OF_METRICS = Closeness(relative=1e-9, absolute=1e-12)

# Of the shares, which are stored in single precision, and of metrics that are made from them.
OF_SHARES = Closeness(relative=3e-7, absolute=1e-9)
FROM_SHARES = Closeness(relative=1e-5, absolute=1e-6)

# What is said of the data that is no number.
WORDS = ("name", "licence", "citation", "notice", "remarks")

# The end of a refusal to recompute.
WITHOUT_DATA = "--without-data verifies the rest."

Arrays = Mapping[str, NDArray[Any]]


def recompute_metrics(
    run: Run, records: list[Record], about: RunDescription, dataset: Dataset, ledger: Ledger
) -> None:
    """Divide the data again, and compare each ok record with what its raw answers give.

    UsageError where that cannot be done: other data, an unknown algorithm, another version of the
    definitions.
    """
    ok_records = [record for record in records if record.status == "ok"]
    for record in ok_records:
        _refuse_unrepeatable(run, record, dataset)
    _remark_on_code(ok_records, ledger)
    _compare_planned_data(about, dataset, ledger)
    _compare_blind_spots(about, [record.cell for record in records], dataset, ledger)

    # A column that one record has and another lacks is a finding.
    columns: dict[str, None] = {}
    for record in ok_records:
        columns |= dict.fromkeys(record.metrics)

    by_division = sorted(ok_records, key=_division_of_record)
    for division, group in itertools.groupby(by_division, _division_of_record):
        train_rows, test_rows = divide(dataset, *division)
        history_rows = rows_of_histories(dataset, *division)
        train = dataset.ratings.take(train_rows)
        test = dataset.ratings.take(test_rows)
        known_rows = np.concatenate([train_rows, history_rows])
        known = KnownRatings.of(dataset.ratings.take(known_rows), len(history_rows))
        split, *_, inner = division
        is_cut = has_cuts(split) and not inner
        fold = describe_fold(train, train_rows, test, test_rows, history_rows, is_cut=is_cut)
        for record in group:
            _compare_data_facts(record, dataset, fold, ledger)
            _recompute_record(run, record, list(columns), dataset, known, test, ledger)
            if record.cell.external is not None:
                _compare_with_files(run, record, record.cell.external, known, test, dataset, ledger)


def _compare_with_files(
    run: Run,
    record: Record,
    files: ExternalFiles,
    known: Ratings,
    test: Ratings,
    dataset: Dataset,
    ledger: Ledger,
) -> None:
    """Compare the raw answers of an external cell with the files that they come from.

    Only a remark if these are not there any more; a finding if they are others.
    """
    cell = record.cell
    directory = Path(files["directory"])
    if not directory.is_dir():
        ledger.remarks.append(
            f"{cell.row}: {directory} is gone, so its answers were not compared with their files"
        )
        return

    evaluation = Evaluation.from_json(cell.protocol)
    file = _file_of(cell)
    try:
        folder, foreign = read_foreign_answers(
            directory, files["fold"], dataset, known, test, evaluation
        )
    except UsageError as error:
        ledger.findings.append(f"{file}: {error}")
        return

    ledger.compare("files", file, "cell.external.files", folder.digest_files(), files["files"])
    answers = collect_foreign_answers(foreign, known, test, evaluation, cell.seed)
    stored = _read_answers(run, cell, ledger)
    for name, expected in answers.to_arrays().items():
        found = stored.get(name)
        is_same = found is not None and np.array_equal(
            found, expected, equal_nan=expected.dtype.kind == "f"
        )
        words = "the answers in its files"
        ledger.compare("files", file, name, words, words if is_same else "others")


def check_against_shares(run: Run, records: list[Record], ledger: Ledger) -> None:
    """Without the data: compare each metric with what the stored shares of the users give."""
    for record in records:
        if record.status != "ok":
            continue
        arrays = _read_answers(run, record.cell, ledger)
        if not arrays:
            continue

        if not arrays.keys() >= set(SHARE_ARRAYS):
            answers_file = _file_of(record.cell, "npz")
            ledger.note(answers_file, "share_columns", "the shares of the users", None)
            continue

        file = _file_of(record.cell)
        for place, column in enumerate(arrays["share_columns"].tolist()):
            total = arrays["share_sums"][place].sum(dtype=np.float64)
            weight = arrays["share_weights"][place].sum(dtype=np.float64)
            expected = float(find_metric(column).finish(total / weight))
            found = record.metrics.get(column)
            ledger.compare("from shares", file, f"metrics.{column}", expected, found, FROM_SHARES)


def _file_of(cell: Cell, ending: str = "json") -> str:
    """The name of a cell's file, as findings call it."""
    return f"records/{cell.name}.{ending}"


def _division_of_record(record: Record) -> DivisionId:
    return division_of(record.cell)


def _refuse_unrepeatable(run: Run, record: Record, dataset: Dataset) -> None:
    """UsageError if this version, with these data and adapters, cannot make the metrics again."""
    cell = record.cell
    path = run.path(cell)
    digest = digest_of_split(dataset, cell.split)
    if digest != cell.digest:
        raise UsageError(
            f"{path}: its data have the digest {cell.digest[:12]}, the {dataset.name} at hand has "
            f"{digest[:12]}. Name the data with --dataset; {WITHOUT_DATA}"
        )
    if cell.algorithm not in available():
        raise UsageError(
            f"{path}: unknown algorithm: name its module with --plugin or, if it was defined in a "
            "notebook, verify with --without-data."
        )

    is_known = set(cell.protocol["protocols"]) <= set(PROTOCOLS)
    if not is_known or Evaluation.from_json(cell.protocol).to_json() != cell.protocol:
        commit = record.environment.commit or "(unknown)"
        raise UsageError(
            f"{path}: this version of recbench defines the protocol differently: "
            f"use that of commit {commit}; {WITHOUT_DATA}"
        )


def _remark_on_code(records: Sequence[Record], ledger: Ledger) -> None:
    """Remark how many records say that other code than this made their metrics."""
    source = evaluation_source()
    n_others = sum(record.evaluation not in (None, source) for record in records)
    if n_others:
        ledger.remarks.append(
            f"ok records whose metrics were made by other code than this version's: {n_others}"
        )


def _compare_planned_data(about: RunDescription, dataset: Dataset, ledger: Ledger) -> None:
    """Compare the numbers that the plan says of the data with those of the data at hand."""
    planned = about.data.to_json()
    expected = _numbers_of_data(dataset, planned)
    found = {name: planned[name] for name in expected}
    ledger.compare("plan", "plan.json", "about.data", expected, found)


def _compare_blind_spots(
    about: RunDescription, cells: Sequence[Cell], dataset: Dataset, ledger: Ledger
) -> None:
    """Look again for what the data cannot tell: who takes it out of a plan has winners named.

    Early plans do not say it. The sentences may be worded better one day, so kinds are compared.
    """
    if not about.says("blind_spots"):
        return
    expected = {spot.kind: spot.hides for spot in find_blind_spots(dataset, cells, about.metrics)}
    found = {spot.kind: spot.hides for spot in about.blind_spots}
    ledger.compare("plan", "plan.json", "about.blind_spots", expected, found)


def _compare_data_facts(record: Record, dataset: Dataset, fold: FoldFacts, ledger: Ledger) -> None:
    """Compare what a record says of the data and its fold with the data divided again."""
    written = record.data.to_json()
    if record.fold:
        written |= record.fold.to_json()

    # Early versions said less of the fold.
    expected = _numbers_of_data(dataset, written)
    for name, value in fold.to_json().items():
        if name in written or not is_early(record):
            expected[name] = value
    found = {name: written.get(name) for name in expected}
    ledger.compare("plan", _file_of(record.cell), "data", expected, found)


def _numbers_of_data(dataset: Dataset, written: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that should stand in `written`, by name; earlier versions wrote fewer."""
    described = describe_data(dataset).to_json()
    names = described.keys() & written.keys() - set(WORDS)
    return {name: value for name, value in described.items() if name in names}


def _read_answers(run: Run, cell: Cell, ledger: Ledger) -> dict[str, NDArray[Any]]:
    """The raw answers; if they cannot be read, nothing and a finding."""
    if not run.has_answers(cell):
        return {}  # `check_files` has said so
    try:
        return run.answers(cell)
    except UsageError as error:
        ledger.findings.append(str(error))
        return {}


def _recompute_record(
    run: Run,
    record: Record,
    columns: list[str],
    dataset: Dataset,
    train: Ratings,
    test: Ratings,
    ledger: Ledger,
) -> None:
    """Compare a record's metrics, slices and user shares with what its raw answers give."""
    cell = record.cell
    file = _file_of(cell)
    evaluation = Evaluation.from_json(cell.protocol)
    arrays = _read_answers(run, cell, ledger)
    if not arrays or not _check_shapes(cell, arrays, evaluation, test, ledger):
        return

    answers = Answers.from_arrays(arrays, evaluation.protocols)
    numbers = evaluate_answers(
        answers, train, test, dataset.catalogue, evaluation, predicts_of(cell)
    )
    for column in columns:
        expected = numbers.scored.values.get(column)
        found = record.metrics.get(column)
        ledger.compare("metrics", file, f"metrics.{column}", expected, found, OF_METRICS)
        ledger.compared["bit for bit"] += expected == found

    if not is_early(record):
        expected_slices = [group.to_json() for group in numbers.slices]
        found_slices = [group.to_json() for group in record.slices]
        ledger.compare("slices", file, "slices", expected_slices, found_slices, OF_METRICS)
    if record.raw_scores is not None:  # earlier versions did not keep them
        expected_range = numbers.raw_scores.to_json()
        found_range = record.raw_scores.to_json()
        ledger.compare("raw scores", file, "raw_scores", expected_range, found_range, OF_METRICS)
    _compare_shares(record, numbers.scored, arrays, ledger)


def _check_shapes(
    cell: Cell, arrays: Arrays, evaluation: Evaluation, test: Ratings, ledger: Ledger
) -> bool:
    """Whether the arrays have the shapes and ranges that the test part asks for; findings
    if not.
    """
    n_before = len(ledger.findings)
    for place, expected, found in find_misfits(arrays, evaluation, test):
        ledger.note(_file_of(cell, "npz"), place, expected, found)
    return len(ledger.findings) == n_before


def _compare_shares(record: Record, metrics: CellMetrics, arrays: Arrays, ledger: Ledger) -> None:
    """Compare the stored shares of the users with those made again.

    Of each column the first difference is a finding.
    """
    file = _file_of(record.cell, "npz")
    recomputed = metrics.to_arrays()
    users = recomputed["share_users"]
    absent = set(SHARE_ARRAYS) - arrays.keys()
    if absent:
        ledger.note(file, min(absent), "the shares of the users", None)
        return
    if not np.array_equal(users, arrays.get("share_users", ())):
        ledger.note(file, "share_users", "the users with a share", "others")
        return

    columns = recomputed["share_columns"].tolist()
    stored_columns = arrays["share_columns"].tolist()
    for place, column in enumerate(stored_columns):
        if column not in columns or column not in record.metrics:
            ledger.note(file, f"share_columns[{place}]", "a metric of the record", column)
            continue

        for name in ("share_sums", "share_weights"):
            expected = recomputed[name][columns.index(column)]
            found = arrays[name][place]
            ledger.compared["shares"] += len(users)
            _note_first_difference(file, f"{name} of {column}", users, expected, found, ledger)


def _note_first_difference(
    file: str,
    place: str,
    users: NDArray[np.int32],
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    ledger: Ledger,
) -> None:
    """Note the first user whose share is not as expected, and how many more there are."""
    is_close = np.isclose(found, expected, rtol=OF_SHARES.relative, atol=OF_SHARES.absolute)
    different = np.flatnonzero(~is_close)
    if len(different) == 0:
        return

    first = different[0]
    n_more = len(different) - 1
    more = f" and {n_more} more" if n_more else ""
    where = f"{place}, user {users[first]}{more}"
    wanted = float(expected[first])
    got = float(found[first])
    ledger.note(file, where, wanted, got)

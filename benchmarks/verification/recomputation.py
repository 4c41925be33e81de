"""Whether a run's numbers follow from its raw answers: every metric and every user's share in it, made again."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import available
from recbench.benchmarks.evaluation import Answers, CellMetrics
from recbench.benchmarks.execution import describe_fold
from recbench.benchmarks.metrics import PROTOCOLS, Evaluation, find_metric
from recbench.benchmarks.planning import Division, division_of, evaluate_answers, misfits
from recbench.benchmarks.records import (
    Cell,
    Record,
    Run,
    RunDescription,
    describe_data,
    evaluation_source,
)
from recbench.benchmarks.splits import digest_of_split, divide
from recbench.benchmarks.verification.files import Ledger, is_early
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset, Ratings

# Relative, absolute. The same machine gives the same bits; on another one sums of many numbers end differently in
# the last digits, because vector instructions of another width add in another order.
TOLERANCE = (1e-9, 1e-12)
FLOAT32 = (3e-7, 1e-9)  # of the shares, which are stored in single precision
FROM_SHARES = (1e-5, 1e-6)  # of metrics that are made from stored shares
WORDS = ("name", "licence", "citation", "notice", "remarks")  # of the data: no numbers

Arrays = Mapping[str, NDArray[Any]]


def recompute_metrics(
    run: Run, records: list[Record], about: RunDescription, dataset: Dataset, ledger: Ledger
) -> None:
    """Divide the data again, and compare each ok record with what its raw answers give.

    UsageError where that cannot be done: other data, an unknown algorithm, another version of the definitions.
    """
    ok = [record for record in records if record.status == "ok"]
    for record in ok:
        _refuse(run, record, dataset)
    now = evaluation_source()
    if others := sum(record.evaluation not in (None, now) for record in ok):
        ledger.remarks.append(
            f"ok records whose metrics were made by other code than this version's: {others}"
        )
    planned = about.data.to_json()
    expected = _described(dataset, planned)
    ledger.compare(
        "plan",
        "plan.json",
        "about.data",
        expected,
        {name: planned[name] for name in expected},
    )
    columns = dict.fromkeys(
        column for record in ok for column in record.metrics
    )  # one that a record lacks is found
    for division, group in itertools.groupby(sorted(ok, key=_division), _division):
        train_rows, test_rows = divide(dataset, *division)
        train, test = dataset.ratings.take(train_rows), dataset.ratings.take(test_rows)
        fold = describe_fold(train, train_rows, test, test_rows).to_json()
        for record in group:
            written = record.data.to_json() | (record.fold.to_json() if record.fold else {})
            promised = {
                name: fold[name] for name in fold if name in written or not is_early(record)
            }
            facts = _described(dataset, written) | promised
            said = {name: written.get(name) for name in facts}
            ledger.compare("plan", _file(record.cell), "data", facts, said)
            _rescore(run, record, list(columns), dataset, train, test, ledger)


def check_against_shares(run: Run, records: list[Record], ledger: Ledger) -> None:
    """Without the data: compare each metric with what the stored shares of the users give."""
    for record in records:
        arrays = _answers(run, record.cell, ledger) if record.status == "ok" else {}
        for place, column in enumerate(arrays["share_columns"].tolist() if arrays else ()):
            sums, weights = (
                arrays[name][place].sum(dtype=np.float64)
                for name in ("share_sums", "share_weights")
            )
            expected, found = (
                float(find_metric(column).finish(sums / weights)),
                record.metrics.get(column),
            )
            ledger.compare(
                "from shares", _file(record.cell), f"metrics.{column}", expected, found, FROM_SHARES
            )


def _file(cell: Cell, ending: str = "json") -> str:
    return f"records/{cell.name}.{ending}"


def _division(record: Record) -> Division:
    return division_of(record.cell)


def _refuse(run: Run, record: Record, dataset: Dataset) -> None:
    """UsageError if this version, with these data and adapters, cannot make the record's metrics again."""
    cell, limited = record.cell, "--without-data verifies the rest."
    digest = digest_of_split(dataset, cell.split)
    if digest != cell.digest:
        raise UsageError(
            f"{run.path(cell)}: its data have the digest {cell.digest[:12]}, the {dataset.name} at hand has "
            f"{digest[:12]}. Name the data with --dataset; {limited}"
        )
    if cell.algorithm not in available():
        raise UsageError(
            f"{run.path(cell)}: unknown algorithm: name its module with --plugin; {limited}"
        )
    known = set(cell.protocol["protocols"]) <= set(PROTOCOLS)
    if not known or Evaluation.from_json(cell.protocol).to_json() != cell.protocol:
        raise UsageError(
            f"{run.path(cell)}: this version of recbench defines the protocol differently: use that of commit "
            f"{record.environment.commit or '(unknown)'}; {limited}"
        )


def _described(dataset: Dataset, said: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that should stand in `said`; earlier versions said less."""
    described = describe_data(dataset).to_json()
    return {name: value for name, value in described.items() if name in said and name not in WORDS}


def _answers(run: Run, cell: Cell, ledger: Ledger) -> dict[str, NDArray[Any]]:
    """The raw answers; if they cannot be read, nothing and a finding."""
    if not run.has_answers(cell):
        return {}  # the audit has said so
    try:
        return run.answers(cell)
    except UsageError as error:
        ledger.findings.append(str(error))
        return {}


def _rescore(
    run: Run,
    record: Record,
    columns: list[str],
    dataset: Dataset,
    train: Ratings,
    test: Ratings,
    ledger: Ledger,
) -> None:
    cell = record.cell
    evaluation, arrays = Evaluation.from_json(cell.protocol), _answers(run, cell, ledger)
    if not arrays or not _fitting(cell, arrays, evaluation, test, ledger):
        return
    answers = Answers.from_arrays(arrays, evaluation.protocols)
    numbers = evaluate_answers(cell, answers, train, test, dataset.catalogue)
    scored = numbers.scored
    for column in columns:
        value, kept = scored.values.get(column), record.metrics.get(column)
        ledger.compare("metrics", _file(cell), f"metrics.{column}", value, kept, TOLERANCE)
        ledger.compared["bit for bit"] += value == kept
    if not is_early(record):
        again = [one.to_json() for one in numbers.slices]
        found = [one.to_json() for one in record.slices]
        ledger.compare("slices", _file(cell), "slices", again, found, TOLERANCE)
    _compare_shares(cell, scored, arrays, record, ledger)


def _fitting(
    cell: Cell, arrays: Arrays, evaluation: Evaluation, test: Ratings, ledger: Ledger
) -> bool:
    """Whether the arrays have the shapes and ranges that the test part asks for; findings if not."""
    n_before = len(ledger.findings)
    for place, expected, found in misfits(arrays, evaluation, test):
        ledger.note(_file(cell, "npz"), place, expected, found)
    return len(ledger.findings) == n_before


def _compare_shares(
    cell: Cell, scored: CellMetrics, arrays: Arrays, record: Record, ledger: Ledger
) -> None:
    """The stored shares of the users beside those made again, the first difference of each column as a finding."""
    file, again = _file(cell, "npz"), scored.to_arrays()
    columns, users = again["share_columns"].tolist(), again["share_users"]
    stored = arrays["share_columns"].tolist() if "share_columns" in arrays else []
    if not np.array_equal(users, arrays.get("share_users", ())):
        return ledger.note(file, "share_users", "the users with a share", "others")
    for place, column in enumerate(stored):
        if column not in columns or column not in record.metrics:
            ledger.note(file, f"share_columns[{place}]", "a metric of the record", column)
            continue
        for name in ("share_sums", "share_weights"):
            expected, found = again[name][columns.index(column)], arrays[name][place]
            ledger.compared["shares"] += len(users)
            wrong = np.flatnonzero(~np.isclose(found, expected, rtol=FLOAT32[0], atol=FLOAT32[1]))
            if len(wrong):
                at = wrong[0]
                more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                where = f"{name} of {column}, user {users[at]}{more}"
                ledger.note(file, where, float(expected[at]), float(found[at]))
    return None

"""Rows that are too good to be taken on trust in a single run, without another to compare with."""

from collections.abc import Iterable

from recbench.benchmarks.records import Record

ORACLE = "oracle"  # the algorithm that knows the truth of simulated data

# Of the variance of the test ratings, what is left where an error is as good as zero.
LEAST_UNEXPLAINED = 1e-4
# How far above the oracle's an error is still that of the oracle, as a part of it.
NEAR_THE_ORACLE = 0.005


def suspect_rows(records: Iterable[Record]) -> dict[str, str]:
    """By row, why its error of predicted ratings is too good: zero, or that of the oracle.

    In every fold of every split: a row with a fold that is not ok is not judged. Where all test
    ratings are equal, an error of zero means nothing.
    """
    by_row: dict[str, list[Record]] = {}
    oracle_errors: dict[tuple[object, ...], float] = {}
    for record in records:
        error = record.metrics.get("rmse")
        if record.cell.algorithm != ORACLE:
            by_row.setdefault(record.cell.row, []).append(record)
        elif error is not None:
            oracle_errors[_part_of(record)] = error

    suspicions = {}
    for row, of_row in by_row.items():
        if all(_is_without_error(record) for record in of_row):
            suspicions[row] = "its predictions have no error: has it seen the test ratings?"
        elif all(_is_near_oracle(record, oracle_errors) for record in of_row):
            suspicions[row] = (
                "its error is that of the oracle, which knows how the data were simulated: has it "
                "seen the truth?"
            )
    return suspicions


def _part_of(record: Record) -> tuple[object, ...]:
    """The test part that a record is about."""
    return record.cell.split, *record.cell.seeded_fold


def _is_without_error(record: Record) -> bool:
    """Whether next to nothing of the test ratings' variance is unexplained; False if it is 0."""
    explained = record.metrics.get("r2")
    return explained is not None and explained >= 1 - LEAST_UNEXPLAINED


def _is_near_oracle(record: Record, oracle_errors: dict[tuple[object, ...], float]) -> bool:
    """Whether the oracle has predicted the same test part, and hardly better."""
    error = record.metrics.get("rmse")
    least = oracle_errors.get(_part_of(record))
    if error is None or least is None:
        return False
    return error <= least * (1 + NEAR_THE_ORACLE)

"""The rows of a table: as somebody names them, or as a suite in `suites/NAME.toml` does."""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from recbench.adapters import Recommender, available, create
from recbench.adapters.base import Origin
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.planning.published import read_published_numbers
from recbench.benchmarks.records import PublishedNumber
from recbench.benchmarks.tuning import FoundValues
from recbench.datasets.foundation import UsageError, format_spec, parse_spec, pick_name
from recbench.datasets.ratings import Dataset

SUITES = Path(__file__).parent / "suites"


@dataclass(frozen=True)
class PlannedRow:
    """One row of the table: an algorithm and the hyperparameters that were set on purpose."""

    algorithm: str
    given: dict[str, Any]
    values_from: Origin | None = None  # of what is given; None: whoever asked for the row

    @property
    def name(self) -> str:
        """As it is written on the command line: `surprise-svd[n_factors=20]`."""
        return format_spec(self.algorithm, self.given)


@dataclass(frozen=True)
class Suite:
    """The exact rows of a table and how they are compared; None where the suite leaves it open."""

    name: str
    description: str
    rows: tuple[PlannedRow, ...]
    folds: int | None = None
    split: str | None = None
    seed: int | None = None
    repeats: int | None = None  # at least so many divisions or initialisations
    metrics: tuple[str, ...] | None = None  # the columns of its report
    published: tuple[PublishedNumber, ...] = ()  # what others have measured in this way


def suite_names() -> list[str]:
    """The names of all suites, sorted."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def read_suite(name: str) -> Suite:
    """The suite `name`, its rows and columns checked.

    UsageError, with the nearest match, if there is none; and if its file is malformed.
    """
    path = SUITES / f"{pick_name('suite', name, suite_names())}.toml"
    content = tomllib.loads(path.read_text())
    rows = parse_rows(content.pop("rows"))

    columns = content.pop("metrics", None)
    for column in columns or ():
        find_metric(column)

    tables = content.pop("published", [])
    for table in tables:
        table["rows"] = {_row_name(spec): values for spec, values in table["rows"].items()}
    numbers = read_published_numbers(name, tables, [row.name for row in rows])

    metrics = None if columns is None else tuple(columns)
    return Suite(name=name, rows=rows, metrics=metrics, published=numbers, **content)


def _row_name(spec: str) -> str:
    """The name that a row has everywhere, however its hyperparameters are written in `spec`."""
    (row,) = parse_rows([spec])
    return row.name


def parse_rows(specs: Iterable[str]) -> tuple[PlannedRow, ...]:
    """Texts such as `ease[regularisation=100]` as rows, in their order, with checked values.

    UsageError for an unknown algorithm or hyperparameter, for a value out of range, and for the
    same algorithm with the same hyperparameters twice, defaults written out or not.
    """
    rows: dict[str, PlannedRow] = {}
    for spec in specs:
        name, texts = parse_spec(spec)
        algorithm = create(name, texts)
        row = PlannedRow(name, {key: getattr(algorithm, key) for key in texts})

        with_defaults = format_spec(name, hyperparameters_of(algorithm))
        if with_defaults in rows:
            earlier = rows[with_defaults]
            raise UsageError(
                f"algorithm {row.name!r} is planned twice, also as {earlier.name!r}: name it once"
            )
        rows[with_defaults] = row
    return tuple(rows.values())


def with_found_values(
    rows: tuple[PlannedRow, ...], found: FoundValues, typed: str
) -> tuple[PlannedRow, ...]:
    """`rows`, those that `found` names with the values found for them; `typed` says where.

    Rows that already have values of their own stay as they are. UsageError if no row is named, and
    for values that an algorithm does not take.
    """
    changed: list[PlannedRow] = []
    for row in rows:
        values = found.rows.get(row.name)
        if not values:
            changed.append(row)
            continue
        try:
            (valued,) = parse_rows([format_spec(row.algorithm, values)])
        except UsageError as error:
            raise UsageError(f"--parameters {typed}: {error}") from None
        changed.append(replace(valued, values_from=found.describe_origin(row.name)))

    if not any(row.values_from for row in changed):
        raise UsageError(
            f"--parameters {typed} has values for {', '.join(found.rows)}, and none of these is a "
            "row here; rows with values in their name keep those"
        )
    return tuple(changed)


def hyperparameters_of(algorithm: Recommender) -> dict[str, Any]:
    """All hyperparameters of `algorithm` by name, defaults included.

    UsageError for values that JSON, and so a record, cannot hold.
    """
    names = [field.name for field in fields(cast(Any, algorithm))]
    values = {name: getattr(algorithm, name) for name in names}
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{algorithm.name}: hyperparameters must be finite numbers, texts or truths: {error}"
        ) from None
    return values


def with_truth_seers(
    rows: tuple[PlannedRow, ...], dataset: Dataset | None = None
) -> tuple[PlannedRow, ...]:
    """`rows`, and below them the algorithms that see the truth, if `dataset` has one.

    Without a `dataset`: as if it had.
    """
    if dataset is not None and dataset.truth is None:
        return rows

    planned = {row.algorithm for row in rows}
    seers = []
    for name, adapter in available().items():
        if adapter.sees_truth and name not in planned:
            seers.append(PlannedRow(name, {}))
    return (*rows, *seers)

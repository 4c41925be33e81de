"""From what the user asked for to the cells that answer it. Everything is checked here, before any long work."""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, cast

from recbench.adapters import Recommender, available, create
from recbench.benchmarks.metrics import Evaluation, find_metric
from recbench.benchmarks.planning.published import published
from recbench.benchmarks.records import (
    Cell,
    PublishedNumber,
    answers_source,
    is_plugin,
    plugin_source,
)
from recbench.benchmarks.splits import digest_of_split, is_seeded, refuse_empty_parts
from recbench.datasets.foundation import UsageError, format_spec, parse_spec, pick_name
from recbench.datasets.ratings import Dataset

SUITES = Path(__file__).parent / "suites"
SEEDS = 2**32  # how many seeds numpy's generators know


@dataclass(frozen=True)
class Row:
    """One row of the table: an algorithm and the hyperparameters that were set on purpose."""

    algorithm: str
    given: dict[str, Any]

    @property
    def name(self) -> str:
        """As it is written on the command line: `surprise-svd[n_factors=20]`."""
        return format_spec(self.algorithm, self.given)


@dataclass(frozen=True)
class Suite:
    """The exact rows of a table, read from `suites/NAME.toml`; None where the table leaves something open."""

    name: str
    description: str
    rows: tuple[Row, ...]
    folds: int | None = None
    split: str | None = None
    seed: int | None = None
    metrics: tuple[str, ...] | None = None  # the columns of its report
    published: tuple[PublishedNumber, ...] = ()  # what others have measured in this way


def suites() -> list[str]:
    """The names of the suites."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def suite(name: str) -> Suite:
    """The suite `name`, its rows and columns checked. UsageError if there is none or if it is malformed."""
    path = SUITES / f"{pick_name('suite', name, suites())}.toml"
    content = tomllib.loads(path.read_text())
    content["rows"] = rows(content["rows"])
    tables = content.pop("published", [])
    for (
        table
    ) in tables:  # rows by the name they have everywhere, however their parameters are written
        table["rows"] = {rows([spec])[0].name: values for spec, values in table["rows"].items()}
    if "metrics" in content:
        content["metrics"] = tuple(content["metrics"])
        for column in content["metrics"]:
            find_metric(column)
    found = published(name, tables, [row.name for row in content["rows"]])
    return Suite(name, published=found, **content)


def rows(specs: Iterable[str]) -> tuple[Row, ...]:
    """`name[key=value,...]` texts as rows, converted and checked; UsageError for a bad one or one given twice."""
    found: dict[str, Row] = {}
    for spec in specs:
        name, parameters = parse_spec(spec)
        algorithm = create(name, parameters)
        row = Row(name, {key: getattr(algorithm, key) for key in parameters})
        same = format_spec(name, hyperparameters(algorithm))
        if same in found:
            raise UsageError(
                f"algorithm {row.name!r} is planned twice, also as {found[same].name!r}: name it once"
            )
        found[same] = row
    return tuple(found.values())


def with_truth(table: tuple[Row, ...], dataset: Dataset | None = None) -> tuple[Row, ...]:
    """`table` and below it the algorithms that see the truth, if `dataset` has one (None: as if it had)."""
    if dataset is not None and dataset.truth is None:
        return table
    planned = {row.algorithm for row in table}
    return *table, *(
        Row(name, {}) for name, cls in available().items() if cls.sees_truth and name not in planned
    )


def hyperparameters(algorithm: Recommender) -> dict[str, Any]:
    """All of them, defaults included. UsageError for values that JSON, and so a record, cannot hold."""
    values = {f.name: getattr(algorithm, f.name) for f in fields(cast(Any, algorithm))}
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{algorithm.name}: hyperparameters must be finite numbers, texts or truths: {error}"
        ) from None
    return values


def library_versions(adapter: type[Recommender]) -> dict[str, str]:
    """Module -> version of the distribution behind it, for numpy, scipy and what the adapter wraps.

    "" where it is not installed. A plug-in's module stands there with the hash of all its own code.
    """
    owners = packages_distributions()
    found = {}
    if is_plugin(adapter):
        found[adapter.__module__] = plugin_source(adapter)
    for module in ("numpy", "scipy", *adapter.requires):
        try:
            found[module] = version(owners.get(module, [module])[0])
        except PackageNotFoundError:
            found[module] = ""
    return found


@dataclass(frozen=True)
class How:
    """What is the same for all rows of a table."""

    split: str
    n_folds: int
    seed: int
    evaluation: Evaluation
    threads: int = 1
    repeats: int = 1
    split_seed: int | None = None  # that of the folds, where it is not `seed`


def cells(dataset: Dataset, table: Iterable[Row], how: How) -> list[Cell]:
    """The cells of the table, fold by fold inside a row: the first row is complete before the second begins.

    With repeats, each row also has that many divisions less one, and on the first division as many more
    initialisations, so that the one can be told from the other. A split that does not go by a seed has one division.
    UsageError if a fold of any division would be empty.
    """
    first = how.seed if how.split_seed is None else how.split_seed
    n_divisions = how.repeats if is_seeded(how.split) else 1
    divisions = [((first + repeat) % SEEDS, how.seed) for repeat in range(n_divisions)]
    for split_seed, _ in divisions:
        refuse_empty_parts(dataset, how.split, how.n_folds, split_seed)
    initialisations = [(first, (how.seed + repeat) % SEEDS) for repeat in range(1, how.repeats)]
    planned = []
    for row in table:
        adapter = available()[row.algorithm]
        algorithm = create(row.algorithm, row.given)
        parameters = hyperparameters(algorithm)
        libraries = library_versions(adapter)
        source = answers_source(adapter)
        planned += [
            Cell(
                dataset=dataset.name,
                digest=digest_of_split(dataset, how.split),
                algorithm=row.algorithm,
                parameters=parameters,
                given=row.given,
                revision=adapter.revision,
                libraries=libraries,
                split=how.split,
                n_folds=how.n_folds,
                fold=fold,
                seed=own_seed,
                protocol=how.evaluation.to_json(),
                threads=how.threads,
                split_seed=split_seed,
                source=source,
            )
            for split_seed, own_seed in [*divisions, *initialisations]
            for fold in range(how.n_folds)
        ]
    return planned

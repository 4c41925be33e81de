"""Which runs can stand beside each other in one report: the same experiment, on different data.

The gate asks whether two runs on the same users differ (`benchmarks/gating`); here the data have to
differ, and everything that fixes the numbers otherwise has to be the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recbench.benchmarks.records import Cell, Record
from recbench.datasets.foundation import UsageError
from recbench.reports.results import Results

ABSENT = "nothing"  # what stands for a value that is not there

# What is compared: names and values as records have them in JSON, nested or not.
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A key, dotted where it is nested, and what it is in the first run and in the second."""

    key: str
    first: object
    second: object

    def __str__(self) -> str:
        return f"{self.key} differs: {self.first} in the first, {self.second} in the second"


def refuse_mixture(runs: Sequence[Results]) -> None:
    """UsageError, naming two runs and a key, unless all are one experiment on different data."""
    for place, later in enumerate(runs):
        for earlier in runs[:place]:
            _refuse_pair(earlier, later)


def _refuse_pair(earlier: Results, later: Results) -> None:
    """UsageError unless two runs are one experiment on different data.

    Their data must have different digests, and nothing that `_list_differences` looks at may
    differ: how the runs were made, and the hyperparameters of rows that both have.
    """
    pair = f"{earlier.run.directory} and {later.run.directory}"
    difference = next(_list_differences(earlier, later), None)
    if _has_same_data(earlier, later):
        raise UsageError(f"{pair} {_describe_same_data(earlier, difference)}")
    if difference is not None:
        raise UsageError(
            f"{pair} cannot be compared: {difference}. Run one of them again like the other."
        )


def _has_same_data(one: Results, other: Results) -> bool:
    return one.about.data.digest == other.about.data.digest


def _describe_same_data(results: Results, difference: Difference | None) -> str:
    """What to say of two runs with the same digest, whether or not they differ otherwise."""
    described = results.about.data
    data = f"{described.name} (digest {described.digest[:12]})"
    if difference is None:
        return f"are the same run twice: {data}, measured in the same way. Name it once."

    return (
        f"are not two data sets, but {data} measured in two ways: {difference}. Report them one at "
        "a time."
    )


def _list_differences(one: Results, other: Results) -> Iterator[Difference]:
    """First how the runs were made, then row by row; on the same data seeds and rows count too."""
    same_data = _has_same_data(one, other)
    one_design = _describe_design(one, with_seeds=same_data)
    other_design = _describe_design(other, with_seeds=same_data)
    yield from _compare_facts("", one_design, other_design)

    one_rows = _describe_rows(one)
    other_rows = _describe_rows(other)
    if same_data:
        one_names = {"the list of rows": ", ".join(one_rows)}
        other_names = {"the list of rows": ", ".join(other_rows)}
        yield from _compare_facts("", one_names, other_names)

    for row in one_rows:
        if row in other_rows:
            yield from _compare_facts(f"row {row}: ", one_rows[row], other_rows[row])


def _compare_facts(prefix: str, one: Facts, other: Facts) -> Iterator[Difference]:
    """The keys with `prefix` whose values are not equal; nested facts are compared key by key."""
    for key in {**one, **other}:
        first = one.get(key, ABSENT)
        second = other.get(key, ABSENT)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            yield from _compare_facts(f"{prefix}{key}.", first, second)
        elif first != second:
            yield Difference(f"{prefix}{key}", _show(first), _show(second))


def _show(value: object) -> object:
    """An empty text would not be seen in a sentence."""
    return ABSENT if value == "" else value


def _describe_design(results: Results, *, with_seeds: bool) -> Facts:
    """What is the same in all cells of the main split.

    The seeds only where they are to be compared.
    """
    records = [record for row in results.rows for record in row.records]
    cell = records[0].cell
    design: dict[str, Any] = {
        "split": cell.split,
        "n_folds": cell.n_folds,
        "folds": _list_values(records, "fold"),
        "repeats": len({record.cell.split_seed for record in records}),
        "protocol": cell.protocol,
    }
    if with_seeds:
        design["split_seed"] = _list_values(records, "split_seed")
        design["seed"] = _list_values(records, "seed")

    return design


def _list_values(records: Sequence[Record], name: str) -> str:
    """The different values of a field of the cells, in order."""
    values = {getattr(record.cell, name) for record in records}
    return ", ".join(str(value) for value in sorted(values))


def _describe_rows(results: Results) -> dict[str, Facts]:
    """What fixes the numbers of each row that has any."""
    facts = {}
    for row in results.rows:
        cells = [record.cell for record in row.records if record.status == "ok"]
        if cells:
            facts[row.name] = _describe_cell(results, cells[0])
    return facts


def _describe_cell(results: Results, cell: Cell) -> Facts:
    """What fixes the numbers of a cell; of a tuned one not what its search has chosen, but how."""
    facts = {"revision": cell.revision, "libraries": cell.libraries}
    if cell.tuning is None:
        return facts | {"parameters": cell.parameters}

    space = cell.tuning["space"]
    kept = {name: value for name, value in cell.parameters.items() if name not in space}
    return facts | {"parameters": kept, "search": _describe_search(results, cell)}


def _describe_search(results: Results, cell: Cell) -> Facts:
    """How the values of a tuned cell were searched for; a budget of time is no number of trials."""
    searches = [search for search in results.searches if search.row == cell.untuned_row]
    budgets = sorted({search.budget for search in searches})
    tuning = cell.tuning or {}
    search = {name: value for name, value in tuning.items() if name not in ("n_trials", "seed")}
    return search | {"budget": ", ".join(budgets) or str(tuning.get("n_trials"))}

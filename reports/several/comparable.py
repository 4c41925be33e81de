"""Which runs can stand beside each other in one report: the same experiment, on different data,
or two runs on the same data, whose rows are then compared user by user.

The gate asks whether two runs on the same users differ by more than is tolerated
(`benchmarks/gating`); here nothing is tolerated or failed, all is shown.
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


def are_two_of_one_data_set(runs: Sequence[Results]) -> bool:
    """Whether these are two runs on the same ratings."""
    return len(runs) == 2 and _has_same_data(*runs)


def refuse_unlike_pair(first: Results, second: Results) -> None:
    """UsageError, naming the key, unless two runs on the same data asked for the same answers.

    The divisions of the data and the protocol must be equal; hyperparameters, libraries and code
    may differ, for these are what is compared.
    """
    pair = f"{first.run.directory} and {second.run.directory}"
    if first.run.directory.resolve() == second.run.directory.resolve():
        raise UsageError(f"{first.run.directory} is named twice: name two runs, or it once")

    one_design = _describe_design(first, is_pair=True)
    other_design = _describe_design(second, is_pair=True)
    difference = next(_compare_facts("", one_design, other_design), None)
    if difference is not None:
        raise UsageError(
            f"{pair} are two runs on {_name_data(first)}, whose users cannot be compared: "
            f"{difference}. Run one of them again like the other."
        )


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
    if _has_same_data(earlier, later):
        raise UsageError(
            f"{pair} are both runs on {_name_data(earlier)}. Two runs on one data set are compared "
            "user by user in a report of their own: name only these two."
        )
    difference = next(_list_differences(earlier, later), None)
    if difference is not None:
        raise UsageError(
            f"{pair} cannot be compared: {difference}. Run one of them again like the other."
        )


def _has_same_data(one: Results, other: Results) -> bool:
    return one.about.data.digest == other.about.data.digest


def _name_data(results: Results) -> str:
    described = results.about.data
    return f"{described.name} (digest {described.digest[:12]})"


def list_changes(first: Facts, second: Facts) -> list[Difference]:
    """What fixes the numbers of a row and is not the same in two runs, from `describe_rows`."""
    return list(_compare_facts("", first, second))


def _list_differences(one: Results, other: Results) -> Iterator[Difference]:
    """First how the runs were made, then row by row; seeds may differ."""
    one_design = _describe_design(one, is_pair=False)
    other_design = _describe_design(other, is_pair=False)
    yield from _compare_facts("", one_design, other_design)

    one_rows = describe_rows(one)
    other_rows = describe_rows(other)
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


def _describe_design(results: Results, *, is_pair: bool) -> Facts:
    """What is the same in all cells of the main split.

    Of two runs on one data set the seed of the divisions, too, so that they test the same ratings.
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
    if is_pair:
        design["split_seed"] = _list_values(records, "split_seed")

    return design


def _list_values(records: Sequence[Record], name: str) -> str:
    """The different values of a field of the cells, in order."""
    values = {getattr(record.cell, name) for record in records}
    return ", ".join(str(value) for value in sorted(values))


def describe_rows(results: Results) -> dict[str, Facts]:
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

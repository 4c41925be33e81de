"""Which runs can stand beside each other in one report: the same experiment, on different data.

The gate asks whether two runs on the same users differ (`benchmarks/gating`); here the data have to differ, and
everything that fixes the numbers otherwise has to be the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recbench.benchmarks.records import Cell, Record
from recbench.datasets.foundation import UsageError
from recbench.reports.results import Results

Difference = tuple[str, Any, Any]  # a key, and what it is in the one and in the other
ABSENT = "nothing"


def refuse_mixture(runs: Sequence[Results]) -> None:
    """UsageError, naming both directories and the key, unless the runs are one experiment on different data sets."""
    for place, later in enumerate(runs):
        for earlier in runs[:place]:
            pair = f"{earlier.run.directory} and {later.run.directory}"
            difference = next(_differences(earlier, later), None)
            said = _say(difference) if difference else ""
            if earlier.about.data.digest == later.about.data.digest:
                raise UsageError(f"{pair} {_same_data(earlier, said)}")
            if difference:
                raise UsageError(
                    f"{pair} cannot be compared: {said}. Run one of them again like the other."
                )


def _same_data(results: Results, said: str) -> str:
    """What to say of two runs with the same digest."""
    data = f"{results.about.data.name} (digest {results.about.data.digest[:12]})"
    if said:
        return f"are not two data sets, but {data} measured in two ways: {said}. Report them one at a time."
    return f"are the same run twice: {data}, measured in the same way. Name it once."


def _say(difference: Difference) -> str:
    key, one, other = difference
    return f"{key} differs: {one} in the first, {other} in the second"


def _differences(one: Results, other: Results) -> Iterator[Difference]:
    """First how the runs were made, then row by row; rows with a part that is not comparable carry their name."""
    same_data = one.about.data.digest == other.about.data.digest
    yield from _unequal("", _design(one, seeds=same_data), _design(other, seeds=same_data))
    here, there = _fixed(one), _fixed(other)
    if same_data:
        yield from _unequal("", {"rows": ", ".join(here)}, {"rows": ", ".join(there)})
    for row in here:
        if row in there:
            yield from _unequal(f"row {row}: ", here[row], there[row])


def _unequal(prefix: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    """The keys, dotted where they are nested, whose values are not equal."""
    for key in {**one, **other}:
        values = one.get(key, ABSENT), other.get(key, ABSENT)
        if all(isinstance(value, Mapping) for value in values):
            yield from _unequal(f"{prefix}{key}.", *values)
        elif values[0] != values[1]:
            one_, other_ = (ABSENT if value == "" else value for value in values)
            yield f"{prefix}{key}", one_, other_


def _design(results: Results, *, seeds: bool) -> dict[str, Any]:
    """What is the same in all cells of the main split; the seeds only where they are to be compared."""
    records = [record for row in results.rows for record in row.records]
    cell = records[0].cell
    design = {
        "split": cell.split,
        "n_folds": cell.n_folds,
        "folds": _listed(records, "fold"),
        "repeats": len({record.cell.split_seed for record in records}),
        "protocol": cell.protocol,
    }
    if seeds:
        design |= {"split_seed": _listed(records, "split_seed"), "seed": _listed(records, "seed")}
    return design


def _listed(records: Sequence[Record], name: str) -> str:
    return ", ".join(map(str, sorted({getattr(record.cell, name) for record in records})))


def _fixed(results: Results) -> dict[str, dict[str, Any]]:
    """What fixes the numbers of each row that has any."""
    ran = {
        row.name: [record.cell for record in row.records if record.status == "ok"]
        for row in results.rows
    }
    return {name: _of_row(cells[0]) for name, cells in ran.items() if cells}


def _of_row(cell: Cell) -> dict[str, Any]:
    return {"parameters": cell.parameters, "revision": cell.revision, "libraries": cell.libraries}

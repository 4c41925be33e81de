"""The report's answer to how sure its differences are, and what varies with the division and what with the start."""

import itertools
import statistics
from typing import Any

from benchmarks.statistics import LEVEL, holm
from reports import words
from reports.sections import section
from reports.tables import Certainty, Results

Entry = dict[str, str]


@section("Can we tell them apart?")
def certainty(results: Results) -> dict[str, Any]:
    """For the first error and the first ranking metric: intervals, differences to the best, ranks, and neighbours."""
    columns = [column for column in (results.first_error(), results.first_ranking()) if column in results.certainty]
    tables = []
    for column in filter(None, columns):
        found = results.certainty[column]
        entries = [_entry(found, index) for index in found.order]
        tables.append({"column": column, "entries": entries, "neighbours": _neighbours(found)})
    return {"tables": tables, "variances": _variances(results)}


def _entry(found: Certainty, index: int) -> Entry:
    """One row of the table in words: value, interval, and how it stands to the best."""
    boot = found.bootstrap
    low, high = boot.rank_interval(index)
    ranks = f"{low}" if low == high else f"{low} to {high}"
    entry = {
        "row": found.rows[index].name,
        "value": words.number(float(boot.values[index])),
        "interval": words.between(boot.interval(index)),
        "ranks": ranks,
        "first": f"{boot.chance_of_first[index]:.1%}",
        "difference": words.NONE,
        "p": words.NONE,
        "effect": words.NONE,
        "tied": "yes" if index in boot.tied else "no",
    }
    if index != boot.best:
        difference, low_, high_ = boot.difference(index, boot.best)
        entry["difference"] = f"{difference:+.4f} ({low_:+.4f} to {high_:+.4f})"
        entry["p"] = f"{boot.holm[index]:.4f}" if boot.holm[index] >= 0.0001 else "< 0.0001"
        entry["effect"] = f"{boot.effect(index, boot.best):+.2f}"
    return entry


def _neighbours(found: Certainty) -> str:
    """Which rows next to each other in the table cannot be told apart, in words."""
    order, boot = found.order, found.bootstrap
    pairs = list(itertools.pairwise(order))
    if not pairs:
        return "There is only one row."
    adjusted = holm([boot.p_value(one, other) for one, other in pairs])
    alike = [pair for pair, p in zip(pairs, adjusted, strict=True) if p >= LEVEL]
    if not alike:
        return "Every row can be told from its neighbours in this table."
    chains: list[list[int]] = []
    for one, other in alike:
        if chains and chains[-1][-1] == one:
            chains[-1].append(other)
        else:
            chains.append([one, other])
    named = [words.listed(found.rows[index].name for index in chain) for chain in chains]
    return f"Neighbours in this table that cannot be told apart: {'; '.join(named)}."


def _variances(results: Results) -> list[Entry]:
    """With `--repeats`: how much each row's mean varies with the division and with the initialisation."""
    column = results.first_error() or results.first_ranking()
    entries = []
    for row in results.rows:
        if row.initialisations and not row.failures and column:
            by_division = _means(row.records, column, "split_seed")
            first = row.records[0].cell.split_seed
            own = [record for record in row.records if record.cell.split_seed == first]
            by_start = _means((*own, *row.initialisations), column, "seed")
            if by_division and by_start:
                entries.append(
                    {
                        "row": row.name,
                        "column": column,
                        "divisions": f"{statistics.stdev(by_division):.5f} ({len(by_division)})",
                        "starts": f"{statistics.stdev(by_start):.5f} ({len(by_start)})",
                    }
                )
    return entries


def _means(records: "tuple[Any, ...]", column: str, seed: str) -> list[float]:
    """The mean over folds for each value of the cells' `seed`; empty if a fold has none."""
    groups: dict[int, list[float]] = {}
    for record in records:
        value = record.metrics.get(column)
        if value is None:
            return []
        groups.setdefault(getattr(record.cell, seed), []).append(value)
    return [statistics.fmean(values) for values in groups.values()]

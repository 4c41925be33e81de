"""The report's answer to how sure its differences are, and what varies with the division and what with the start."""

import itertools
import statistics
from typing import Any

import numpy as np

from recbench.benchmarks.certainty import LEVEL, longest_alike_groups
from recbench.benchmarks.splits import is_seeded
from recbench.reports import words
from recbench.reports.drawing import differences
from recbench.reports.drawing import picture as figures
from recbench.reports.results import Certainty, Results
from recbench.reports.sections.registry import headlines, section, titled

Entry = dict[str, str]


@section("Can we tell them apart?")
def certainty(results: Results) -> dict[str, Any]:
    """For the headline columns: who cannot be told apart, all pairs, ranks, and each row against the best."""
    tables, unknown = [], []
    for column in headlines(results):
        if column not in results.certainty:
            unknown.append({"column": column, "why": results.unknown(column)})
        else:
            found = results.certainty[column]
            absent = [
                row.name
                for row in results.contestants
                if row not in found.rows and row.mean(column) is not None
            ]
            entries = [_entry(found, index) for index in found.order]
            table: dict[str, Any] = {"column": column, "entries": entries, "absent": absent}
            tables.append(
                table | {"neighbours": _neighbours(found)} | _pairs(results, found, column)
            )
    return {"tables": tables, "unknown": unknown, "variances": _variances(results)}


def _pairs(results: Results, found: Certainty, column: str) -> dict[str, Any]:
    """The matrix of differences and its picture, and that of the ranks; None where there is only one row."""
    if len(found.rows) < 2:
        return {"matrix": None}
    shown, all_rows = differences.matrix(found, column), len(found.rows)
    best = (
        f"best {len(shown.names)} of {all_rows} rows" if len(shown.names) < all_rows else "all rows"
    )
    title = titled(results, f"Differences in {column}, {best}")
    ranks = titled(results, f"Ranks by {column}")
    return {
        "matrix": shown,
        "picture": figures.Picture(
            f"differences-{words.slug(column)}",
            f"Matrix of differences. {title}. {_neighbours(found)}",
            lambda: differences.draw_matrix(shown, title),
        ),
        "ranks": figures.Picture(
            f"ranks-{words.slug(column)}",
            f"Rank intervals. {ranks}. The table has the same numbers.",
            lambda: differences.draw_ranks(found, ranks),
        ),
    }


def _entry(found: Certainty, index: int) -> Entry:
    """One row of the table in words: value, interval, and how it stands to the best."""
    boot = found.bootstrap
    entry = {
        "row": found.rows[index].name,
        "value": words.number(float(boot.values[index])),
        "interval": words.between(boot.interval(index)),
        "ranks": words.span(boot.rank_interval(index)),
        "first": f"{boot.chance_of_first[index]:.1%}",
        "difference": words.NONE,
        "p": words.NONE,
        "effect": words.NONE,
        "tied": "yes" if index in boot.tied_with_best else "no",
    }
    if index != boot.best_row:
        difference, low_, high_ = boot.difference(index, boot.best_row)
        bounds = f"{words.signed(low_)} to {words.signed(high_)}"
        entry["difference"] = f"{words.signed(difference)} ({bounds})"
        entry["p"] = words.chance(boot.p_values_against_best[index])
        entry["effect"] = words.effect(boot.effect_size(index, boot.best_row))
    return entry


def _neighbours(found: Certainty) -> str:
    """How many pairs, and which groups of neighbours in the table, cannot be told apart, in words."""
    order, apart = found.order, found.bootstrap.pairwise_p_values
    if len(order) < 2:
        return f"Nothing is there to compare {found.rows[0].name} with."
    pairs = [apart[one, other] >= LEVEL for one, other in itertools.combinations(order, 2)]
    if not any(pairs):
        return "Every row can be told from every other."
    said = f"Of {words.count(len(pairs), 'pair')} of rows, {sum(pairs):,} cannot be told apart."
    groups = longest_alike_groups(apart[np.ix_(order, order)] >= LEVEL)
    if not groups:
        return f"{said} Every row can be told from its neighbours in this table."
    named = [
        words.listed(found.rows[place].name for place in order[first : last + 1])
        for first, last in groups
    ]
    return f"{said} Neighbours in this table of which no two can be told apart: {'; '.join(named)}."


def _variances(results: Results) -> list[Entry]:
    """With `--repeats`: how much each row's mean varies with the division and with the initialisation."""
    entries = []
    for row in results.rows:
        column = next((name for name in headlines(results) if row.mean(name) is not None), None)
        if row.initialisations and column:
            by_division = _means(row.records, column, "split_seed")
            first = row.records[0].cell.split_seed
            own = [record for record in row.records if record.cell.split_seed == first]
            by_start = _means((*own, *row.initialisations), column, "seed")
            if by_division and by_start:
                several = is_seeded(row.records[0].cell.split)
                entries.append(
                    {
                        "row": row.name,
                        "column": column,
                        "divisions": _deviation(by_division)
                        if several
                        else "the split has no other division",
                        "starts": _deviation(by_start),
                    }
                )
    return entries


def _deviation(means: list[float]) -> str:
    return (
        f"{statistics.stdev(means):.5f} ({len(means)})" if len(means) > 1 else f"{words.NONE} (1)"
    )


def _means(records: "tuple[Any, ...]", column: str, seed: str) -> list[float]:
    """The mean over folds for each value of the cells' `seed`; empty if a fold has none."""
    groups: dict[int, list[float]] = {}
    for record in records:
        value = record.metrics.get(column)
        if value is None:
            return []
        groups.setdefault(getattr(record.cell, seed), []).append(value)
    return [statistics.fmean(values) for values in groups.values()]

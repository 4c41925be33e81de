"""The report's answer to whom the numbers hold for: active and inactive users, popular and obscure items."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from recbench.benchmarks.evaluation import RANKING_METRICS, Slice
from recbench.benchmarks.metrics import find_metric
from recbench.reports import words
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section

RECOMMENDED = "recommended"
ALL_KINDS = {
    "users": ("least active", "user"),
    "items": ("head", "item"),
}  # the telling group, and one of them


@dataclass(frozen=True)
class Group:
    """One group of users or items: the entries of all folds of every row that has all of them."""

    name: str
    entries: dict[str, list[Slice]]  # by row

    @property
    def folds(self) -> list[Slice]:
        """The entries of one row; what is said of the group itself is the same in all rows."""
        return next(iter(self.entries.values()))

    def mean(self, row: str, column: str) -> float | None:
        """The mean over all folds; None if a fold has no value."""
        values = [entry.value(column) for entry in self.entries.get(row, [])]
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if known and len(known) == len(values) else None

    @property
    def borders(self) -> str:
        """Such as `1 to 20 training ratings`; where folds differ, the widest range."""
        lowest = min(entry.lowest for entry in self.folds if entry.lowest is not None)
        highest = max(entry.highest for entry in self.folds if entry.highest is not None)
        if not highest:
            return "no training rating"
        return (
            f"{lowest:,} to {highest:,} training ratings"
            if lowest < highest
            else words.count(lowest, "rating")
        )

    def counts(self, one: str) -> str:
        """Such as `315 users, 4,668 test ratings a fold`."""
        sizes = [entry.size for entry in self.folds]
        tested = [entry.n_test for entry in self.folds]
        size, n_test = round(statistics.fmean(sizes)), round(statistics.fmean(tested))
        about = "" if min(sizes) == max(sizes) and min(tested) == max(tested) else "on average "
        return f"{about}{words.count(size, one)}, {words.count(n_test, 'test rating')} a fold"


@section("For whom?")
def slices(results: Results) -> dict[str, Any] | None:
    """Per kind of group: a sentence, and tables of the headline error and ranking metric, rows by groups."""
    whole = [
        row
        for row in results.rows
        if not row.failures and all(record.slices for record in row.records)
    ]
    if not whole:
        return None
    kinds = [{"kind": kind, **_kind(results, whole, kind)} for kind in ALL_KINDS]
    shown = {table["column"] for kind in kinds for table in kind["tables"]} - {
        RECOMMENDED,
        *results.columns,
    }
    return {
        "kinds": kinds,
        "definitions": [(column, find_metric(column).definition) for column in sorted(shown)],
    }


def _kind(results: Results, whole: list[Row], kind: str) -> dict[str, Any]:
    """What is said and shown of users, or of items."""
    groups = _groups(whole, kind)
    one = ALL_KINDS[kind][1]
    error, ranking = _columns(results)
    wanted = error, ranking if kind == "users" else RECOMMENDED
    shown = [column for column in wanted if _known(whole, groups, column)]
    heads = [
        {"name": group.name, "borders": group.borders, "counts": group.counts(one)}
        for group in groups
    ]
    tables = [
        {
            "column": column,
            "title": f"share of the first {ranking.rpartition('@')[2]} places"
            if column == RECOMMENDED
            else column,
            "lines": [
                _line(row, groups, column, with_fallback=column == error) for row in results.rows
            ],
        }
        for column in shown
    ]
    say = _on_users if kind == "users" else _on_items
    return {"heads": heads, "tables": tables, "sentence": say(results, groups, shown)}


def _groups(whole: list[Row], kind: str) -> list[Group]:
    """The groups that are not empty in every fold, in the records' order."""
    names = [entry.group for entry in whole[0].records[0].slices if entry.kind == kind]

    def entries(row: Row, name: str) -> list[Slice]:
        return [
            e for record in row.records for e in record.slices if (e.kind, e.group) == (kind, name)
        ]

    groups = [Group(name, {row.name: entries(row, name) for row in whole}) for name in names]
    return [group for group in groups if any(entry.size for entry in group.folds)]


def _columns(results: Results) -> tuple[str, str]:
    """The headline error and the headline ranking metric, or what the slices have in their place."""
    error, ranking = results.first_error() or "", results.first_ranking() or ""
    known = [f"{name}@{results.about.protocol['ks'][0]}" for name in RANKING_METRICS]
    return (error if error in ("rmse", "mae") else "rmse"), (
        ranking if ranking in known else known[-1]
    )


def _known(whole: list[Row], groups: list[Group], column: str) -> bool:
    return any(group.mean(row.name, column) is not None for row in whole for group in groups)


def _line(row: Row, groups: list[Group], column: str, *, with_fallback: bool) -> dict[str, Any]:
    """A row of a table: means in words and, below an error, which share of it is that of the training mean."""
    cells = []
    for group in groups:
        value, fallback = group.mean(row.name, column), group.mean(row.name, "fallback")
        note = (
            f"{fallback:.1%} fallback" if with_fallback and value is not None and fallback else ""
        )
        text = (
            words.NONE
            if value is None
            else f"{value:.1%}"
            if column == RECOMMENDED
            else words.number(value)
        )
        cells.append({"text": text, "note": note})
    absent = (
        "" if row.failures or any(row.name in group.entries for group in groups) else "not recorded"
    )
    return {"row": row.name, "failure": row.failure or absent, "cells": cells}


def _extreme(
    rows: Sequence[Row], value: Callable[[Row], float | None], *, highest: bool
) -> tuple[list[str], float] | None:
    """The names of the rows with the highest or lowest value, and the value; None if no row has one."""
    known = [(found, row.name) for row in rows if (found := value(row)) is not None]
    if not known:
        return None
    best = max(known)[0] if highest else min(known)[0]
    return [name for found, name in known if found == best], best


def _on_users(results: Results, groups: list[Group], shown: list[str]) -> str:
    """Who is best for the least active users, and whether that is who is best over all."""
    telling = next((group for group in groups if group.name == ALL_KINDS["users"][0]), None)
    if telling is None or not shown:
        return ""
    column = shown[0]
    highest = find_metric(column).better == "higher"
    best = _extreme(
        results.contestants, lambda row: telling.mean(row.name, column), highest=highest
    )
    if best is None:
        return ""
    names, value = best
    where = f"for the {telling.name} users ({telling.borders})"
    if len([row for row in results.contestants if telling.mean(row.name, column) is not None]) == 1:
        return f"{names[0]} has a mean {column} of {words.number(value)} {where}."
    extreme, best_rows = "Highest" if highest else "Lowest", words.listed(names)
    said = f"{extreme} mean {column} {where}: {best_rows} ({words.number(value)})"
    overall = [row.name for row in results.best(column)]
    return (
        f"{said}, as over all users."
        if overall == names
        else f"{said}; over all users: {words.listed(overall)}."
    )


def _on_items(results: Results, groups: list[Group], shown: list[str]) -> str:
    """Who recommends the most popular items most, and who least."""
    head = next((group for group in groups if group.name == ALL_KINDS["items"][0]), None)
    if head is None or RECOMMENDED not in shown:
        return ""
    most, least = (
        _extreme(results.contestants, lambda row: head.mean(row.name, RECOMMENDED), highest=highest)
        for highest in (True, False)
    )
    if most is None or least is None:
        return ""
    share = words.percent(
        statistics.fmean(entry.size for entry in head.folds), results.about.data.items
    )
    said = f"The head is {share} of the items and gets {most[1]:.1%} of the recommendations of {words.listed(most[0])}"
    return (
        f"{said}."
        if most[1] == least[1]
        else f"{said}, {least[1]:.1%} of those of {words.listed(least[0])}."
    )

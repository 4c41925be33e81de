"""The report's warning about random splits of timed ratings, and what another split says."""

from typing import Any

from scipy.stats import kendalltau

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.splits import order_in_time
from recbench.reports import words
from recbench.reports.results import Results
from recbench.reports.sections.registry import headlines, section


@section("Does the split matter?")
def division(results: Results) -> dict[str, Any] | None:
    """A note where times are known but not respected; with `--also-split`, every row's place under both splits."""
    main = results.records[0].cell.split
    is_random = order_in_time(main) == "none" and results.about.data.timed
    other = next((row.also[0].cell.split for row in results.rows if row.also), None)
    if not is_random and other is None:
        return None
    tables = [_table(results, column) for column in headlines(results)] if other else []
    cold = _cold(results) if other else ""
    n_means = sum(
        any(row.elsewhere.mean(c) is not None for c in results.columns)
        for row in results.contestants
    )
    return {
        "is_random": is_random,
        "main": main,
        "other": other,
        "tables": tables,
        "cold": cold,
        "n_rows": len(results.contestants),
        "n_means": n_means,
    }


def _table(results: Results, column: str) -> dict[str, Any]:
    """The rows that have a mean under both splits, best first, with both ranks, and how far the orders agree."""
    both = [(row, row.mean(column), row.elsewhere.mean(column)) for row in results.contestants]
    known = [
        (row, here, there) for row, here, there in both if here is not None and there is not None
    ]
    loss = find_metric(column).loss
    known.sort(key=lambda entry: loss(entry[1]))
    there_order = sorted(range(len(known)), key=lambda i: loss(known[i][2]))
    entries = [
        {
            "row": row.name,
            "here": words.number(here),
            "there": words.number(there),
            "rank_here": str(place + 1),
            "rank_there": str(there_order.index(place) + 1),
        }
        for place, (row, here, there) in enumerate(known)
    ]
    if len(known) < 2:
        agreement = "With fewer than two rows there is no order to compare."
    else:
        tau = kendalltau(
            [loss(here) for _, here, _ in known], [loss(there) for _, _, there in known]
        ).statistic
        agreement = f"Kendall's tau between the two orders of rows: {tau:.2f} (1: the same, 0: unrelated, -1: reversed)."
    return {"column": column, "entries": entries, "agreement": agreement}


def _cold(results: Results) -> str:
    """How many users and items of the other split's test part have no training rating."""
    for row in results.rows:
        for record in row.also:
            fold = record.fold
            if fold is not None and None not in (fold.cold_users, fold.cold_items):
                users = words.count(fold.cold_users or 0, "user")
                items = words.count(fold.cold_items or 0, "item")
                share = words.percent(fold.cold_ratings or 0, fold.test)
                return f"{share} of its test ratings belong to {users} and {items} without any training rating."
    return ""

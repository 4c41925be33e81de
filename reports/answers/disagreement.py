"""Whether two splits of a run order its rows differently, and which part cold starts play in it."""

import statistics
from collections.abc import Iterator

from recbench.benchmarks.metrics import find_metric
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.answers.cold_starts import (
    Division,
    OrderComparison,
    TwoMeans,
    compare_orders,
    main_division,
    other_division,
)
from recbench.reports.answers.headlines import headline_columns
from recbench.reports.results import Results, Row

# Whom an algorithm that has learned something beats: a ranking metric, or an error.
BASELINES = {"ranking": "popularity", "rating": "global-mean"}

# From which share of the disagreement on, gone among warm users, cold starts are called its cause.
MOST_OF_IT = 0.5


def compare_splits(results: Results) -> list[OrderComparison]:
    """The headline columns in which any row has a mean under both splits."""
    other = other_division(results)
    if other is None:
        return []

    main = main_division(results)
    comparisons = [compare_orders(main, other, column) for column in headline_columns(results)]
    return [comparison for comparison in comparisons if comparison.rows]


def describe_disagreements(results: Results) -> list[str]:
    """One text for each headline column whose rows the two splits of a run order differently.

    It says which part cold starts play. Empty without another split, and where the orders agree.
    """
    texts = []
    for comparison in compare_splits(results):
        texts += describe_disagreement(comparison)
    return texts


def describe_disagreement(comparison: OrderComparison) -> list[str]:
    """That the splits order the rows differently, and which part cold starts play; in one text.

    Nothing where they agree.
    """
    if not comparison.disagrees or comparison.tau is None:
        return []

    best = comparison.rows[0]
    main = comparison.main.split
    other = comparison.other.split
    n_rows = len(comparison.rows)
    text = (
        f"The splits {main} and {other} order the rows differently in "
        f"{words.field_name(comparison.column)} (Kendall's tau {comparison.tau:.2f})"
    )
    other_rank = comparison.rank_in_other(best)
    if other_rank > 1:
        text += f": {best.name} falls from rank 1 to {other_rank} of {n_rows}"

    sentences = [f"{text}.", *_describe_share_of_cold(comparison)]
    sentences += _describe_warm_order(comparison, best)
    return [" ".join(sentences)]


def _describe_share_of_cold(comparison: OrderComparison) -> Iterator[str]:
    """How much of what the other split tests is cold; nothing in early records."""
    other = comparison.other
    ratings = other.ratings
    if not ratings.n_all:
        return

    text = f"{ratings.share:.0%} of the ratings that {other.split} tests are cold"
    text += " (their user or item has no training rating)"
    if comparison.warm_column is None:
        if ratings.share < MOST_OF_IT:
            text += ", so that cold starts are not the reason"
    elif find_metric(comparison.column).kind == "ranking":
        users = other.ranked_users
        text += f", and so are {users.n_cold:,} of its {words.count(users.n_all, 'ranked user')}"
    yield f"{text}."


def _describe_warm_order(comparison: OrderComparison, best: TwoMeans) -> Iterator[str]:
    """Which order the rows have without cold starts, and whether that is the main one."""
    warm_tau = comparison.warm_tau
    warm_rank = comparison.rank_in_warm(best)
    if comparison.tau is None or warm_tau is None or warm_rank is None:
        return

    is_ranking = find_metric(comparison.column).kind == "ranking"
    members = "users" if is_ranking else "ratings"
    text = f"Among warm {members} {best.name} is at rank {warm_rank}"
    text += _compare_with_baseline(comparison, best)
    yield f"{text}."

    undone = (warm_tau - comparison.tau) / (1 - comparison.tau)
    if undone >= MOST_OF_IT:
        judgement = "so most of the disagreement comes from cold starts"
    elif undone > 0:
        judgement = "so a part of the disagreement comes from cold starts"
    else:
        judgement = "so the disagreement does not come from cold starts"
    main = comparison.main.split
    yield f"Their order has a tau of {warm_tau:.2f} to that of {main}, {judgement}."


def _compare_with_baseline(comparison: OrderComparison, best: TwoMeans) -> str:
    """Whether the best row still beats the baseline among the warm, and in which groups of users.

    Empty if it is the baseline itself, or if there is none.
    """
    column = comparison.warm_column
    name = BASELINES[find_metric(comparison.column).kind]
    baseline = next((row for row in comparison.rows if row.name == name), None)
    if column is None or baseline is None or baseline is best:
        return ""
    if best.warm_mean is None or baseline.warm_mean is None:
        return ""

    loss = find_metric(column).loss
    difference = _find_difference(comparison.other, column, best.other, baseline.other)
    means = f"{words.number(best.warm_mean)} against {words.number(baseline.warm_mean)}"
    if loss(best.warm_mean) >= loss(baseline.warm_mean):
        text = f" and does not beat {name} ({means}"
    elif difference is None or difference[0] <= 0 <= difference[1]:
        text = f" and still lies before {name}, by chance or not ({means}"
    else:
        text = f" and still beats {name} ({means}"
    if difference is not None:
        low, high = difference
        text += f"; 95 % interval of the difference {words.signed(low, difference)} to "
        text += words.signed(high, difference)
    text += ")"

    n_better, n_groups = _count_groups_won(comparison, best, baseline)
    if n_groups > 1 and n_better == n_groups:
        text += f", in all {n_groups} groups of them by activity"
    elif n_groups > 1:
        text += f", in {n_better} of {n_groups} groups of them by activity"
    return text


def _find_difference(division: Division, column: str, row: Row, other: Row) -> Bounds | None:
    """The 95 % interval over users of the difference of two rows; None where it is not known."""
    certainty = division.certainty(column)
    difference = certainty.difference(row, other) if certainty else None
    if difference is None:
        return None
    _, low, high = difference
    return low, high


def _count_groups_won(
    comparison: OrderComparison, best: TwoMeans, baseline: TwoMeans
) -> tuple[int, int]:
    """In how many groups of warm users by activity the best row is better, and of how many.

    (0, 0) where groups have no mean of this column, such as an error, which is over ratings.
    """
    if find_metric(comparison.column).kind != "ranking":
        return 0, 0

    loss = find_metric(comparison.column).loss
    own = _mean_by_group(best.other, comparison.column)
    others = _mean_by_group(baseline.other, comparison.column)
    groups = own.keys() & others.keys()
    n_better = sum(loss(own[group]) < loss(others[group]) for group in groups)
    return n_better, len(groups)


def _mean_by_group(row: Row, column: str) -> dict[str, float]:
    """The mean over the folds in each group of warm users by activity that all folds have."""
    values_by_group: dict[str, list[float]] = {}
    for record in row.records:
        for group in record.slices:
            value = group.value(column)
            if group.kind == "users" and group.group != "cold" and value is not None:
                values_by_group.setdefault(group.group, []).append(value)
    return {
        group: statistics.fmean(values)
        for group, values in values_by_group.items()
        if len(values) == len(row.records)
    }

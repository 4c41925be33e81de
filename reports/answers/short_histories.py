"""Whether another row leads for new users of whom little is told."""

import statistics

from recbench.benchmarks.certainty import level_by_name
from recbench.benchmarks.evaluation import Slice
from recbench.benchmarks.metrics import find_metric
from recbench.reports import words
from recbench.reports.answers.headlines import headline_columns
from recbench.reports.results import Results, Row

FEWEST_TOLD = "least active"  # the group of users with the shortest histories


def describe_short_histories(results: Results) -> list[str]:
    """A sentence for each headline column in which another row than the best over all leads for the
    third of the new users with the fewest told ratings. None where no user is new.
    """
    sentences = []
    for column in headline_columns(results):
        sentence = _compare_leaders(results, column)
        if sentence:
            sentences.append(sentence)
    return sentences


def _compare_leaders(results: Results, column: str) -> str:
    """Empty if the best over all leads there too, or if the records do not say."""
    metric = find_metric(column)
    means = {}
    for row in results.compared:
        mean = _mean_of_group(row, column)
        if mean is not None:
            means[row.name] = mean

    best = [row.name for row in results.best(column)]
    if not means or best[0] not in means:
        return ""
    loss_by_row = level_by_name({name: metric.loss(mean) for name, mean in means.items()})
    leader = min(loss_by_row, key=lambda name: loss_by_row[name])
    if loss_by_row[leader] == loss_by_row[best[0]]:
        return ""

    told = [part for row in results.compared for part in _groups_of(row)]
    lowest = min(part.lowest or 0 for part in told)
    highest = max(part.highest or 0 for part in told)
    return (
        f"For the third of the users with the fewest told ratings "
        f"({words.span([lowest, highest])}), {leader} leads "
        f"in {words.field_name(column)}, {words.number(means[leader])} against "
        f"{words.number(means[best[0]])} of {best[0]}; whether by chance is not tested."
    )


def _mean_of_group(row: Row, column: str) -> float | None:
    """The mean over the folds; None if a fold has no value."""
    values = [part.value(column) for part in _groups_of(row)]
    known = [value for value in values if value is not None]
    if len(known) < len(row.records):
        return None
    return statistics.fmean(known)


def _groups_of(row: Row) -> list[Slice]:
    """The group of each fold, as far as it counts what is told of users."""
    return [
        part
        for record in row.records
        for part in record.slices
        if part.group == FEWEST_TOLD and part.counted == "told"
    ]

"""Who is best, at what, and how sure that is: the answers of a report's first screen.

Each claim is computed from the records, whatever became of the cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import NOT_MEASURED_HERE, PHASES
from recbench.reports import words
from recbench.reports.answers.headlines import primary_column
from recbench.reports.results import Results, Row

# How much worse than the best mean a row may be to count as good value, as a share of the mean.
VALUE_TOLERANCE = 0.01
MOST_NAMES = 4  # of a list of rows; the others are counted
SAME = 1e-6  # what rounding makes of equal errors, as a share

RATINGS = "Best at predicting ratings"
VALUE = "Best value"
NOBODY = "no answer"


@dataclass(frozen=True)
class Claim:
    """The answer to a question: which rows, what they reach, and how it stands to the others.

    `rows` is empty where the records name nobody, and then `remark` says why.
    """

    question: str
    column: str
    rows: tuple[Row, ...]
    value: str
    remark: str

    @property
    def winner(self) -> str:
        """The names of the rows, or that there are none."""
        return list_briefly(self.rows) if self.rows else NOBODY


def list_claims(results: Results) -> list[Claim]:
    """Best for ratings, best for top lists and best value, as far as the run has such columns."""
    claims = []
    error = results.first_error()
    if error is not None:
        claims.append(_claim_best(results, error, name_best(error)))

    ranking = results.first_ranking()
    if ranking is not None:
        claims.append(_claim_best(results, ranking, name_best(ranking)))

    column = primary_column(results)
    if column is not None:
        claims.append(_claim_value(results, column))
    return claims


def name_best(column: str) -> str:
    """`Best at predicting ratings` of an error, `Best at top-10 lists` of a cutoff of 10."""
    if find_metric(column).better == "lower":
        return RATINGS
    _, _, cutoff = column.partition("@")
    return f"Best at top-{cutoff} lists" if cutoff else "Best at ranking"


def list_briefly(rows: Sequence[Row], most: int = MOST_NAMES) -> str:
    """The names of the first rows, and how many others there are: `a, b, c and 5 more`."""
    return list_names([row.name for row in rows], most)


def list_names(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """The first names, and how many others there are: `a, b, c and 5 more`."""
    shown = list(names)
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} more"]
    return words.listed(shown)


def _value_with_interval(results: Results, row: Row, column: str) -> str:
    """Such as `nDCG@10 0.4332 [0.4186, 0.4477]`; without an interval where that is not known."""
    bounds = words.interval(results, row, column)
    text = f"{words.field_name(column)} {words.number(row.mean(column), bounds)}"
    return text if bounds is None else f"{text} {words.bracketed(bounds)}"


def _claim_best(results: Results, column: str, question: str) -> Claim:
    """The rows with the best mean of `column`, and which others might as well be the best."""
    reason = results.hidden_by(column)
    if reason:
        remark = f"These data name no best row in {words.field_name(column)}: {reason}."
        return Claim(question, column, (), "", remark)

    best = results.best(column)
    if not best:
        remark = f"No row has a mean {words.field_name(column)}."
        return Claim(question, column, (), "", remark)

    remarks = [_compare_best_with_others(results, column)]
    remarks += _compare_best_with_constant(results, column)
    value = _value_with_interval(results, best[0], column)
    return Claim(question, column, tuple(best), value, " ".join(filter(None, remarks)))


def _compare_best_with_others(results: Results, column: str) -> str:
    """Which rows are not significantly different from the best, as far as answers tell."""
    best = results.best(column)
    known = [row for row in results.contestants if row.mean(column) is not None]
    others = [row for row in known if row not in best]
    if len(known) == 1:
        return "The only row with a mean: there is nothing to compare it with."
    if not others:
        return "All rows have this mean."
    if column not in results.certainty:
        return f"How sure that is, is not known: {results.unknown(column)}."

    tested = results.certainty[column].rows
    if best[0] not in tested:
        missing = f"raw answers of {best[0].name} are missing"
        return f"How sure that is, is not known: {missing}."

    near = results.near(column)
    untested = [row for row in others if row not in tested]
    remark = "Every other row is significantly worse."
    if near:
        remark = f"Not significantly different: {list_briefly(near)}."
    elif untested:
        n_tested = len(others) - len(untested)
        remark = f"Significantly better than the {words.count(n_tested, 'row')} tested."
        if not n_tested:
            remark = "No other row could be tested."
    if untested:
        remark += f" Not tested, because raw answers are missing: {list_briefly(untested)}."
    return remark


def _compare_best_with_constant(results: Results, column: str) -> list[str]:
    """A warning where even the best error is not below that of predicting the mean rating."""
    constant = results.constant_error(column)
    error = results.best(column)[0].mean(column)
    if constant is None or error is None or error < constant * (1 - SAME):
        return []
    return [f"No better than always predicting the mean rating ({words.number(constant)})."]


def _claim_value(results: Results, column: str) -> Claim:
    """The cheapest row, by the time of all phases, whose mean is within 1 % of the best."""
    best = results.best(column)
    if not best:
        remark = f"No row has a mean {words.field_name(column)}."
        return Claim(VALUE, column, (), "", remark)

    within = list_within_tolerance(results, column)
    timed = [row for row in within if row.seconds(*PHASES) is not None]
    if not timed:
        remark = f"No row within {VALUE_TOLERANCE:.0%} of the best has a time."
        remark += "".join(f" {sentence}" for sentence in _name_external(within))
        return Claim(VALUE, column, (), "", remark)

    cheapest = min(timed, key=_total_seconds)
    value = _value_with_interval(results, cheapest, column)
    value += f" in {words.duration(_total_seconds(cheapest))}"
    remarks = [_compare_value_with_best(results, column, cheapest, within)]
    remarks += _name_faster_row(results, column, cheapest)
    remarks += _name_external(within)
    if any(row.contended for row in timed):
        remarks.append("Times are contended.")
    return Claim(VALUE, column, (cheapest,), value, " ".join(remarks))


def _name_external(rows: Sequence[Row]) -> list[str]:
    """That the times of rows from files are not known, so that none of them can be the cheapest."""
    external = [row for row in rows if row.is_external]
    if not external:
        return []
    return [f"{NOT_MEASURED_HERE.capitalize()}, so left out: {list_briefly(external)}."]


def list_within_tolerance(results: Results, column: str) -> list[Row]:
    """The contestants whose mean is at most `VALUE_TOLERANCE` of the best mean worse than it."""
    metric = find_metric(column)
    best_mean = results.best(column)[0].mean(column) or 0.0
    limit = metric.loss(best_mean) + VALUE_TOLERANCE * abs(best_mean)
    within = []
    for row in results.contestants:
        mean = row.mean(column)
        if mean is not None and metric.loss(mean) <= limit:
            within.append(row)
    return within


def _total_seconds(row: Row) -> float:
    """The mean over the folds of all phases together, of a row that was timed."""
    seconds = row.seconds(*PHASES)
    assert seconds is not None, "only rows with a time are compared by it"
    return seconds


def _compare_value_with_best(
    results: Results, column: str, cheapest: Row, within: Sequence[Row]
) -> str:
    """Among how many rows it is the cheapest, and how it stands to the best."""
    best = results.best(column)
    margin = f"{100 * VALUE_TOLERANCE:g} %"
    if len(within) == 1:
        if len([row for row in results.contestants if row.mean(column) is not None]) == 1:
            return "The only row."
        return f"No other row is within {margin} of the best."

    n_timed = len([row for row in within if row.seconds(*PHASES) is not None])
    chosen = f"The cheapest of the {n_timed} rows within {margin} of the best"
    if n_timed == 1:
        chosen = f"The only row with a time within {margin} of the best"
    if cheapest in best:
        return f"{chosen}, and the best itself."

    gap = _relative_gap(best[0].mean(column) or 0.0, cheapest.mean(column) or 0.0)
    remark = f"{chosen}: {gap} worse than {best[0].name}"
    seconds = best[0].seconds(*PHASES)
    if seconds:
        remark += f" in {_share_of_time(_total_seconds(cheapest), seconds)}"
    if column in results.certainty and best[0] in results.certainty[column].rows:
        is_near = cheapest in results.near(column)
        verdict = "not significantly" if is_near else "significantly"
        if cheapest in results.certainty[column].rows:
            remark += f", {verdict} different"
    return f"{remark}."


def _relative_gap(best: float, mean: float) -> str:
    """How far a mean is from the best one, in percent of it."""
    gap = abs(mean - best)
    if not best:
        return words.number(gap)
    return words.share_of_best(gap / abs(best))


def _share_of_time(seconds: float, whole: float) -> str:
    """`12 % of its time`, or `3.1 times its time` where that is longer."""
    ratio = seconds / whole
    if ratio > 1:
        return f"{ratio:.2g} times its time"
    return f"{100 * ratio:.2g} % of its time"


def _name_faster_row(results: Results, column: str, cheapest: Row) -> list[str]:
    """The best of the rows that are faster still, with what it loses; none if nobody is faster."""
    metric = find_metric(column)
    seconds = _total_seconds(cheapest)
    faster = []
    for row in results.contestants:
        time = row.seconds(*PHASES)
        mean = row.mean(column)
        if time is not None and mean is not None and time < seconds:
            faster.append((metric.loss(mean), row))
    if not faster:
        return []

    _, row = min(faster, key=lambda pair: pair[0])
    best_mean = results.best(column)[0].mean(column) or 0.0
    gap = _relative_gap(best_mean, row.mean(column) or 0.0)
    duration = words.duration(_total_seconds(row))
    return [f"Faster, and {gap} worse than the best: {row.name}, {duration}."]

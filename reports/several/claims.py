"""Who is best on several data sets, how sure that is, and what to be wary of: the answers of the
first screen, and the same as lines of a terminal.

A winner is named only where the data sets agree: see `RULE`.
"""

from dataclasses import dataclass

from recbench.benchmarks.gating import suspect_rows
from recbench.benchmarks.metrics import find_metric
from recbench.datasets.foundation import Bounds
from recbench.reports import words
from recbench.reports.answers import (
    VALUE,
    VALUE_TOLERANCE,
    Caution,
    list_names,
    name_best,
    write_answer,
    write_cautions,
)
from recbench.reports.several import words as comparison_words
from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.critical_difference import critical_difference
from recbench.reports.several.standings import (
    Standing,
    share_of_fallbacks,
)

RULE = (
    "A row is named best only where the data sets agree: it has the best mean on every one, or it "
    "is the only row that is on every one the best or not significantly different from it (paired "
    "bootstrap over the users of each data set, all pairs of rows tested, 5 %). Else no row is "
    "named, whatever its mean rank."
)
NOBODY = "no winner"
MOST_ROWS = 10


@dataclass(frozen=True)
class LeagueClaim:
    """The answer to a question about all data sets; `names` is empty where nobody is named.

    The `remark` says why, or how the named rows stand to the others.
    """

    question: str
    column: str
    names: tuple[str, ...]
    value: str
    remark: str

    @property
    def winner(self) -> str:
        """The names of the rows, or that there are none."""
        return list_names(self.names) if self.names else NOBODY


@dataclass(frozen=True)
class LeagueRow:
    """A row with its mean rank, between which it lies, and how it stands; `seconds` are the
    geometric mean over the data sets of those of a fold.
    """

    standing: Standing
    mean_rank: float
    bounds: Bounds | None
    seconds: float | None
    is_named: bool

    @property
    def name(self) -> str:
        """The name of the row."""
        return self.standing.name

    @property
    def counts(self) -> str:
        """On how many data sets it has won, tied and is behind: `2–1–1`."""
        counts = [self.standing.count(outcome) for outcome in ("won", "tied", "behind")]
        return "–".join(str(count) for count in counts)


def list_league_claims(comparison: DatasetComparison) -> list[LeagueClaim]:
    """Best for ratings, best for top lists and best value, as far as runs share such columns."""
    claims = [claim_best(comparison, column) for column in comparison.headline.values()]
    column = primary_column(comparison)
    if column is not None:
        claims.append(_claim_value(comparison, column))
    return claims


def primary_column(comparison: DatasetComparison) -> str | None:
    """What most readers come for: the first ranking, or else the first error."""
    headline = comparison.headline
    return headline.get("ranking", headline.get("error"))


def claim_best(comparison: DatasetComparison, column: str) -> LeagueClaim:
    """Which row is best by a column on all data sets, if they agree."""
    question = name_best(column)
    hidden = comparison_words.name_hidden(comparison, column)
    if hidden:
        return LeagueClaim(question, column, (), "", hidden)

    ranked = comparison.ranking(column).names
    if not ranked:
        remark = f"No row has a mean {words.field_name(column)} on every data set."
        return LeagueClaim(question, column, (), "", remark)
    if len(ranked) == 1:
        remark = "The only row with a mean on every data set: there is nothing to compare it with."
        return LeagueClaim(question, column, tuple(ranked), "", remark)

    standings = comparison.standings(column)
    leaders = [name for name, one in standings.items() if one.is_best_everywhere]
    never_behind = [name for name, one in standings.items() if one.is_never_behind]
    named = leaders or (never_behind if len(never_behind) == 1 else [])
    remark = _explain_order(comparison, column, standings, leaders, never_behind)
    value = _describe_named(comparison, column, standings[named[0]]) if named else ""
    return LeagueClaim(question, column, tuple(named), value, remark)


def _describe_named(comparison: DatasetComparison, column: str, standing: Standing) -> str:
    """Such as `nDCG@10: mean rank 1.25 [1.00, 2.10]`."""
    ranking = comparison.ranking(column)
    mean = float(ranking.means[ranking.names.index(standing.name)])
    text = f"{words.field_name(column)}: mean rank {words.rank(mean)}"
    bounds = comparison.rank_bounds(column).get(standing.name)
    return text if bounds is None else f"{text} {words.bracketed_ranks(bounds)}"


def _explain_order(
    comparison: DatasetComparison,
    column: str,
    standings: dict[str, Standing],
    leaders: list[str],
    never_behind: list[str],
) -> str:
    """Whether the data sets agree, and who else might as well be the best."""
    everywhere = comparison_words.name_all_data(comparison)
    certainties = [column in results.certainty for results in comparison.runs.values()]
    others = [name for name in never_behind if name not in leaders]
    if leaders:
        remark = f"The best mean on {everywhere}."
        if not all(certainties):
            return f"{remark} How sure that is, is not known on all of them."
        if others:
            return f"{remark} Never significantly behind: {list_names(others)}."
        if all(one.count("not known") == 0 for one in standings.values()):
            return f"{remark} Every other row is significantly behind on at least one."
        return remark

    if len(never_behind) == 1:
        return (
            f"On {everywhere} the best or not significantly different from it, which no other row "
            f"is. Best means: {comparison_words.name_leaders_by_run(comparison, column)}."
        )

    where = comparison_words.name_leaders_by_run(comparison, column)
    remark = f"The data sets disagree: {where}."
    if never_behind:
        return f"{remark} Never significantly behind: {list_names(never_behind)}."
    if all(certainties):
        return f"{remark} Every row is significantly behind on at least one."
    return remark


def _claim_value(comparison: DatasetComparison, column: str) -> LeagueClaim:
    """The cheapest row, by its time, whose mean is within 1 % of the best on every data set."""
    hidden = comparison_words.name_hidden(comparison, column)
    if hidden:
        return LeagueClaim(VALUE, column, (), "", hidden)

    standings = comparison.standings(column)
    timed = []
    for name, standing in standings.items():
        seconds = comparison.mean_seconds(name)
        largest = standing.largest_gap
        if largest is not None and seconds is not None:
            timed.append((seconds, largest, name))

    margin = f"{100 * VALUE_TOLERANCE:g} % of the best"
    everywhere = comparison_words.name_all_data(comparison)
    within = [entry for entry in timed if entry[1] <= VALUE_TOLERANCE]
    if not within:
        remark = f"No row is within {margin} on {everywhere}."
        if timed:
            _, largest, name = min(timed, key=lambda entry: entry[1])
            remark += f" Closest: {name}, at most {words.share_of_best(largest)} from it."
        return LeagueClaim(VALUE, column, (), "", remark)

    seconds, largest, name = min(within)
    value = (
        f"{words.field_name(column)} at most {words.share_of_best(largest)} from the best, "
        f"in {words.duration(seconds)}"
    )
    remark = f"No other row is within {margin} on {everywhere}."
    if len(within) > 1:
        remark = f"The cheapest of the {len(within)} rows within {margin} on {everywhere}."
    if any(row.contended for rows in comparison.by_run.values() for row in rows.values()):
        remark += " Times are contended."
    return LeagueClaim(VALUE, column, (name,), value, remark)


def rank_league(
    comparison: DatasetComparison, column: str, most: int = MOST_ROWS
) -> list[LeagueRow]:
    """The rows that have a mean on every data set, the lowest mean rank first, at most so many."""
    ranking = comparison.ranking(column)
    standings = comparison.standings(column)
    bounds = comparison.rank_bounds(column)
    named = claim_best(comparison, column).names
    rows = []
    for name, mean in zip(ranking.names[:most], ranking.means[:most], strict=True):
        rows.append(
            LeagueRow(
                standing=standings[name],
                mean_rank=float(mean),
                bounds=bounds.get(name),
                seconds=comparison.mean_seconds(name),
                is_named=name in named,
            )
        )
    return rows


def list_league_cautions(comparison: DatasetComparison) -> list[Caution]:
    """What limits the claims, the gravest first."""
    found = [
        _find_suspects(comparison),
        _find_failures(comparison),
        _find_unranked(comparison),
        _find_fallbacks(comparison),
        _describe_power(comparison),
        _describe_terms(comparison),
        _find_contention(comparison),
    ]
    return [caution for caution in found if caution is not None]


def _find_suspects(comparison: DatasetComparison) -> Caution | None:
    parts = []
    for label, results in comparison.runs.items():
        suspects = suspect_rows(results.records)
        if suspects:
            parts.append(f"{list_names(list(suspects))} on {label}")
    if not parts:
        return None
    return Caution(f"Too good to be taken on trust (SUSPICIOUS): {'; '.join(parts)}.")


def _find_failures(comparison: DatasetComparison) -> Caution | None:
    if not any(results.n_failures for results in comparison.runs.values()):
        return None
    return Caution(comparison_words.count_failures(comparison), "failures")


def _find_unranked(comparison: DatasetComparison) -> Caution | None:
    """Which rows have no mean rank, because a number is missing: none is put in its place."""
    parts = []
    for column in comparison.headline.values():
        reasons = comparison.rows_without_rank(column)
        names = [name for reason, of in reasons.items() if reason != "ranks only" for name in of]
        if names:
            parts.append(f"{words.field_name(column)}: {list_names(names)}")
    if not parts:
        return None
    text = "Without a mean on every data set, so without a rank (none is imputed)"
    return Caution(f"{text}: {'; '.join(parts)}.", "ranks")


def _find_fallbacks(comparison: DatasetComparison) -> Caution | None:
    """On which data sets predictions are the training mean, for want of an opinion."""
    column = comparison.headline.get("error")
    if column is None:
        return None
    parts = []
    for label, results in comparison.runs.items():
        shares = {row.name: share_of_fallbacks(row, column) for row in results.contestants}
        names = [name for name, share in shares.items() if share > 0]
        if names:
            rows = words.count(len(names), "row")
            parts.append(f"{rows} on {label} (up to {max(shares.values()):.2g})")
    if not parts:
        return None
    text = "Some predictions are imputed, the training mean where a row had none, by share: "
    return Caution(f"{text}{'; '.join(parts)}.", "standings")


def _describe_power(comparison: DatasetComparison) -> Caution:
    """How little so many data sets say of others."""
    n_data_sets = len(comparison.runs)
    n_rows = len(comparison.ranking(primary_column(comparison) or comparison.columns[0]).names)
    text = f"{n_data_sets} chosen data sets are no sample: all this is about them"
    if n_rows > 1:
        difference = critical_difference(n_rows, n_data_sets)
        text += f"; mean ranks of {n_rows} rows differ significantly only where they are "
        text += f"{words.rank(difference)} apart (Nemenyi, 5 %)"
        if difference >= n_rows - 1:
            text += ", which they cannot be"
    return Caution(f"{text}.", "ranks")


def _describe_terms(comparison: DatasetComparison) -> Caution:
    """Whether rows are tuned, and whether they are on equal terms."""
    unequal = []
    for label, results in comparison.runs.items():
        defaults = results.defaults
        if defaults.are_mixed:
            rows = words.count(len(defaults.tuned), "row")
            unequal.append(f"{rows} with defaults that were tuned on {label}")
    if comparison_words.name_tuned_and_untuned(comparison) is not None:
        unequal.append("rows tuned on some data sets only")
    if unequal:
        return Caution(f"Not on equal terms: {'; '.join(unequal)}.")
    tuned = [name for name in comparison.contestants if _is_tuned(comparison, name)]
    if not tuned:
        return Caution("No row is tuned in these runs.")
    n_rows = words.count(len(comparison.contestants), "row")
    return Caution(f"{len(tuned)} of {n_rows} tuned, on the training parts of each data set.")


def _is_tuned(comparison: DatasetComparison, name: str) -> bool:
    return any(name in rows and rows[name].is_tuned for rows in comparison.by_run.values())


def _find_contention(comparison: DatasetComparison) -> Caution | None:
    labels = []
    for label, rows in comparison.by_run.items():
        if any(row.contended for row in rows.values()):
            labels.append(label)
    if not labels:
        return None
    text = f"Cells ran side by side, so times are contended: {words.listed(labels)}."
    return Caution(text, "cost")


def write_league_answers(comparison: DatasetComparison) -> list[str]:
    """What the first screen says, as lines of a terminal: answers, the best rows, cautions."""
    lines = []
    for claim in list_league_claims(comparison):
        question = claim.question[0].lower() + claim.question[1:]
        lines.append(write_answer(question, claim.winner, claim.value, claim.remark))

    column = primary_column(comparison)
    if column is not None:
        lines += _write_rows(column, rank_league(comparison, column))
    return lines + write_cautions(list_league_cautions(comparison))


def _write_rows(column: str, rows: list[LeagueRow]) -> list[str]:
    """The rows with the lowest mean ranks, one a line, in columns; nothing unless there are two."""
    if len(rows) < 2:
        return []
    width = max(len(row.name) for row in rows)
    heads = "with 95 % interval, data sets won–tied–behind, distance to the best, time"
    lines = [f"the lowest mean ranks by {words.field_name(column)}, {heads}:"]
    for row in rows:
        interval = "" if row.bounds is None else f" {words.bracketed_ranks(row.bounds)}"
        parts = [f"{words.rank(row.mean_rank)}{interval}", row.counts]
        gap = row.standing.mean_gap
        if gap is not None:
            parts.append(words.share_of_best(gap))
        if row.seconds is not None:
            parts.append(words.duration(row.seconds))
        lines.append(f"  {row.name:<{width}}  {'  '.join(parts)}")
    return lines


def describe_league(comparison: DatasetComparison) -> str:
    """What was compared on which data, on one line."""
    n_cells = sum(len(results.records) for results in comparison.runs.values())
    n_failures = sum(results.n_failures for results in comparison.runs.values())
    facts = (
        words.count(len(comparison.contestants), "recommender"),
        f"{len(comparison.runs)} data sets: {words.listed(comparison.runs)}",
        comparison_words.describe_split(comparison),
        f"{n_cells - n_failures:,} of {words.count(n_cells, 'cell')} ran",
    )
    return " · ".join(facts)


def order_columns(comparison: DatasetComparison) -> list[str]:
    """The headline columns in which two rows have a mean rank, the reader's own first."""
    first = primary_column(comparison)
    columns = sorted(comparison.headline.values(), key=lambda column: column != first)
    return [column for column in columns if len(comparison.ranking(column).names) > 1]


def explain_better(column: str) -> str:
    """Such as `lower is better`."""
    return f"{find_metric(column).better} is better"

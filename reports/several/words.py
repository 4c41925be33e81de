"""A report on several data sets in words: its title, and the sentences that sum it up."""

from recbench.benchmarks.metrics import find_metric
from recbench.reports import words
from recbench.reports.results import Results
from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.critical_difference import Ranking

MOST_NAMED = 4  # rows; of more, their number
EXTREMES = {"lower": "lowest", "higher": "highest", "zero": "smallest"}  # by what is better


def title_report(comparison: DatasetComparison) -> str:
    """What the report is called.

    The word SIMULATED and the data sets it is about are part of it.
    """
    n_rows = len(comparison.contestants)
    verb = "compared" if n_rows > 1 else "measured"
    rows = words.count(n_rows, "recommender")
    title = f"{len(comparison.runs)} data sets: {rows} {verb}"
    if comparison.simulated:
        return f"{title} (SIMULATED data: {words.listed(comparison.imitations)})"
    return title


def title_figure(comparison: DatasetComparison, what: str) -> str:
    """The title of a figure that shows `what`, with the split, and which data are simulated."""
    title = f"{what}, {describe_split(comparison)}"
    if comparison.simulated:
        return f"SIMULATED data ({words.listed(comparison.imitations)}), {title}"
    return title


def describe_split(comparison: DatasetComparison) -> str:
    """How the data were split; without seeds where these differ."""
    splits = list(dict.fromkeys(words.split(results) for results in comparison.runs.values()))
    if len(splits) == 1:
        return splits[0]
    return splits[0].rpartition(", seed")[0]


def name_all_data(comparison: DatasetComparison) -> str:
    """`both data sets`, or `all 4 data sets`."""
    if len(comparison.runs) == 2:
        return "both data sets"
    return f"all {len(comparison.runs)} data sets"


def summarise_runs(comparison: DatasetComparison) -> list[str]:
    """What was compared, who leads where, whether anyone leads everywhere, and what failed."""
    sentences = [_describe_data(comparison)]
    for column in comparison.headline.values():
        hidden = name_hidden(comparison, column)
        if hidden:
            sentences.append(hidden)
            continue
        sentences += _name_leaders(comparison, column)
        sentences += _name_first_by_rank(comparison.ranking(column), column)
    sentences += warn_of_unequal_terms(comparison)
    return [*sentences, count_failures(comparison)]


def warn_of_unequal_terms(comparison: DatasetComparison) -> list[str]:
    """On which data sets rows are tuned and on which they are not, and where the defaults of some
    rows were tuned on the data and those of others were not.
    """
    sentences = []
    parts = name_tuned_and_untuned(comparison)
    if parts is not None:
        tuned_on, untuned_on = parts
        sentences.append(
            f"Not on equal terms: rows were tuned on {words.listed(tuned_on)}, and not on "
            f"{words.listed(untuned_on)}."
        )

    for label, results in comparison.runs.items():
        defaults = results.defaults
        if defaults.are_mixed:
            names = words.listed(row.name for row in defaults.tuned)
            sentences.append(
                f"Not on equal terms on {label}: the defaults of {names} were tuned on these data, "
                f"those of {words.listed(row.name for row in defaults.untuned)} were not."
            )
    return sentences


def name_tuned_and_untuned(comparison: DatasetComparison) -> tuple[list[str], list[str]] | None:
    """The data sets on which rows are tuned and those on which none is; None if it is the same."""
    tuned_on = [
        label
        for label, results in comparison.runs.items()
        if any(row.is_tuned for row in results.contestants)
    ]
    untuned_on = [label for label in comparison.runs if label not in tuned_on]
    return (tuned_on, untuned_on) if tuned_on and untuned_on else None


def name_hidden(comparison: DatasetComparison, column: str) -> str:
    """Which data sets name no best row in `column`, and why; empty if all do."""
    reasons = []
    for label, results in comparison.runs.items():
        if results.hidden_by(column):
            reasons.append(f"{results.hidden_by(column)} ({label})")
    if not reasons:
        return ""
    return f"No row is named best in {words.field_name(column)}: {words.listed(reasons)}."


def _describe_data(comparison: DatasetComparison) -> str:
    """How many recommenders on which data sets, and how many of them on each."""
    n_rows = len(comparison.contestants)
    n_shared = 0
    for name in comparison.contestants:
        n_shared += all(name in rows for rows in comparison.by_run.values())
    shared = "" if n_shared == n_rows else f" ({n_shared} of them on each)"

    sizes = [_describe_size(label, results) for label, results in comparison.runs.items()]
    each = "; ".join(sizes)
    rows = words.count(n_rows, "recommender")
    split = describe_split(comparison)
    return f"{rows} on {len(comparison.runs)} data sets{shared}, {split}: {each}."


def _describe_size(label: str, results: Results) -> str:
    data = results.about.data
    kind = "simulated ratings" if results.simulated else "ratings"
    lowest, highest = data.scale
    who = f"{words.count(data.users, 'user')} of {words.count(data.items, 'item')}"
    return f"{label} ({data.ratings:,} {kind} from {lowest:g} to {highest:g} by {who})"


def _name_leaders(comparison: DatasetComparison, column: str) -> list[str]:
    """Who has the best mean on all data sets, or who on which.

    And who is never significantly behind.
    """
    shown = words.field_name(column)
    best_by_run = {
        label: [row.name for row in results.best(column)]
        for label, results in comparison.runs.items()
    }
    if not any(best_by_run.values()):
        return [f"No row has a mean {words.field_name(column)}."]

    counts = [
        sum(row.mean(column) is not None for row in results.contestants)
        for results in comparison.runs.values()
    ]
    if max(counts) < 2:
        return [f"No two rows on one data set have a mean {shown}, so none of them leads."]

    extreme = EXTREMES[find_metric(column).better]
    everywhere = name_all_data(comparison)
    leaders = [
        name
        for name in comparison.contestants
        if all(name in names for names in best_by_run.values())
    ]
    if leaders:
        verb = "has" if len(leaders) == 1 else "have"
        leading = f"{words.listed(leaders)} {verb} the {extreme} mean {shown} on {everywhere}."
    else:
        where = name_leaders_by_run(comparison, column)
        leading = f"No row has the {extreme} mean {shown} on {everywhere}: {where}."

    return [leading, *_name_never_behind(comparison, column, leaders)]


def name_leaders_by_run(comparison: DatasetComparison, column: str) -> str:
    """Which rows have the best mean of a column on which data sets, in words."""
    labels_by_leaders: dict[str, list[str]] = {}
    for label, results in comparison.runs.items():
        names = [row.name for row in results.best(column)]
        leaders = words.listed(names) if names else "no row"
        labels_by_leaders.setdefault(leaders, []).append(label)

    return "; ".join(
        f"{leaders} on {words.listed(labels)}" for leaders, labels in labels_by_leaders.items()
    )


def _name_never_behind(comparison: DatasetComparison, column: str, leaders: list[str]) -> list[str]:
    """Who is best or not significantly different from it everywhere, if these are not the leaders.

    Nothing is said unless the certainty of the column is known on every data set.
    """
    runs = comparison.runs.values()
    if not all(column in results.certainty for results in runs):
        return []

    close_by_run = []
    for results in runs:
        close = results.best(column) + results.near(column)
        close_by_run.append({row.name for row in close})

    never_behind = [
        name for name in comparison.contestants if all(name in close for close in close_by_run)
    ]

    everywhere = name_all_data(comparison)
    if not never_behind:
        return [f"On {everywhere} no row is the best or not significantly different from it."]
    if never_behind == leaders:
        return []

    names = words.listed(never_behind)
    return [f"Best or not significantly different from the best on {everywhere}: {names}."]


def _name_first_by_rank(ranking: Ranking, column: str) -> list[str]:
    """Who has the lowest mean rank, and whose is not significantly different from it."""
    if len(ranking.names) < 2:
        return []

    lowest = ranking.means[0]
    first = [
        name for name, mean in zip(ranking.names, ranking.means, strict=True) if mean == lowest
    ]
    if len(first) == len(ranking.names):
        return [f"All mean ranks by {words.field_name(column)} are equal."]

    rank = f"{words.rank(lowest)}, of {len(ranking.names)} rows that have a mean everywhere"
    sentence = f"Lowest mean rank by {words.field_name(column)}: {words.listed(first)} ({rank})"
    if ranking.obstacle:
        n_rows = len(ranking.means)
        return [f"{sentence}; {n_rows} rows are not significantly different by mean ranks alone."]

    gaps = zip(ranking.names, ranking.means - lowest, strict=True)
    close = [name for name, gap in gaps if 0 < gap < ranking.difference]
    if not close:
        return [f"{sentence}; all others rank significantly lower."]

    named = words.listed(close)
    if len(close) > MOST_NAMED:
        n_others = len(ranking.names) - len(first)
        named = f"{len(close)} of the other {n_others} rows"

    return [f"{sentence}; not significantly different from it by mean ranks: {named}."]


def count_failures(comparison: DatasetComparison) -> str:
    """How many cells of all runs are not ok, and in which rows of which runs."""
    n_cells = sum(len(results.records) for results in comparison.runs.values())
    n_failures = sum(results.n_failures for results in comparison.runs.values())
    if not n_failures:
        return f"All {words.count(n_cells, 'cell')} ran."

    where = []
    for label, results in comparison.runs.items():
        rows = [row.name for row in results.rows if row.failures or row.elsewhere.failures]
        if rows:
            where.append(f"{words.listed(rows)} on {label}")

    verb = "is" if n_failures == 1 else "are"
    return f"{n_failures} of {words.count(n_cells, 'cell')} {verb} not ok: {'; '.join(where)}."

"""A report on several data sets in words: its title, and the sentences that sum it up."""

from recbench.benchmarks.metrics import find_metric
from recbench.reports import words
from recbench.reports.results import Results
from recbench.reports.several.comparison import Comparison
from recbench.reports.several.critical_difference import Ranking

NAMED = 4  # rows that are named; of more, their number
EXTREMES = {"lower": "lowest", "higher": "highest", "zero": "smallest"}


def title(comparison: Comparison) -> str:
    """What the report is called; the word SIMULATED and the data sets it is about are part of it."""
    n, n_rows = len(comparison.runs), len(comparison.contestants)
    name = f"{n} data sets: {words.count(n_rows, 'recommender')} {'compared' if n_rows > 1 else 'measured'}"
    return (
        f"{name} (SIMULATED data: {words.listed(comparison.imitations)})"
        if comparison.simulated
        else name
    )


def titled(comparison: Comparison, what: str) -> str:
    """The title of a figure that shows `what`."""
    imitations = (
        f"SIMULATED data ({words.listed(comparison.imitations)}), " if comparison.simulated else ""
    )
    return f"{imitations}{what}, {_split(comparison)}"


def _split(comparison: Comparison) -> str:
    """How the data were split; without seeds where these differ."""
    splits = list(dict.fromkeys(words.split(results) for results in comparison.runs.values()))
    return splits[0] if len(splits) == 1 else splits[0].rpartition(", seed")[0]


def _everywhere(comparison: Comparison) -> str:
    return (
        "both data sets" if len(comparison.runs) == 2 else f"all {len(comparison.runs)} data sets"
    )


def summary(comparison: Comparison) -> list[str]:
    """What was compared, who leads where, whether anyone leads everywhere, and what failed."""
    said = [_compared(comparison)]
    for column in comparison.headline.values():
        said += _leaders(comparison, column)
        said += _by_rank(comparison.ranking(column), column)
    return [*said, _failed(comparison)]


def _compared(comparison: Comparison) -> str:
    n_rows = len(comparison.contestants)
    n_shared = sum(
        all(name in rows for rows in comparison.by_run.values()) for name in comparison.contestants
    )
    shared = "" if n_shared == n_rows else f" ({n_shared} of them on each)"
    data = "; ".join(_data(label, results) for label, results in comparison.runs.items())
    which = f"{words.count(n_rows, 'recommender')} on {len(comparison.runs)} data sets{shared}"
    return f"{which}, {_split(comparison)}: {data}."


def _data(label: str, results: Results) -> str:
    data = results.about.data
    kind = "simulated ratings" if results.simulated else "ratings"
    lowest, highest = data.scale
    who = f"{words.count(data.users, 'user')} of {words.count(data.items, 'item')}"
    return f"{label} ({data.ratings:,} {kind} from {lowest:g} to {highest:g} by {who})"


def _leaders(comparison: Comparison, column: str) -> list[str]:
    """Who has the best mean on all data sets, or who on which; and who is never clearly behind."""
    extreme, everywhere = EXTREMES[find_metric(column).better], _everywhere(comparison)
    best = {
        label: [row.name for row in results.best(column)]
        for label, results in comparison.runs.items()
    }
    if not any(best.values()):
        return [f"No row has a mean {column}."]
    counts = [
        sum(row.mean(column) is not None for row in r.contestants) for r in comparison.runs.values()
    ]
    if max(counts) < 2:
        return [f"No two rows on one data set have a mean {column}, so none of them leads."]
    of_all = [
        name for name in comparison.contestants if all(name in names for names in best.values())
    ]
    if of_all:
        verb = "has" if len(of_all) == 1 else "have"
        said = [f"{words.listed(of_all)} {verb} the {extreme} mean {column} on {everywhere}."]
    else:
        leading: dict[str, list[str]] = {}
        for label, names in best.items():
            leading.setdefault(words.listed(names) if names else "no row", []).append(label)
        each = "; ".join(f"{names} on {words.listed(labels)}" for names, labels in leading.items())
        said = [f"No row has the {extreme} mean {column} on {everywhere}: {each}."]
    if all(column in results.certainty for results in comparison.runs.values()):
        runs = comparison.runs.values()
        close = [
            {row.name for row in results.best(column) + results.near(column)} for results in runs
        ]
        never_behind = [
            name for name in comparison.contestants if all(name in names for names in close)
        ]
        if never_behind and never_behind != of_all:
            said.append(
                f"Best or not to be told from the best on {everywhere}: {words.listed(never_behind)}."
            )
        elif not never_behind:
            said.append(f"On {everywhere} no row is the best or not to be told from it.")
    return said


def _by_rank(ranking: Ranking, column: str) -> list[str]:
    """Who has the lowest mean rank, and who cannot be told from it by mean ranks."""
    if len(ranking.names) < 2:
        return []
    first = [
        name
        for name, mean in zip(ranking.names, ranking.means, strict=True)
        if mean == ranking.means[0]
    ]
    if len(first) == len(ranking.names):
        return [f"All mean ranks by {column} are equal."]
    of = f"{words.rank(ranking.means[0])}, of {len(ranking.names)} rows that have a mean everywhere"
    said = f"Lowest mean rank by {column}: {words.listed(first)} ({of})"
    if ranking.obstacle:
        return [f"{said}; {len(ranking.means)} rows cannot be told apart by mean ranks alone."]
    gaps = zip(ranking.names, ranking.means - ranking.means[0], strict=True)
    close = [name for name, gap in gaps if 0 < gap < ranking.difference]
    if not close:
        return [f"{said}; all others rank significantly lower."]
    n_others = len(ranking.names) - len(first)
    which = (
        words.listed(close) if len(close) <= NAMED else f"{len(close)} of the other {n_others} rows"
    )
    return [f"{said}; not to be told from it by mean ranks: {which}."]


def _failed(comparison: Comparison) -> str:
    n_cells = sum(len(results.records) for results in comparison.runs.values())
    n_bad = sum(results.n_failures for results in comparison.runs.values())
    if not n_bad:
        return f"All {words.count(n_cells, 'cell')} ran."
    where = []
    for label, results in comparison.runs.items():
        rows = [row.name for row in results.rows if row.failures or row.elsewhere.failures]
        where += [f"{words.listed(rows)} on {label}"] if rows else []
    return f"{n_bad} of {words.count(n_cells, 'cell')} {'is' if n_bad == 1 else 'are'} not ok: {'; '.join(where)}."

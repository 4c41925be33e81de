"""The report's first paragraph: who is best, who cannot be told from that, who of those is fastest, what failed."""

from collections.abc import Iterable
from typing import Any

from recbench.benchmarks.metrics import find_metric
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import headlines, section
from recbench.reports.words import between, count, duration, interval, listed, number, split


@section("What came out?")
def summary(results: Results) -> dict[str, Any]:
    """The run in sentences."""
    return {"sentences": sentences(results)}


def sentences(results: Results) -> list[str]:
    """Each follows from the records, whatever became of the cells."""
    said = [_compared(results)]
    for column in headlines(results):
        said += _accuracy(results, column)
    if any(row.contended for row in results.contestants):
        said.append("Cells ran side by side, so times are contended.")
    return [*said, *_failed(results)]


def _compared(results: Results) -> str:
    data = results.about.data
    kind = "simulated ratings" if results.simulated else "ratings"
    lowest, highest = data.scale
    return (
        f"{count(len(results.contestants), 'recommender')} on {data.name}: {data.ratings:,} {kind} "
        f"from {lowest:g} to {highest:g} by {count(data.users, 'user')} of "
        f"{count(data.items, 'item')}; {split(results)}."
    )


def _names(rows: Iterable[Row]) -> str:
    return listed(row.name for row in rows)


def _accuracy(results: Results, column: str) -> list[str]:
    """Who has the best mean of `column`, who cannot be told from it, who of them is fastest, and who has no mean."""
    extreme = {"lower": "lowest", "higher": "highest", "zero": "smallest"}[
        find_metric(column).better
    ]
    best, known = (
        results.best(column),
        [row for row in results.contestants if row.mean(column) is not None],
    )
    only_rank = [row for row in results.rows if row.missing(column) == "only ranks"]
    said = []
    if not best:
        said.append(f"No row has a mean {column}.")
    else:
        value = number(best[0].mean(column)) + between(
            interval(results, best[0], column), ", 95 % interval "
        )
        if len(known) == 1:
            said.append(f"Only {best[0].name} has a mean {column}: {value}.")
        else:
            said.append(f"{extreme.capitalize()} mean {column}: {_names(best)} ({value}).")
            said += _separation(results, column, known)
        said += _fastest(results, column)
    if only_rank and find_metric(column).needs_ratings:
        said.append(f"Without {column}, because they only rank: {_names(only_rank)}.")
    return said


def _separation(results: Results, column: str, known: list[Row]) -> list[str]:
    """Whether the rows with a mean can be told from the best, as far as their answers tell."""
    best, near = results.best(column), results.near(column)
    others = [row for row in known if row not in best]
    if not others:
        return []
    if column not in results.certainty:
        return [f"How sure differences in {column} are is not known: {results.unknown(column)}."]
    tested = results.certainty[column].rows
    if best[0] not in tested:
        return [
            f"How sure differences in {column} are is not known: raw answers of {best[0].name} are missing."
        ]
    untested = [row for row in others if row not in tested]
    said = []
    if near:
        named = listed(f"{row.name} ({number(row.mean(column))})" for row in near)
        said.append(f"Not to be told from it by a paired bootstrap over users: {named}.")
    elif len(untested) < len(others):
        rest = (
            "Every other row's"
            if not untested
            else f"Of the {len(others) - len(untested)} rows tested, every one's"
        )
        said.append(f"{rest} {column} is worse by more than the choice of users explains.")
    if untested:
        said.append(f"Not tested in {column}, because raw answers are missing: {_names(untested)}.")
    return said


def _fastest(results: Results, column: str) -> list[str]:
    """Who fits fastest among the rows that are best in `column` or cannot be told from the best."""
    named = results.best(column) + results.near(column)
    timed = [(time, row) for row in named if (time := row.seconds("fit")) is not None]
    if not timed:
        return []
    time, fastest = min(timed, key=lambda pair: pair[0])
    among = (
        f"Fastest of these {len(timed)} to fit: {fastest.name}, in"
        if len(timed) > 1
        else "Its fit takes"
    )
    return [f"{among} {duration(time)} on average over the folds."]


def _failed(results: Results) -> list[str]:
    """How many cells are not ok, and in which rows; without a mean are those that fail under the main split."""
    n_cells = len(results.records)
    if not results.n_failures:
        return [f"All {count(n_cells, 'cell')} ran." if n_cells > 1 else "Its one cell ran."]
    verb = "is" if results.n_failures == 1 else "are"
    said = [f"{results.n_failures} of {count(n_cells, 'cell')} {verb} not ok."]
    main = [row for row in results.rows if row.failures]
    elsewhere = [row for row in results.rows if row.elsewhere.failures]
    if main:
        said.append(f"Without a mean, because a fold is missing: {_names(main)}.")
    if elsewhere:
        said.append(f"Without a mean under the other split: {_names(elsewhere)}.")
    return said

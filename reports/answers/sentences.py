"""The run in sentences, with all names: who is best, close and fastest, and what failed."""

from collections.abc import Iterable

from recbench.benchmarks.gating import suspect_rows
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import NOT_MEASURED_HERE, PHASES
from recbench.reports import words
from recbench.reports.answers.disagreement import describe_disagreements
from recbench.reports.answers.headlines import headline_columns
from recbench.reports.results import Results, Row

EXTREMES = {"lower": "lowest", "higher": "highest", "zero": "smallest"}  # by what is better


def summarise_run(results: Results) -> list[str]:
    """Sentences that follow from the records, whatever became of the cells."""
    sentences = [_describe_data(results)]
    sentences += _name_hidden_columns(results)
    for column in headline_columns(results):
        sentences += _summarise_column(results, column)
        sentences += _name_worse_than_constant(results, column)
    sentences += describe_disagreements(results)
    sentences += _warn_of_mixed_defaults(results)
    for row, why in suspect_rows(results.records).items():
        sentences.append(f"Too good to be taken on trust (SUSPICIOUS): {row}; {why}")
    if any(row.contended for row in results.contestants):
        sentences.append("Cells ran side by side, so times are contended.")
    if results.external:
        sentences.append(f"{NOT_MEASURED_HERE.capitalize()}: {_list_names(results.external)}.")
    if len(results.hosts) > 1:
        sentences.append(
            f"Cells ran on {len(results.hosts)} hosts ({words.listed(results.hosts)}): times of "
            "different hosts do not compare."
        )
    sentences += [f"{each.sentence}." for each in results.about.disagreements]
    return sentences + _summarise_failures(results)


def _describe_data(results: Results) -> str:
    """What was compared on which data, and how these were split."""
    data = results.about.data
    kind = "simulated ratings" if results.simulated else "ratings"
    lowest, highest = data.scale
    explained = words.explain_split(results.records[0].cell.split)
    if explained:
        explained = f": {explained}"

    return (
        f"{words.count_compared(results)} on {data.name}: "
        f"{data.ratings:,} {kind} from {lowest:g} to {highest:g} by "
        f"{words.count(data.users, 'user')} of {words.count(data.items, 'item')}; "
        f"{words.split(results)}{explained}."
    )


def _warn_of_mixed_defaults(results: Results) -> list[str]:
    """One sentence if some rows have defaults that were tuned on these data, and others have not.

    How they rank then is not only a matter of the algorithms.
    """
    defaults = results.defaults
    if not defaults.are_mixed:
        return []

    tuned = words.count(len(defaults.tuned), "row")
    others = words.count(len(defaults.untuned), "row")
    return [
        f"Not on equal terms: the defaults of {tuned} ({_list_names(defaults.tuned)}) were tuned "
        f"on {results.about.data.name}, those of {others} ({_list_names(defaults.untuned)}) come "
        "from elsewhere."
    ]


def _name_hidden_columns(results: Results) -> list[str]:
    """One sentence for each reason why these data name no best row, with the shown columns."""
    columns_by_reason: dict[str, list[str]] = {}
    for column in results.columns:
        reason = results.hidden_by(column)
        if reason:
            columns_by_reason.setdefault(reason, []).append(column)

    return [
        f"No row is named best in {words.listed(map(words.field_name, columns))}: {reason}."
        for reason, columns in columns_by_reason.items()
    ]


def _list_names(rows: Iterable[Row]) -> str:
    return words.listed(row.name for row in rows)


def _summarise_column(results: Results, column: str) -> list[str]:
    """Who has the best mean, who is close to it, who of them is fastest, who has no mean."""
    metric = find_metric(column)
    sentences = _name_best(results, column)
    ranks_only = [row for row in results.rows if row.missing(column) == "ranks only"]
    if ranks_only and metric.needs_ratings:
        names = _list_names(ranks_only)
        sentences.append(f"Without {words.field_name(column)}, because they only rank: {names}.")

    return sentences


def _name_best(results: Results, column: str) -> list[str]:
    """Who has the best mean of `column`, against whom, and who of the best is fastest."""
    best = results.best(column)
    shown = words.field_name(column)
    if not best:
        return [f"No row has a mean {shown}."]

    bounds = words.interval(results, best[0], column)
    interval = words.between(bounds, ", 95 % interval ")
    value = f"{words.number(best[0].mean(column), bounds)}{interval}"
    known = [row for row in results.contestants if row.mean(column) is not None]
    if len(known) == 1:
        sentences = [f"Only {best[0].name} has a mean {shown}: {value}."]
    else:
        extreme = EXTREMES[find_metric(column).better].capitalize()
        sentences = [f"{extreme} mean {shown}: {_list_names(best)} ({value})."]
        sentences += _compare_with_best(results, column, known)

    return sentences + _name_fastest(results, column)


def _compare_with_best(results: Results, column: str, known: list[Row]) -> list[str]:
    """Whether the rows with a mean differ significantly from the best, as far as answers tell."""
    best = results.best(column)
    shown = words.field_name(column)
    others = [row for row in known if row not in best]
    if not others:
        return []
    if column not in results.certainty:
        why = results.unknown(column)
        return [f"How sure differences in {shown} are is not known: {why}."]

    tested = results.certainty[column].rows
    if best[0] not in tested:
        return [
            f"How sure differences in {shown} are is not known: raw answers of {best[0].name} are "
            "missing."
        ]

    untested = [row for row in others if row not in tested]
    n_tested = len(others) - len(untested)
    near = results.near(column)
    sentences = []
    if near:
        named = words.listed(_name_with_mean(results, row, column) for row in near)
        sentences.append(
            f"Not significantly different from it by a paired bootstrap over users: {named}."
        )
    elif n_tested:
        whose = "Every other row's"
        if untested:
            whose = f"Of the {n_tested} rows tested, every one's"
        sentences.append(f"{whose} {shown} is significantly worse.")

    if untested:
        names = _list_names(untested)
        sentences.append(f"Not tested in {shown}, because raw answers are missing: {names}.")

    return sentences


def _name_with_mean(results: Results, row: Row, column: str) -> str:
    """Such as `als (0.9195)`."""
    return f"{row.name} ({words.number(row.mean(column), words.interval(results, row, column))})"


def _name_worse_than_constant(results: Results, column: str) -> list[str]:
    """Which rows have a greater error than the mean of the training part, for every pair, has."""
    above = results.above_constant(column)
    if not above:
        return []

    worse = results.worse_than_constant(column)
    others = [row for row in above if row not in worse]
    constant = f"always predicting the training mean ({words.field_name(column)} "
    constant += f"{words.number(results.constant_error(column))})"
    sentences = []
    if worse:
        sentences.append(f"Significantly worse than {constant}: {_list_names(worse)}.")
    if others:
        sentences.append(
            f"No better than {constant}, but not significantly worse or not tested: "
            f"{_list_names(others)}."
        )
    return sentences


def _name_fastest(results: Results, column: str) -> list[str]:
    """One sentence: who is fastest of the rows that are best in `column` or not significantly
    different from the best, all phases together; none if no such row has a time.
    """
    timed = []
    for row in results.best(column) + results.near(column):
        seconds = row.seconds(*PHASES)
        if seconds is not None:
            timed.append((seconds, row.name))

    if not timed:
        return []

    # Of rows that are equally fast the first one counts, so names are not compared.
    seconds, fastest = min(timed, key=lambda pair: pair[0])
    duration = f"{words.duration(seconds)}{words.over_folds(results, ' on average over the folds')}"
    if len(timed) == 1:
        return [f"{fastest} has a total time of {duration}."]
    return [f"Of these {len(timed)}, {fastest} has the shortest total time: {duration}."]


def _summarise_failures(results: Results) -> list[str]:
    """How many cells are not ok, and which rows have no mean under the main and the other split."""
    n_cells = len(results.records)
    if not results.n_failures:
        if n_cells == 1:
            return ["Its one cell ran."]
        return [f"All {words.count(n_cells, 'cell')} ran."]

    verb = "is" if results.n_failures == 1 else "are"
    sentences = [f"{results.n_failures} of {words.count(n_cells, 'cell')} {verb} not ok."]
    silent = [row for row in results.rows if row.cannot_fold_in]
    failed = [row for row in results.rows if row.failures and not row.cannot_fold_in]
    failed_elsewhere = [row for row in results.rows if row.elsewhere.failures]
    if silent:
        names = _list_names(silent)
        sentences.append(f"Skipped, because they cannot answer users they have not seen: {names}.")

    if failed:
        names = _list_names(failed)
        sentences.append(f"Without a mean, because a fold is missing: {names}.")

    if failed_elsewhere:
        names = _list_names(failed_elsewhere)
        sentences.append(f"Without a mean under the other split: {names}.")

    return sentences

"""The report's answer to how rows were tuned: what was chosen, what it cost, what it was worth."""

import statistics
from collections import Counter
from collections.abc import Sequence

from recbench.benchmarks.records import Record
from recbench.benchmarks.tuning import History, Quality, expect_best, parse_budget
from recbench.reports import words
from recbench.reports.drawing import Growth, GrowthPanel, Picture, draw_growth
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Figure,
    MissingCell,
    Note,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results
from recbench.reports.sections.registry import section, title_figure

BORDER = "on the border"
NUMBERS_OF_TRIALS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@section("How were they tuned?", place=35)
def tuning(results: Results) -> list[Block] | None:
    """The budget and whether it was the same for all, the values chosen by fold, and quality
    against trials.

    None in a run that was not tuned.
    """
    searches = results.searches
    if not searches:
        return None
    return [
        Paragraph(" ".join([*_describe_budget(searches), *_describe_known(results)])),
        _tabulate_chosen(results, searches),
        Note(
            "Optimism is how much better the chosen values were on the inner test part, by which "
            "they were chosen, than on the test part of the fold, for which the row was fitted "
            "again on the whole training part. Of a ranking metric it is often below zero, since "
            "users have fewer relevant items in the inner test part. The time of a search is the "
            "processor time of all calls of its trials, those that early stopping ended included."
        ),
        *_draw_quality(results, searches),
        _tabulate_quality(searches),
        _tabulate_spaces(searches),
    ]


def _describe_budget(searches: Sequence[History]) -> list[str]:
    """How long was searched, whether all rows had the same, and what lies on a border."""
    rows = list(dict.fromkeys(search.row for search in searches))
    budgets = {search.budget for search in searches}
    counts = [len(search.trials) for search in searches]
    first = "first the row's own hyperparameters, then 15 drawn at random"
    if not searches[0].default_trial:
        first = "first 15 drawn at random, the row's own hyperparameters being left out"
    sentences = [
        f"{words.count(len(rows), 'row')} had {words.count(len(searches), 'search', 'searches')}, "
        "one on each fold, of "
        f"{words.span(counts)} {'trial' if max(counts) == 1 else 'trials'}: {first}, then what the "
        f"tree-structured Parzen estimator proposes ({searches[0].sampler}). Trials divide the "
        "training part of the fold again, and are given nothing else of the data."
    ]

    short = [search for search in searches if not search.is_over]
    if len(budgets) == 1 and not short:
        budget = parse_budget(searches[0].budget)
        sentences.append(f"All had the same budget: {budget.in_words}.")
    else:
        names = words.listed(_name_folds(short or searches))
        sentences.append(f"Budgets are NOT equal: {names}.")

    at_border = [search for search in searches if search.borders]
    if at_border:
        sentences.append(
            "Values on the border of their space, beyond which better ones may lie: "
            f"{words.listed(_name_borders(at_border))}."
        )
    return sentences


def _describe_known(results: Results) -> list[str]:
    """One sentence if a search chose what others had tuned on these data; else none."""
    n_folds = Counter(search.row for search in results.searches_not_blind)
    if not n_folds:
        return []
    names = words.listed(f"{row} ({words.count(n, 'fold')})" for row, n in n_folds.items())
    return [
        f"Not independent of the test part: the searches of {names} chose the row's own "
        f"hyperparameters, which had been tuned before on {results.about.data.name}, so on ratings "
        "that are tested here. The option --no-default-trial leaves them out of searches."
    ]


def _name_folds(searches: Sequence[History]) -> list[str]:
    return [
        f"{search.row}, fold {search.fold}: {len(search.trials)} of {search.budget}"
        for search in searches
    ]


def _name_borders(searches: Sequence[History]) -> list[str]:
    """The rows and hyperparameters, each once, with the number of folds."""
    n_folds: Counter[str] = Counter()
    for search in searches:
        n_folds.update(f"{name} of {search.row}" for name in search.borders)

    texts = []
    for place, n_folds_there in n_folds.items():
        folds = words.count(n_folds_there, "fold")
        texts.append(f"{place} ({folds})")
    return texts


def _tabulate_chosen(results: Results, searches: Sequence[History]) -> Table:
    """For each row and fold what was chosen, validation against test, and what it cost."""
    heads = (
        TableHead("row", "text"),
        TableHead("fold", "word"),
        TableHead("metric", "word"),
        TableHead("default", small=("validation",)),
        TableHead("chosen", small=("validation",)),
        TableHead("chosen", small=("test",)),
        TableHead("optimism"),
        TableHead("best trial"),
        TableHead("failed"),
        TableHead("search", small=("processor time",)),
        TableHead("fit"),
        TableHead("chosen values", "text"),
    )
    lines = []
    for search in searches:
        record = _find_tuned(results, search)
        lines.append(TableLine(RowName(search.row), tuple(_describe_search(search, record))))
    caption = (
        "Every search: the metric on the inner test part with the row's own hyperparameters and "
        "with those that were chosen, and on the test part of the fold; the number of the trial "
        "that was best, 0 being the first; trials without a value; what the search and one fit of "
        f"the tuned row took. A value {BORDER} of its space says so."
    )
    return Table("Searches", caption, heads, tuple(lines))


def _find_tuned(results: Results, search: History) -> Record | None:
    """The record of the tuned row on the fold of a search; None if there is no ok one."""
    for record in results.records:
        cell = record.cell
        same_row = cell.tuning is not None and cell.untuned_row == search.row
        place = (cell.split, cell.split_seed, cell.fold)
        if same_row and place == (search.split, search.split_seed, search.fold):
            return record if record.status == "ok" else None
    return None


def _describe_search(search: History, record: Record | None) -> list[AnyCell]:
    """The cells of a search, without its row."""
    has_default = search.default_trial and bool(search.trials)
    default = search.trials[0].value if has_default else None
    best = search.best
    tested = record.metrics.get(search.metric) if record is not None else None
    n_failed = sum(trial.value is None for trial in search.trials)
    fit_seconds = record.seconds("fit") if record is not None else None
    return [
        TableCell(f"{search.split} {search.fold}"),
        TableCell(words.field_name(search.metric), small=search.inner),
        _show_number(default),
        _show_number(best.value if best is not None else None),
        _show_number(tested),
        _show_optimism(search, best.value if best is not None else None, tested),
        TableCell(str(best.number)) if best is not None else MissingCell("no trial has a value"),
        TableCell(str(n_failed)),
        TableCell(words.duration(search.cpu_seconds), sort_value=search.cpu_seconds),
        TableCell(words.duration(fit_seconds), sort_value=fit_seconds),
        TableCell(_list_values(search)),
    ]


def _show_number(value: float | None) -> AnyCell:
    if value is None:
        return MissingCell("no value")
    return TableCell(words.number(value), sort_value=value)


def _show_optimism(search: History, validated: float | None, tested: float | None) -> AnyCell:
    """By how much the value was better on the inner test part, in the metric's unit."""
    if validated is None or tested is None:
        return MissingCell("no value")
    is_error = search.metric == "rmse"
    gain = tested - validated if is_error else validated - tested
    return TableCell(words.signed(gain), sort_value=gain)


def _list_values(search: History) -> str:
    """The chosen values of the searched hyperparameters, borders marked."""
    texts = []
    for name in search.space:
        value = search.chosen[name]
        text = f"{name}={value}"
        if isinstance(value, float):
            text = f"{name}={value:g}"
        if name in search.borders:
            text += f" ({BORDER})"
        texts.append(text)
    return ", ".join(texts)


def _draw_quality(results: Results, searches: Sequence[History]) -> list[Block]:
    """The best value to be expected of so many trials, a panel for each metric; or nothing."""
    panels: dict[str, list[Growth]] = {}
    for row, of_row in _group_by_row(searches).items():
        curve = _trace_quality(row, of_row)
        if curve is not None:
            panels.setdefault(words.field_name(of_row[0].metric), []).append(curve)
    if not panels:
        return []

    title = title_figure(results, "Best validation value to be expected against trials")
    picture = Picture(
        "quality-against-trials",
        f"Curves. {title}. The table below has the same numbers.",
        lambda: draw_growth(
            [GrowthPanel(name, curves) for name, curves in panels.items()],
            title,
            "trials of a search",
        ),
    )
    caption = (
        "The value on the inner test part that the best of so many trials can be expected to have, "
        "mean over the folds; both axes are logarithmic. Where a line is level, more trials bring "
        "nothing."
    )
    return [Figure(picture, caption)]


def _group_by_row(searches: Sequence[History]) -> dict[str, list[History]]:
    by_row: dict[str, list[History]] = {}
    for search in searches:
        by_row.setdefault(search.row, []).append(search)
    return by_row


def _trace_quality(row: str, searches: Sequence[History]) -> Growth | None:
    """The expected best of 1, 2, 5, ... trials of a row; None if a fold has no value."""
    most = max(len(search.trials) for search in searches)
    numbers = [number for number in NUMBERS_OF_TRIALS if number < most] + [most]
    values = []
    for number in numbers:
        qualities = [expect_best(search, number) for search in searches]
        known = [quality.expected for quality in qualities if quality is not None]
        if len(known) < len(searches):
            return None
        values.append(statistics.fmean(known))
    return Growth(row, tuple(numbers), tuple(values))


def _tabulate_quality(searches: Sequence[History]) -> Table:
    """For each row the best validation value that so many trials can be expected to find."""
    most = max(len(search.trials) for search in searches)
    numbers = [n for n in NUMBERS_OF_TRIALS if n < most] + [most]
    heads = [TableHead("row", "text"), TableHead("metric", "word")]
    heads += [TableHead(words.count(number, "trial")) for number in numbers]

    lines = []
    for row, of_row in _group_by_row(searches).items():
        cells: list[AnyCell] = [TableCell(words.field_name(of_row[0].metric))]
        for number in numbers:
            cells.append(_show_quality([expect_best(search, number) for search in of_row]))
        lines.append(TableLine(RowName(row), tuple(cells)))
    caption = (
        "Quality against trials: the expected validation value of the best of so many trials, "
        "drawn at random from those that were made, and its 95 % interval; means over the folds. "
        "Computed from the stored trials (Dodge et al. 2019); a failed one counts as the worst. "
        "Trials that the estimator proposed are better than random ones, so columns of few trials "
        "are a little too good."
    )
    return Table("Quality against trials", caption, tuple(heads), tuple(lines))


def _tabulate_spaces(searches: Sequence[History]) -> Table:
    """Where each hyperparameter was searched, and who says so; once for each row."""
    heads = (
        TableHead("row", "text"),
        TableHead("hyperparameter", "text"),
        TableHead("searched", "text"),
        TableHead("who says so", "text"),
    )
    spaces = {search.row: search.space for search in searches}
    lines = []
    for row, space in spaces.items():
        for name, dimension in space.items():
            texts = (name, str(dimension), dimension.source)
            lines.append(TableLine(RowName(row), tuple(TableCell(text) for text in texts)))
    caption = (
        "The space of each search: the range of each hyperparameter, both ends included, and the "
        "paper or documentation it comes from. Values in the name of a row were not searched."
    )
    return Table("Spaces", caption, heads, tuple(lines))


def _show_quality(qualities: Sequence[Quality | None]) -> AnyCell:
    """The means over the folds."""
    known = [quality for quality in qualities if quality is not None]
    if len(known) < len(qualities):
        return MissingCell("no trial of a fold has a value")

    expected = statistics.fmean(quality.expected for quality in known)
    low = statistics.fmean(quality.low for quality in known)
    high = statistics.fmean(quality.high for quality in known)
    interval = f"{words.number(low)} to {words.number(high)}"
    return TableCell(words.number(expected), small=interval, sort_value=expected)

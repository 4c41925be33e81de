"""The report's answer to how algorithms learned: their own error after each epoch."""

import statistics
from collections.abc import Sequence

from recbench.reports import words
from recbench.reports.drawing import PARTS, Curves, Picture, RowCurves, draw_curves, read_curves
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Bullets,
    FailedCells,
    Figure,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results, Row
from recbench.reports.sections.registry import section, title_figure

ENDS = ("first", "last", "lowest")


@section("How did they learn?", place=60)
def learning(results: Results) -> list[Block] | None:
    """Panels of error against epoch, a sentence for each row, a table of their ends.

    None if no record has a trace.
    """
    curves_by_row = [read_curves(row) for row in results.rows]
    traced = [curves for curves in curves_by_row if curves]
    if not traced:
        return None

    title = title_figure(results, "Error after each epoch (RMSE)")
    picture = Picture(
        "learning",
        f"Learning curves. {title}. The table has their ends.",
        lambda: draw_curves(traced, title),
    )

    caption = (
        "The error that each algorithm reported for each epoch. All panels share one logarithmic "
        "axis; a first epoch may lie above it. Some algorithms measure the error during an epoch, "
        "others after it, so small differences between rows mean nothing here. These are not the "
        "test errors."
    )

    return [
        Figure(picture, caption, region="Learning curves"),
        Bullets(tuple(_describe_rows(traced))),
        _tabulate_ends(results, traced),
    ]


def _row_of(curves: RowCurves) -> Row:
    return next(iter(curves.values())).row


def _tabulate_ends(results: Results, traced: Sequence[RowCurves]) -> Table:
    """How many epochs, and each part's first, last and lowest error, as means over the folds."""
    is_validated = any("val" in curves for curves in traced)
    parts = ["train", "val"] if is_validated else ["train"]
    averaged = words.over_folds(results, "; means over the folds")
    caption = f"RMSE after the first and the last epoch, and the lowest of all{averaged}."
    if is_validated:
        caption += (
            " Inner validation is on ratings that the algorithm itself held out of its training "
            "part."
        )

    heads = [TableHead("row", "text"), TableHead("epochs")]
    for part in parts:
        meaning = PARTS[part]
        heads += [TableHead(end, small=(meaning,)) for end in ENDS]

    lines = tuple(_describe_ends(curves, parts) for curves in traced)
    return Table("Ends of the learning curves", caption, tuple(heads), lines)


def _describe_ends(curves: RowCurves, parts: Sequence[str]) -> TableLine:
    """One row's epochs and errors; or its failure in place of the errors."""
    row = _row_of(curves)
    cells: list[AnyCell] = [TableCell(words.span(_count_epochs(row)))]
    if row.failure:
        cells.append(FailedCells(row.failure, len(parts) * len(ENDS)))
    else:
        for part in parts:
            cells += [TableCell(text) for text in _mean_ends(curves.get(part))]

    return TableLine(RowName(row.name), tuple(cells))


def _mean_ends(curves: Curves | None) -> list[str]:
    """The first, the last and the lowest error, means over the folds.

    Dashes if a fold lacks one.
    """
    if curves is None or not curves.is_whole:
        return [words.NONE] * len(ENDS)

    firsts = [curve[0] for curve in curves.folds]
    lasts = [curve[-1] for curve in curves.folds]
    lowest = [value for _, value in curves.lowest()]
    texts = []

    for values in (firsts, lasts, lowest):
        texts.append(words.number(statistics.fmean(v for v in values if v is not None)))
    return texts


def _count_epochs(row: Row) -> list[int]:
    """How many epochs each fold with a trace ran."""
    return [len(record.trace) for record in row.records if record.status == "ok" and record.trace]


def _describe_rows(traced: Sequence[RowCurves]) -> list[str]:
    """What the records say of each row's epochs.

    Rows of which the same is said share a sentence.
    """
    rows_by_text: dict[str, list[str]] = {}
    for curves in traced:
        row = _row_of(curves)
        rows_by_text.setdefault(_describe_epochs(row, curves), []).append(row.name)
    return [f"{words.listed(names)}: {text}." for text, names in rows_by_text.items()]


def _describe_epochs(row: Row, curves: RowCurves) -> str:
    """How many epochs ran, where inner validation was best, whether early stopping ended a fold."""
    lengths = _count_epochs(row)
    unit = "epoch" if max(lengths) == 1 else "epochs"
    parts = [f"{words.span(lengths)} {unit}{_name_folds(row, lengths)}"]
    if "val" in curves:
        parts.append(f"lowest inner-validation RMSE {_locate_lowest(curves['val'])}")

    stopping = _describe_early_stopping(row, lengths)
    if stopping:
        parts.append(stopping)
    return "; ".join(parts)


def _name_folds(row: Row, lengths: Sequence[int]) -> str:
    """In which folds the epochs were counted; empty if there is only one."""
    n_folds = len(row.records)
    if len(lengths) < n_folds:
        return f" in the {words.count(len(lengths), 'fold')} of {n_folds} with a record of it"
    if n_folds == 1:
        return ""
    if len(set(lengths)) == 1:
        return f" in each of {n_folds} folds"
    return f" in {n_folds} folds"


def _locate_lowest(curves: Curves) -> str:
    """In which epochs folds had their lowest error: the last of each, or from which to which."""
    epochs = [epoch for epoch, _ in curves.lowest()]
    pairs = zip(epochs, curves.folds, strict=True)
    if all(epoch == len(curve) for epoch, curve in pairs):
        of_folds = " of each fold" if len(epochs) > 1 else ""
        return f"in the last epoch{of_folds}"

    unit = "epoch" if min(epochs) == max(epochs) else "epochs"
    return f"in {unit} {words.span(epochs)}"


def _describe_early_stopping(row: Row, lengths: Sequence[int]) -> str:
    """How many folds early stopping ended; empty if the row has no patience or epochs."""
    allowed = row.planned_epochs
    patience = row.records[0].cell.parameters.get("patience")
    if allowed is None or not isinstance(patience, int) or patience <= 0:
        return ""

    n_stopped = sum(length < allowed for length in lengths)
    ended = "ended no fold"
    if n_stopped:
        ended = f"ended {n_stopped} of {words.count(len(lengths), 'fold')}"

    return (
        f"early stopping (patience {patience}) {ended} before the {allowed} epochs that were "
        "allowed"
    )

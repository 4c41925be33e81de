"""What a report on several data sets shows beside means and ranks: standings with every missing and
imputed number marked, groups of users and items, memory, and the checklist of pitfalls.
"""

from collections.abc import Sequence
from dataclasses import replace

from recbench.reports import words
from recbench.reports.answers import answer_checklist
from recbench.reports.rendering import (
    AnyCell,
    Block,
    Details,
    Heading,
    MissingCell,
    Note,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.sections import GroupBest, find_best_of_groups, slices
from recbench.reports.several.claims import RULE
from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.standings import Standing, share_of_fallbacks

SIGNS = {"won": "★", "tied": "≈", "behind": "", "not known": "?", "no mean": words.NONE}
STANDINGS_METHOD = (
    "★ has the best mean of the data set; ≈ is not significantly different from it; ? has a mean, "
    "and how sure the difference is, is not known; all other numbers are significantly worse. The "
    "number is by how many percent of the best mean the row is worse. No number is imputed: a row "
    "without a mean says why, and has no mean over the data sets. Fallback is the share of "
    "predictions that are the training mean, because the row had none of its own."
)


def describe_standings(comparison: DatasetComparison) -> list[Block]:
    """For each headline metric: on which data sets rows won, tied or are behind, and how far."""
    blocks: list[Block] = [Paragraph(RULE), Note(STANDINGS_METHOD)]
    for column in comparison.headline.values():
        standings = comparison.standings(column)
        if standings:
            blocks.append(_tabulate_standings(comparison, column, list(standings.values())))
    return blocks


def _tabulate_standings(
    comparison: DatasetComparison, column: str, standings: Sequence[Standing]
) -> Table:
    ordered = sorted(standings, key=_order_standing)
    heads = [
        TableHead("row", "text"),
        TableHead("won", higher_is_better=True),
        TableHead("tied", higher_is_better=True),
        TableHead("behind"),
        TableHead("worse than the best", small=("mean",)),
    ]
    heads += [TableHead(label) for label in comparison.runs]
    lines = tuple(_describe_standing(comparison, column, standing) for standing in ordered)
    name = words.field_name(column)
    caption = (
        f"{name}: on how many data sets a row has the best mean, is not significantly different "
        "from it, or is significantly worse; and how far it is from the best"
    )
    return Table(f"Standings by {name}", caption, tuple(heads), lines, is_sortable=True)


def _order_standing(standing: Standing) -> tuple[int, int, float]:
    """Sorts by wins, then ties, then the mean distance; unknown ones last."""
    gap = standing.mean_gap
    distance = float("inf") if gap is None else gap
    return -standing.count("won"), -standing.count("tied"), distance


def _describe_standing(comparison: DatasetComparison, column: str, standing: Standing) -> TableLine:
    gap = standing.mean_gap
    cells: list[AnyCell] = [
        TableCell(str(standing.count("won"))),
        TableCell(str(standing.count("tied"))),
        TableCell(str(standing.count("behind"))),
        MissingCell("not on all data sets"),
    ]
    if gap is not None:
        cells[-1] = TableCell(words.share_of_best(gap), sort_value=gap)

    outcomes = zip(comparison.by_run.values(), standing.outcomes, standing.gaps, strict=True)
    for rows, outcome, gap_here in outcomes:
        row = rows.get(standing.name)
        if outcome == "no mean":
            reason = row.missing(column) if row is not None else "not in the run"
            cells.append(MissingCell(reason))
            continue
        share = share_of_fallbacks(row, column)
        note = f"{share:.1%} fallback" if share else ""
        text = words.NONE if gap_here is None else words.share_of_best(gap_here)
        cells.append(TableCell(f"{SIGNS[outcome]} {text}".strip(), note, sort_value=gap_here))
    return TableLine(RowName(standing.name), tuple(cells))


def describe_groups(comparison: DatasetComparison) -> list[Block] | None:
    """The best row for each group of users and items on each data set, and all rows folded below.

    None if no run has recorded groups.
    """
    best_by_run = {}
    for label, results in comparison.runs.items():
        best_by_run[label] = find_best_of_groups(results)
    groups = dict.fromkeys(
        (best.kind, best.column, best.group) for found in best_by_run.values() for best in found
    )
    if not groups:
        return None

    lines = []
    for kind, column, group in groups:
        cells = [
            _show_best(_find_group(found, kind, column, group)) for found in best_by_run.values()
        ]
        lines.append(TableLine(f"{group} {kind}, {words.field_name(column)}", tuple(cells)))
    table = Table(
        "The best row for each group",
        "Which row has the best mean for which group of users or items, and that mean. By how much "
        "it is ahead stands in the tables of each data set below.",
        (TableHead("group", "text"), *(TableHead(label, "text") for label in comparison.runs)),
        tuple(lines),
    )
    blocks: list[Block] = [table]
    for label, results in comparison.runs.items():
        of_run = slices(results)
        if of_run is not None:
            named = tuple(_name_region(block, label) for block in of_run)
            blocks.append(Details(f"All rows on {label}", named))
    return blocks


def _name_region(block: Block, label: str) -> Block:
    """A table whose region is of its data set alone: those of several data sets share a page."""
    if isinstance(block, Table):
        return replace(block, label=f"{block.label}, {label}")
    return block


def _find_group(found: Sequence[GroupBest], kind: str, column: str, group: str) -> GroupBest | None:
    for best in found:
        if (best.kind, best.column, best.group) == (kind, column, group):
            return best
    return None


def _show_best(best: GroupBest | None) -> AnyCell:
    if best is None:
        return MissingCell("no such group")
    return TableCell(words.listed(best.rows), words.number(best.value))


def describe_memory(comparison: DatasetComparison) -> Block:
    """The megabytes that each row's process held at most, on each data set."""
    lines = []
    for name in comparison.rows:
        cells: list[AnyCell] = []
        for rows in comparison.by_run.values():
            used = rows[name].memory_mb("peak_mb") if name in rows else None
            if used is None:
                cells.append(MissingCell("not known"))
            else:
                cells.append(TableCell(words.megabytes(used), sort_value=used))
        lines.append(TableLine(RowName(name), tuple(cells)))

    heads = [TableHead("row", "text")]
    heads += [TableHead(label, small=("MB",)) for label in comparison.runs]
    caption = (
        "Memory that the process of a row held at most on each data set, the greatest of all "
        "phases and folds"
    )
    table = Table("Peak memory", caption, tuple(heads), tuple(lines), is_sortable=True)
    return Details("Memory", (table,))


def describe_checklist(comparison: DatasetComparison) -> list[Block]:
    """The pitfalls by data set: avoided or not, and what that rests on where it is not `yes`."""
    answers_by_run = {}
    for label, results in comparison.runs.items():
        answers_by_run[label] = answer_checklist(results)
    questions = [question for question, _, _ in next(iter(answers_by_run.values()))]
    lines = []
    for place, question in enumerate(questions):
        answers = {label: answers[place] for label, answers in answers_by_run.items()}
        cells = [TableCell(word) for _, word, _ in answers.values()]
        reasons = _join_evidence({label: answer[2] for label, answer in answers.items()})
        lines.append(TableLine(question, (*cells, TableCell(reasons))))

    heads = (
        TableHead("question", "text"),
        *(TableHead(label, "word") for label in comparison.runs),
        TableHead("what that rests on", "text"),
    )
    caption = "Pitfalls, and whether the records say that they were avoided, on each data set."
    return [Heading("Checklist"), Table("Checklist", caption, heads, tuple(lines))]


def _join_evidence(evidence_by_run: dict[str, str]) -> str:
    """What answers rest on; once where it is the same on all data sets."""
    labels_by_evidence: dict[str, list[str]] = {}
    for label, evidence in evidence_by_run.items():
        labels_by_evidence.setdefault(evidence, []).append(label)
    if len(labels_by_evidence) == 1:
        return f"{next(iter(labels_by_evidence))}."
    parts = [
        f"{words.listed(labels)}: {evidence}." for evidence, labels in labels_by_evidence.items()
    ]
    return " ".join(parts)

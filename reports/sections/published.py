"""The report's comparison with numbers that others have published for the same table."""

from collections import Counter
from dataclasses import dataclass

from recbench.benchmarks.records import PublishedNumber
from recbench.datasets.foundation import count_decimals
from recbench.reports import words
from recbench.reports.rendering import (
    Block,
    Paragraph,
    References,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results
from recbench.reports.sections.registry import section


@dataclass(frozen=True)
class ComparedNumber:
    """One published number beside the measured one, in words; `source` is such as `[1]`."""

    row: str
    metric: str
    published: str
    measured: str
    difference: str
    tolerance: str
    verdict: str
    source: str


@dataclass(frozen=True)
class Agreement:
    """All published numbers, how many of them agree in a sentence or two, and their sources."""

    numbers: tuple[ComparedNumber, ...]
    summary: str
    sources: tuple[str, ...]


@section("How do the numbers compare with published ones?", place=85)
def published(results: Results) -> list[Block] | None:
    """Published, measured, difference and verdict of each number; None where the suite has none."""
    agreement = compare_with_published(results)
    if agreement is None:
        return None

    lines = []
    for number in agreement.numbers:
        texts = (
            number.metric,
            number.published,
            number.measured,
            number.difference,
            number.tolerance,
            number.verdict,
            number.source,
        )
        cells = tuple(TableCell(text) for text in texts)
        lines.append(TableLine(RowName(number.row), cells))

    table = Table(
        "Published and measured numbers",
        "What others have published for the same protocol, beside the mean over the folds of this "
        "run; over the seeds, if a split with one division was measured with several",
        (
            TableHead("row", "text"),
            TableHead("metric", "text"),
            TableHead("published"),
            TableHead("measured"),
            TableHead("difference"),
            TableHead("tolerance"),
            TableHead("verdict", "text"),
            TableHead("source", "text"),
        ),
        tuple(lines),
        is_sortable=True,
    )
    return [Paragraph(agreement.summary), table, References(agreement.sources)]


def compare_with_published(results: Results) -> Agreement | None:
    """The suite's published numbers beside the means of this run; None where the suite has none."""
    entries = results.about.published
    if not entries:
        return None

    sources = list(dict.fromkeys(entry.source for entry in entries))
    numbers = []
    for entry in entries:
        source = f"[{sources.index(entry.source) + 1}]"
        numbers.append(_compare_number(results, entry, source))

    return Agreement(tuple(numbers), _summarise(numbers), tuple(sources))


def _summarise(numbers: list[ComparedNumber]) -> str:
    """How many of the measured numbers agree, and how many were not measured."""
    counts = Counter(number.verdict for number in numbers)
    n_measured = counts["agrees"] + counts["differs"]
    summary = (
        f"{counts['agrees']} of {words.count(n_measured, 'published number')} measured here come "
        "out within their tolerance."
    )
    if counts["not measured"]:
        summary += (
            f" {words.count(counts['not measured'], 'number')} could not be compared, because the "
            "row has no mean."
        )

    return summary


def _compare_number(results: Results, entry: PublishedNumber, source: str) -> ComparedNumber:
    """One entry of the suite beside what was measured, if its row is in this run and has a mean."""
    row = next((row for row in results.rows if row.name == entry.row), None)
    mean = row.mean_of_seeds(entry.column) if row else None

    if mean is None:
        difference = words.NONE
        verdict = "not measured"
    else:
        difference = f"{mean - entry.value:+.{count_decimals(mean)}f}"
        agrees = abs(mean - entry.value) <= entry.tolerance
        verdict = "agrees" if agrees else "differs"

    return ComparedNumber(
        row=entry.row,
        metric=words.field_name(entry.column),
        published=f"{entry.value:g}",
        measured=words.number(mean),
        difference=difference,
        tolerance=f"± {entry.tolerance:g}",
        verdict=verdict,
        source=source,
    )

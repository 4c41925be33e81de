"""The report's comparison with numbers that others have published for the same table."""

from collections import Counter
from typing import Any

from recbench.benchmarks.records import PublishedNumber
from recbench.reports import words
from recbench.reports.results import Results
from recbench.reports.sections.registry import section

Entry = dict[str, str]


@section("How do the numbers compare with published ones?")
def published(results: Results) -> dict[str, Any] | None:
    """Published, measured, difference and verdict of each number; no section where the suite has none."""
    numbers = results.about.published
    if not numbers:
        return None
    entries = [_entry(results, number) for number in numbers]
    counts = Counter(entry["verdict"] for entry in entries)
    agree, measured = counts["agrees"], counts["agrees"] + counts["differs"]
    verdict = f"{agree} of {words.count(measured, 'published number')} measured here come out within their tolerance."
    if unmeasured := len(entries) - measured:
        verdict += f" {words.count(unmeasured, 'number')} could not be compared, because the row has no mean."
    sources = list(dict.fromkeys(number.source for number in numbers))
    for entry, number in zip(entries, numbers, strict=True):
        entry["source"] = f"[{sources.index(number.source) + 1}]"
    return {"entries": entries, "verdict": verdict, "sources": sources}


def _entry(results: Results, number: PublishedNumber) -> Entry:
    row = next((row for row in results.rows if row.name == number.row), None)
    mean = row.mean(number.column) if row else None
    difference = None if mean is None else mean - number.value
    if difference is None:
        verdict = "not measured"
    else:
        verdict = "agrees" if abs(difference) <= number.tolerance else "differs"
    return {
        "row": number.row,
        "column": number.column,
        "published": f"{number.value:g}",
        "tolerance": f"± {number.tolerance:g}",
        "measured": words.number(mean),
        "difference": words.NONE if difference is None else f"{difference:+.4f}",
        "verdict": verdict,
    }

"""The sections of a report on several data sets; their templates are in `templates/comparison/`."""

from typing import Any

from recbench.benchmarks.gating import MACHINE_FACTS
from recbench.reports import words
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.drawing import picture as figures
from recbench.reports.results import Results, metrics
from recbench.reports.sections import Section, in_words, not_ok
from recbench.reports.several import words as comparison_words
from recbench.reports.several.comparison import Comparison, Overview
from recbench.reports.several.critical_difference import Ranking, diagram
from recbench.reports.several.words import titled

Context = dict[str, Any]
LITERATURE = [
    "J. Demšar. Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006, 1–30",
    "R. L. Iman, J. M. Davenport. Approximations of the Critical Region of the Friedman Statistic. Communications in "
    "Statistics A9(6), 1980, 571–595",
    "P. B. Nemenyi. Distribution-free Multiple Comparisons. PhD thesis, Princeton University, 1963",
    "A. Benavoli, G. Corani, F. Mangili. Should We Really Use Post-Hoc Tests Based on Mean-Ranks? JMLR 17(5), "
    "2016, 1–10",
]


def summary(comparison: Comparison) -> Context:
    """The runs in sentences."""
    return {"sentences": comparison_words.summary(comparison)}


def accuracy(comparison: Comparison) -> Context:
    """A heatmap of rows against data sets for the first error, and one for the first ranking metric."""
    shown = [_with_picture(comparison, drawn) for drawn in comparison.accuracies()]
    return {"heatmaps": shown, "key": heatmaps.key()}


def _with_picture(comparison: Comparison, drawn: Overview) -> Context:
    heading = titled(comparison, drawn.title)
    alternative = (
        f"Heatmap of recommenders against data sets: {heading}. The table has the same numbers."
    )
    picture = figures.Picture(drawn.name, alternative, lambda: figures.heatmap(drawn, heading))
    return {"heatmap": drawn, "picture": picture}


def cost(comparison: Comparison) -> Context:
    """The heatmap of fit times, and whether they come from one machine."""
    remarks = []
    for key in MACHINE_FACTS:
        found = {
            label: getattr(results.about.environment, key)
            for label, results in comparison.runs.items()
        }
        if len(set(found.values())) > 1:
            each = "; ".join(f"{value} for {label}" for label, value in found.items())
            remarks.append(f"The runs did not have the same {key}: {each}.")
    contended = [
        label
        for label, rows in comparison.by_run.items()
        if any(row.contended for row in rows.values())
    ]
    if contended:
        remarks.append(
            f"Cells ran side by side, so times are contended: {words.listed(contended)}."
        )
    return _with_picture(comparison, comparison.fits()) | {
        "key": heatmaps.key(),
        "remarks": remarks,
    }


def ranks(comparison: Comparison) -> Context:
    """Mean ranks by each metric, what the tests say of them, and a diagram for each headline metric that has one."""
    rankings = {column: comparison.ranking(column) for column in comparison.columns}
    pictures = []
    for name, column in comparison.headline.items():
        if not rankings[column].obstacle:
            pictures.append(
                _diagram(comparison, rankings[column], f"critical-difference-{name}", column)
            )
    order = dict.fromkeys(name for column in rankings for name in rankings[column].names)
    return {
        "columns": list(rankings),
        "entries": [
            (name, [_mean_rank(ranking, name) for ranking in rankings.values()]) for name in order
        ],
        "tests": [_test(column, ranking) for column, ranking in rankings.items()],
        "left_out": _left_out(comparison),
        "pictures": pictures,
        "data_sets": list(comparison.runs),
    }


def _diagram(comparison: Comparison, ranking: Ranking, name: str, column: str) -> figures.Picture:
    heading = titled(comparison, f"mean ranks by {column} over {len(comparison.runs)} data sets")
    groups = [words.listed(ranking.names[first : last + 1]) for first, last in ranking.groups]
    joined = (
        f"Joined because they cannot be told apart: {'; '.join(groups)}."
        if groups
        else "No two rows are joined."
    )
    alternative = f"Critical-difference diagram: {heading}. {joined} The table has the mean ranks."
    return figures.Picture(name, alternative, lambda: diagram(ranking, heading))


def _mean_rank(ranking: Ranking, name: str) -> Context:
    if name not in ranking.names:
        return {"text": words.NONE, "note": "", "value": None}
    place = ranking.names.index(name)
    each = ", ".join(f"{value:g}" for value in ranking.ranks[place])
    return {
        "text": words.rank(ranking.means[place]),
        "note": each,
        "value": float(ranking.means[place]),
    }


def _test(column: str, ranking: Ranking) -> Context:
    """What the Friedman test and the critical difference say of one metric."""
    n_rows = len(ranking.names)
    known = n_rows > 1 and ranking.f > 0
    said = ranking.obstacle
    if not said:
        pairs = n_rows * (n_rows - 1) // 2
        apart = sum(
            other - mean >= ranking.difference for mean in ranking.means for other in ranking.means
        )
        said = f"{apart} of {words.count(pairs, 'pair')} of rows can be told apart."
    return {
        "column": column,
        "rows": n_rows,
        "friedman": ranking.test if known else words.NONE,
        "difference": words.rank(ranking.difference) if n_rows > 1 else words.NONE,
        "verdict": said,
    }


def _left_out(comparison: Comparison) -> list[str]:
    """By headline metric, who has no mean rank and why."""
    sentences = []
    for column in comparison.headline.values():
        reasons = comparison.left_out(column)
        if reasons:
            each = "; ".join(
                f"{reason}: {words.listed(names)}" for reason, names in reasons.items()
            )
            sentences.append(f"Without a mean rank by {column}: {each}.")
    return sentences


def failures(comparison: Comparison) -> Context:
    """The cells of all runs that are not ok."""
    n_cells = sum(len(results.records) for results in comparison.runs.values())
    failed = [
        {"data": label, **entry}
        for label, results in comparison.runs.items()
        for entry in not_ok(results)
    ]
    return {"failed": failed, "n_cells": n_cells}


def method(comparison: Comparison) -> Context:
    """Where each column comes from, and what its numbers mean."""
    runs = [(label, _facts(comparison, results)) for label, results in comparison.runs.items()]
    protocol = comparison.first.about.protocol
    rules = [("cutoffs", words.listed(map(str, protocol["ks"])))]
    rules += [(name, in_words(rule)) for name, rule in protocol["protocols"].items()]
    rules.append(("protocol version", str(protocol["version"])))
    return {
        "runs": runs,
        "metrics": metrics(comparison.first),
        "protocol": rules,
        "literature": LITERATURE,
    }


def _facts(comparison: Comparison, results: Results) -> Context:
    """One run in words: its data, where it is, and how it was made."""
    data, page = results.about.data, results.run.directory / "report.html"
    return {
        "data": data,
        "size": f"{data.ratings:,} ratings by {data.users:,} users of {data.items:,} items",
        "scale": "{:g} to {:g}".format(*data.scale),
        "split": words.split(results),
        "directory": str(results.run.directory),
        "command": results.about.command,
        "report": comparison.link(page) if page.is_file() else "",
    }


SECTIONS = {
    "summary": Section("What came out?", summary),
    "accuracy": Section("How accurate?", accuracy),
    "cost": Section("How long does a fit take?", cost),
    "ranks": Section("Who ranks first over the data sets?", ranks),
    "failures": Section("What did not run?", failures),
    "method": Section("How was it measured?", method),
}

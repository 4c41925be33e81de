"""The report's answer to whether rows are better together, where somebody has blended them."""

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.tuning import Blend, read_blends
from recbench.reports import words
from recbench.reports.rendering import (
    Block,
    Paragraph,
    RowName,
    Table,
    TableCell,
    TableHead,
    TableLine,
)
from recbench.reports.results import Results
from recbench.reports.sections.registry import section

STALE = (
    "There are blends of other records than those of this report, which are left out: blend the "
    "run again."
)


@section("Are rows better together?", place=37)
def blends(results: Results) -> list[Block] | None:
    """The blends of the run's tuned rows beside their best members.

    None if nobody has made any.
    """
    made = read_blends(results.run.directory)
    if not made:
        return None

    known = {record.answers for record in results.records}
    shown = [blend for blend in made if known.issuperset(blend.answers)]
    blocks: list[Block] = []
    if shown:
        blocks = [Paragraph(_summarise(blend)) for blend in shown]
        blocks.append(_tabulate_blends(shown))
    if len(shown) < len(made):
        blocks.append(Paragraph(STALE))
    return blocks


def _summarise(blend: Blend) -> str:
    """Whether the blend beats its best member."""
    verdict = "does not beat its best member"
    if blend.beats_best:
        verdict = "beats its best member significantly"
    elif find_metric(blend.column).loss(blend.value - blend.best_value) < 0:
        verdict = "is better than its best member, but not significantly"
    own = words.number(blend.value, blend.interval)
    best = words.number(blend.best_value, blend.interval)
    name = words.field_name(blend.column)
    return f"{blend.row} {verdict}: {name} {own}, and {best} of {blend.best_member}."


def _tabulate_blends(shown: list[Blend]) -> Table:
    """A row a blend."""
    lines = []
    for blend in shown:
        value, low, high = blend.difference
        bounds = (low, high)
        interval = f"{words.signed(low, bounds)} to {words.signed(high, bounds)}"
        cells = (
            TableCell(words.field_name(blend.column)),
            TableCell(words.number(blend.value, blend.interval), words.between(blend.interval)),
            TableCell(words.number(blend.best_value, blend.interval), blend.best_member),
            TableCell(words.signed(value, bounds), interval),
            TableCell(words.chance(blend.p_value)),
            TableCell(_describe_weights(blend)),
        )
        lines.append(TableLine(RowName(blend.row), cells))

    return Table(
        "Blends",
        "Tuned rows blended: the weights are fitted to the answers of the best trials on the "
        "validation part of each fold, the values are those on the test parts. Ratings are blended "
        "by non-negative least squares, lists by reciprocal ranks. A blend is no row of its own in "
        "other tables, since nothing was fitted or timed for it: it takes what all of its members "
        "take. The difference is to the member that is best on the test parts; its interval and p "
        "are adjusted for all pairs of the blend and its members.",
        (
            TableHead("row", "text"),
            TableHead("metric", "word"),
            TableHead("blend", small=("95 % interval",)),
            TableHead("best member"),
            TableHead("difference", small=("95 % interval",)),
            TableHead("p"),
            TableHead("weights", "text"),
        ),
        tuple(lines),
    )


def _describe_weights(blend: Blend) -> str:
    """The weight of each member, or the lowest and the highest of all folds."""
    texts = []
    for row in blend.weights[0]:
        values = [of_fold[row] for of_fold in blend.weights]
        low = f"{min(values):.2f}"
        high = f"{max(values):.2f}"
        texts.append(f"{row} {low}" if low == high else f"{row} {low} to {high}")
    return ", ".join(texts)

"""Tables for a paper: LaTeX with booktabs, made from the heatmaps that the pages show."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from recbench.reports import words
from recbench.reports.drawing import Column, Heatmap, Line, Square
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.results import Results
from recbench.reports.sections import published, titled
from recbench.reports.several import Comparison
from recbench.reports.several import words as comparison_words

TEMPLATES = Path(__file__).parent / "templates"
LETTERS = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        **{
            "±": r"$\pm$",
            "≈": r"$\approx$",
            "−": "$-$",
            "–": "--",
            "→": r"$\rightarrow$",
            "∞": r"$\infty$",
        },
        **{"↓": r"$\downarrow$", "↑": r"$\uparrow$", "★": r"$\star$"},
    }
)
BOLD = "Bold is the best mean"
NEAR = "≈ marks what a paired bootstrap over users cannot tell from it at the 5 % level after Holm's correction"


@dataclass(frozen=True)
class Table:
    """A heatmap on paper: the section it belongs to, its numbers without colours, and what stands above them."""

    section: str
    drawn: Heatmap
    caption: str

    def source(self) -> str:
        """The LaTeX of a `table`; everything from data is escaped, and what is not ASCII is UTF-8."""
        return (
            _environment().get_template("table.tex").render(drawn=self.drawn, caption=self.caption)
        )


def escaped(value: object) -> Markup:
    """Text as LaTeX that prints just this text, in one line."""
    if isinstance(value, Markup):
        return value
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    text = text.translate(LETTERS).replace("--", "-{}-") if text != words.NONE else "--"
    return Markup(re.sub(r"(?<![\w.}])-(?=\d)", "$-$", text))


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=escaped,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
    )


def of_run(results: Results) -> Iterator[Table]:
    """Accuracy, cost, and the comparison with published numbers where there is one."""
    drawn = heatmaps.accuracy(results)
    lines = [_with_deviations(results, line, drawn.columns) for line in drawn.lines]
    folds = "Mean ± standard deviation over the folds, which is no standard error, because folds share training data"
    marks = {square.mark for line in lines for square in line.squares}
    said = [folds, *([BOLD] if "best" in marks else []), *([NEAR] if "near" in marks else [])]
    yield Table(
        "accuracy", replace(drawn, lines=lines), _caption(titled(results, "Accuracy"), *said)
    )
    caption = _caption(
        titled(results, "Cost"), "Wall-clock seconds, mean over the folds, and the greatest memory"
    )
    yield Table("cost", heatmaps.cost(results), caption)
    context = published(results)
    if context:
        heads = ("metric", "published", "measured", "difference", "tolerance", "verdict", "source")
        entries = context["entries"]
        rows = [
            Line(e["row"], "", [Square(e.get(h, e["column"]), "") for h in heads]) for e in entries
        ]
        sources = [
            f"[{number}] {source}" for number, source in enumerate(context["sources"], start=1)
        ]
        numbers = Heatmap("published", "", [Column(head, "", "") for head in heads], rows)
        yield Table(
            "published",
            numbers,
            _caption(titled(results, "Published numbers"), context["verdict"], *sources),
        )


def _with_deviations(results: Results, line: Line, columns: list[Column]) -> Line:
    """The line with its deviations over the folds beside the means."""
    row = next(row for row in results.rows if row.name == line.name)
    squares = []
    for square, column in zip(line.squares, columns, strict=False):
        spread = row.spread(column.name)
        squares.append(replace(square, text=words.plus_minus(spread)) if spread else square)
    return replace(line, squares=squares)


def of_comparison(comparison: Comparison) -> Iterator[Table]:
    """The headline metrics and fit times by data set, and the mean ranks."""
    for drawn in comparison.accuracies():
        yield Table("accuracy", drawn, _caption(comparison_words.titled(comparison, drawn.title)))
    drawn = comparison.fits()
    yield Table("cost", drawn, _caption(comparison_words.titled(comparison, drawn.title)))
    rankings = {column: comparison.ranking(column) for column in comparison.columns}
    lines = []
    ranked = {name for ranking in rankings.values() for name in ranking.names}
    for name in [name for name in comparison.contestants if name in ranked]:
        means = [
            dict(zip(ranking.names, ranking.means, strict=True)).get(name)
            for ranking in rankings.values()
        ]
        squares = [Square(words.NONE if mean is None else words.rank(mean), "") for mean in means]
        lines.append(Line(name, comparison.rows[name], squares))
    heads = [
        Column(column, f"{len(ranking.names)} rows", "") for column, ranking in rankings.items()
    ]
    title = comparison_words.titled(comparison, f"mean ranks over {words.listed(comparison.runs)}")
    yield Table("ranks", Heatmap("ranks", "", heads, lines), _caption(title, "1 is the best"))


def _caption(*sentences: str) -> str:
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence)

"""The text "Experimental set-up" of a paper, from what the plan and the records say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.tuning import History, parse_budget
from recbench.datasets.ratings import Step
from recbench.reports import words
from recbench.reports.papers.escape import escape_latex
from recbench.reports.papers.references import (
    Bibliography,
    Reference,
    cite,
    find_papers,
)
from recbench.reports.results import Results, Row, metrics
from recbench.reports.sections import STATISTICS, define_metrics, list_environment, list_protocol

TITLE = "Experimental set-up"

# What is said of the machine; versions of libraries follow it.
NOT_FOR_PAPERS = ("bound", "contended", "apart", "in_process", "started")


@dataclass(frozen=True)
class Citation:
    """References in a sentence."""

    references: tuple[Reference, ...]


BOOTSTRAP = "Differences are judged by a paired bootstrap over users."
# The end of what the page says of its statistics, which is about the page.
OF_THE_PAGE = " The option --repeats measures by how much."

Piece = str | Citation


@dataclass(frozen=True)
class Passage:
    """A paragraph with its title."""

    title: str
    pieces: tuple[Piece, ...]


def write_latex(passages: Iterable[Passage]) -> str:
    """The text as LaTeX; everything from data is escaped."""
    parts = [
        "% Needs \\usepackage[T1]{fontenc}, and references.bib beside it.",
        f"\\section{{{TITLE}}}",
    ]
    for passage in passages:
        text = "".join(map(_latex_of, passage.pieces))
        parts.append(f"\\paragraph{{{escape_latex(passage.title)}}} {text}")
    return "\n\n".join(parts) + "\n"


def _latex_of(piece: Piece) -> str:
    if isinstance(piece, Citation):
        return f" {cite(piece.references)}" if piece.references else ""
    return str(escape_latex(piece))


def write_markdown(passages: Iterable[Passage], bibliography: Bibliography) -> str:
    """The same as Markdown, with a list of what is cited."""
    parts = [f"# {TITLE}"]
    for passage in passages:
        text = "".join(map(_markdown_of, passage.pieces))
        parts.append(f"**{words.markdown(passage.title)}** {text}")

    entries = []
    for entry in bibliography.entries:
        description = words.markdown(f"[{entry.key}] {entry.label}")
        entries.append(f"- {description}")
    parts.append("Cited, see `references.bib`:")
    parts.append("\n".join(entries))
    return "\n\n".join(parts) + "\n"


def _markdown_of(piece: Piece) -> str:
    if isinstance(piece, Citation):
        labels = "; ".join(reference.label for reference in piece.references)
        return str(words.markdown(f" ({labels})")) if labels else ""
    return str(words.markdown(piece))


def describe_setup(results: Results, bibliography: Bibliography) -> list[Passage]:
    """Data, split, metrics, candidates, algorithms, tuning, statistics, machine, commands."""
    passages = [
        Passage("Data.", tuple(_describe_data(results, bibliography))),
        Passage("Split and candidates.", tuple(_describe_protocol(results))),
        Passage("Metrics.", tuple(_describe_metrics(results))),
        Passage("Algorithms.", tuple(_list_algorithms(results, bibliography))),
        Passage("Hyperparameters.", tuple(_describe_tuning(results, bibliography))),
    ]
    if results.certainty:
        methods = Citation(_pick(bibliography, ("efron", "hesterberg", "westfall")))
        text = f"{BOOTSTRAP} {STATISTICS.removesuffix(OF_THE_PAGE).rstrip('.')}"
        passages.append(Passage("Statistics.", (text, methods, ".")))
    passages.append(Passage("Hardware and software.", tuple(_describe_machine(results))))
    passages.append(Passage("Reproduction.", tuple(_describe_reproduction(results, bibliography))))
    return passages


def _pick(bibliography: Bibliography, starts: Sequence[str]) -> tuple[Reference, ...]:
    """The methods whose keys begin so."""
    return tuple(one for one in bibliography.of_methods if one.key.startswith(tuple(starts)))


def _describe_data(results: Results, bibliography: Bibliography) -> Iterator[Piece]:
    data = results.about.data
    lowest, highest = data.scale
    if data.simulated:
        yield "THE RATINGS ARE SIMULATED. "
    yield f"We use {data.name}"
    yield Citation(bibliography.of_data)
    yield (
        f": {data.ratings:,} ratings of {words.count(data.users, 'user')} for "
        f"{words.count(data.items, 'item')} on a scale from {lowest:g} to {highest:g}"
    )
    yield f" (licence: {data.licence})." if data.licence else "."
    if data.feedback == "implicit":
        yield " Every line is a positive interaction; there are no ratings."
    if not data.steps:
        yield " No filter was applied."
    for step in data.steps:
        yield f" {_describe_step(step)}"
    for remark in data.remarks:
        yield f" {remark.rstrip('.')}."
    yield f" The sha256 of the content is {data.digest}."


def _describe_step(step: Step) -> str:
    """What a filter kept, of what."""
    counts = [
        f"{step.after[name]:,} of {step.before[name]:,} {name}"
        for name in ("ratings", "users", "items")
        if name in step.after and name in step.before
    ]
    return f'After the filter "{step.rule}" {words.listed(counts)} are left.'


def _describe_protocol(results: Results) -> Iterator[Piece]:
    facts = []
    for name, value in list_protocol(results):
        facts.append(f"{name[0].upper()}{name[1:]}: {value}.")
    yield " ".join(facts)


def _describe_metrics(results: Results) -> Iterator[Piece]:
    """The definition of every column that is shown; the number behind @ is the cutoff."""
    shown = metrics(results)
    definitions = define_metrics(shown)
    for entry in definitions.entries:
        yield f"{entry.term}: {entry.meaning.rstrip('.')} ({entry.note})"
        yield Citation(tuple(find_papers(entry.meaning)))
        yield ". "
    if any(find_metric(column).has_cutoff for column in shown):
        yield "The number behind @ is the cutoff of the list."


def _list_algorithms(results: Results, bibliography: Bibliography) -> Iterator[Piece]:
    """Every row with its papers, and the libraries behind them."""
    rows = results.rows
    yield f"We compare {words.count(len(rows), 'row')}: "
    for place, row in enumerate(rows):
        if place:
            yield "; "
        yield row.name
        yield Citation(bibliography.by_row.get(row.name, ()))
    yield "."
    described = results.about.algorithms.values()
    libraries = sorted({library for one in described for library in one.libraries})
    if libraries:
        yield f" Libraries behind them: {'; '.join(libraries)}"
        yield Citation(bibliography.of_libraries)
        yield "."
    broken = [(name, one.broken_law) for name, one in results.about.algorithms.items()]
    for name, law in broken:
        if law is not None:
            yield f" {name} is measured with its mistake: {law}."


def _describe_tuning(results: Results, bibliography: Bibliography) -> Iterator[Piece]:
    """The origin of all values; the searches with their budget, division and sampler."""
    if results.searches:
        yield _describe_searches(results.searches)
        yield Citation(_pick(bibliography, ("akiba",)))
        yield ". The searched spaces stand in the table of spaces. "
    yield "Hyperparameters come from: "
    yield "; ".join(f"{name}: {text}" for text, name in _group_origins(results.rows).items())
    yield "."


def _describe_searches(searches: Sequence[History]) -> str:
    budgets = words.listed(
        parse_budget(text).in_words for text in sorted({s.budget for s in searches})
    )
    inner = words.listed(sorted({search.inner for search in searches}))
    by = words.listed(sorted({search.metric for search in searches}))
    first = searches[0]
    start = "the row's own hyperparameters, then 15 drawn at random"
    if not first.default_trial:
        start = "15 configurations drawn at random"
    return (
        f"Rows called (tuned) had a search of {budgets} on each fold, in the training part of that "
        f"fold alone, which is divided again ({inner}); the best configuration by {by} on the "
        "inner test part is fitted again on the whole training part. Each search begins with "
        f"{start}, and goes on with what the tree-structured Parzen estimator proposes "
        f"({first.sampler})"
    )


def _group_origins(rows: Iterable[Row]) -> dict[str, str]:
    """The names of rows by where their values come from."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.defaults, []).append(row.name)
    return {text: words.listed(members) for text, members in names.items()}


def _describe_machine(results: Results) -> Iterator[Piece]:
    facts = []
    for name, value in list_environment(results):
        if name not in NOT_FOR_PAPERS:
            facts.append(f"{name} {value}")
    yield f"{'; '.join(facts)}."
    yield (
        " Each cell (a row on a fold) runs in a process of its own; only the algorithm's own calls "
        "are timed, after a warm-up on a tiny data set."
    )
    if any(row.contended for row in results.rows):
        yield " Cells ran side by side, so times are not those of a machine at rest."


def _describe_reproduction(results: Results, bibliography: Bibliography) -> Iterator[Piece]:
    n_ok = sum(record.status == "ok" for record in results.records)
    yield "All numbers were measured by recbench"
    yield Citation((bibliography.bench,))
    yield (
        f"; {n_ok:,} of {words.count(len(results.records), 'cell')} ran. The command was: "
        f"{words.hide_paths(results.about.command)}"
    )

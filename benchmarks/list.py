"""What there is to choose from: data sets, algorithms, metrics, suites, splits."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, cast

from rich.console import Console
from rich.table import Table
from typer import Argument

from recbench import datasets
from recbench.adapters import available
from recbench.adapters.base import NOT_SAID
from recbench.benchmarks.console import FINE, serve
from recbench.benchmarks.metrics import METRICS
from recbench.benchmarks.planning import read_suite, suite_names
from recbench.benchmarks.records import Run, describe_schema, describe_table_schema
from recbench.benchmarks.splits import PUBLISHED, SPLITS
from recbench.benchmarks.tuning import (
    SHIPPED,
    collect_found_values,
    read_found_values,
    shipped_names,
)
from recbench.datasets.foundation import UsageError, format_spec, open_console, pick_name

# The headings, then the lines of a table.
Lines = list[tuple[str, ...]]


def _first_paragraph(documented: object) -> str:
    """The first paragraph of a docstring as one line; empty without a docstring."""
    paragraph = inspect.cleandoc(documented.__doc__ or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _list_datasets() -> Lines:
    lines: Lines = [("name", "what it is", "licence and citation")]
    for name in datasets.names():
        loader = datasets.find_loader(name)
        terms = [text for text in (loader.licence, loader.citation) if text]
        lines.append((name, loader.description, "\n".join(terms)))
    return lines


def _list_algorithms() -> Lines:
    heading = "what it is, its hyperparameters, and where their defaults come from"
    lines: Lines = [("name", "family", "predicts", heading)]
    for name, adapter in available().items():
        defaults = {field.name: field.default for field in fields(cast(Any, adapter))}
        origin = adapter.origin.text if adapter.origin else NOT_SAID
        description = [_first_paragraph(adapter), format_spec(name, defaults), origin]
        lines.append((name, adapter.family, adapter.predicts, "\n".join(description)))
    return lines


def _list_metrics() -> Lines:
    lines: Lines = [("name", "better", "unit", "definition")]
    for name, metric in METRICS.items():
        column = f"{name}@k" if metric.has_cutoff else name
        lines.append((column, metric.better, metric.unit, metric.definition))
    return lines


def _list_suites() -> Lines:
    lines: Lines = [("name", "what it is", "rows")]
    for name in suite_names():
        suite = read_suite(name)
        rows = ", ".join(row.name for row in suite.rows)
        lines.append((suite.name, suite.description, rows))
    return lines


def _list_splits() -> Lines:
    lines: Lines = [("name", "what it is")]
    for name, split in SPLITS.items():
        lines.append((name, _first_paragraph(split.divide)))
    for name, published in PUBLISHED.items():
        lines.append((name, published.about))
    by_file = "test rows from a file: row numbers or packed bits with a sidecar, or pairs of user"
    lines.append(("file:PATH", f"{by_file} and item"))
    of_data_sets = "splits that a data set brings, such as u, ua, ub of movielens-100k"
    lines.append(("(official)", f"{of_data_sets}; see `datasets info`"))
    return lines


def _list_parameters() -> Lines:
    lines: Lines = [("name", "found on", "rows")]
    for name in shipped_names():
        typed = f"{SHIPPED}{name}"
        found = read_found_values(typed)
        place = f"{found.dataset}, {found.split}, fold {found.fold}, {found.budget} a search"
        rows = ", ".join(found.rows)
        lines.append((typed, place, rows))
    return lines


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "schema": describe_schema,
    "table-schema": describe_table_schema,
}
PARAMETERS = "parameters"
KINDS: dict[str, Callable[[], Lines]] = {
    "datasets": _list_datasets,
    "algorithms": _list_algorithms,
    "metrics": _list_metrics,
    "suites": _list_suites,
    "splits": _list_splits,
    PARAMETERS: _list_parameters,
}


def list_choices(
    kind: Annotated[
        str,
        Argument(
            help="datasets, algorithms, metrics, suites, splits or parameters; schema: of records; "
            "table-schema: of results.csv"
        ),
    ],
    run: Annotated[
        Path | None,
        Argument(
            help="after parameters: a tuned run, whose values are printed as a file that "
            "--parameters takes",
            show_default=False,
        ),
    ] = None,
) -> int:
    """List what can be chosen, or print the JSON Schema of the files in `records/`, or of the lines
    of results.csv.
    """
    if run is not None:
        return _print_found_values(kind, run)

    if kind in SCHEMAS:
        open_console().print_json(data=SCHEMAS[kind]())
        return FINE

    heading, *lines = KINDS[pick_name("list", kind, [*KINDS, *SCHEMAS])]()
    console = open_console()
    if not console.is_terminal:
        _print_lines(console, [heading, *lines])
        return FINE

    table = Table(box=None, pad_edge=False)
    for place, title in enumerate(heading):
        table.add_column(title, overflow="fold", no_wrap=place == 0)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    return FINE


def _print_found_values(kind: str, directory: Path) -> int:
    """For a file: the values that the searches of a run have found."""
    if kind != PARAMETERS:
        raise UsageError(f"list {kind} {directory}: a run is for `list {PARAMETERS} RUN` alone")

    _, about = Run(directory).read_plan()
    found = collect_found_values(directory, about)
    open_console().print(found.to_toml(), markup=False, soft_wrap=True, end="")
    return FINE


def _print_lines(console: Console, lines: Lines) -> None:
    """For a file or another program: one line for each choice, however long, and names whole."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        texts = [text.replace("\n", "; ") for text in line]
        padded = [text.ljust(width) for text, width in zip(texts[:-1], widths, strict=False)]
        console.print("  ".join([*padded, texts[-1]]), markup=False, soft_wrap=True)


if __name__ == "__main__":
    serve(list_choices)

"""What there is to choose from: data sets, algorithms, metrics, suites, splits."""

from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, cast

from rich.console import Console
from rich.table import Table
from typer import Argument

from recbench import datasets
from recbench.adapters import available
from recbench.benchmarks.console import FINE, serve
from recbench.benchmarks.metrics import METRICS
from recbench.benchmarks.planning import read_suite, suite_names
from recbench.benchmarks.splits import SPLITS
from recbench.datasets.foundation import format_spec, pick_name

Lines = list[tuple[str, ...]]


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").strip().partition("\n")[0]


def _datasets() -> Lines:
    lines: Lines = [("name", "what it is", "licence and citation")]
    for name in datasets.names():
        found = datasets.find_loader(name)
        lines.append(
            (name, found.description, "\n".join(filter(None, [found.licence, found.citation])))
        )
    return lines


def _algorithms() -> Lines:
    lines: Lines = [("name", "family", "predicts", "what it is, and its parameters")]
    for name, adapter in available().items():
        defaults = {field.name: field.default for field in fields(cast(Any, adapter))}
        about = f"{_first_line(adapter)}\n{format_spec(name, defaults)}"
        lines.append((name, adapter.family, adapter.predicts, about))
    return lines


def _metrics() -> Lines:
    lines: Lines = [("name", "better", "unit", "definition")]
    for name, metric in METRICS.items():
        lines.append(
            (
                f"{name}@k" if metric.has_cutoff else name,
                metric.better,
                metric.unit,
                metric.definition,
            )
        )
    return lines


def _suites() -> Lines:
    found = [read_suite(name) for name in suite_names()]
    rows = [
        (suite.name, suite.description, ", ".join(row.name for row in suite.rows))
        for suite in found
    ]
    return [("name", "what it is", "rows"), *rows]


def _splits() -> Lines:
    official = (
        "(official)",
        "splits that a data set brings, such as u, ua, ub of movielens-100k; see `datasets info`",
    )
    return [
        ("name", "what it is"),
        *((name, _first_line(split.divide)) for name, split in SPLITS.items()),
        official,
    ]


KINDS: dict[str, Callable[[], Lines]] = {
    "datasets": _datasets,
    "algorithms": _algorithms,
    "metrics": _metrics,
    "suites": _suites,
    "splits": _splits,
}


def list_choices(
    kind: Annotated[str, Argument(help="datasets, algorithms, metrics, suites or splits")],
) -> int:
    """List what can be chosen."""
    heading, *lines = KINDS[pick_name("list", kind, KINDS)]()
    table = Table(box=None, pad_edge=False)
    for title in heading:
        table.add_column(title, overflow="fold")
    for line in lines:
        table.add_row(*(part.replace("[", r"\[") for part in line))
    Console(highlight=False).print(table)
    return FINE


if __name__ == "__main__":
    serve(list_choices)

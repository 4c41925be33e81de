"""`python -m datasets list | info NAME | fetch NAME | cache [--clear]`: what there is, what it is,
where it is.
"""

from datetime import UTC, datetime
from typing import Annotated

import numpy as np
from rich.console import Console
from rich.table import Table
from typer import Argument, Option

import recbench
from recbench import datasets
from recbench.datasets import Dataset
from recbench.datasets.foundation import FINE, build_application
from recbench.datasets.ratings import Source, Step
from recbench.datasets.storage import cache_directory, clear_cache, data_directory, list_entries

Name = Annotated[str, Argument(help="a data set, as in name[key=value,...] or table:PATH")]
Rows = list[tuple[str, str]]
BAR = 30  # columns of the longest bar of the histogram
MOST_BARS = 20  # other scales are shown in as many bins


def _print(*rows: tuple[str, ...], heading: tuple[str, ...] = ()) -> None:
    """Rows below each other, their columns aligned; a column is wrapped rather than cut."""
    table = Table(*heading, box=None, pad_edge=False, show_header=bool(heading))
    for row in rows:
        table.add_row(*(part.replace("[", r"\[") for part in row))
    narrow = Console(highlight=False, emoji=False)
    console = narrow if narrow.is_terminal else Console(highlight=False, emoji=False, width=1000)
    console.print(table)


def list_() -> int:
    """The data sets that can be loaded, with licence and citation."""
    rows = []
    for name in datasets.names():
        entry = datasets.find_loader(name)
        rows.append(
            (name, entry.description, "\n".join(filter(None, [entry.licence, entry.citation])))
        )
    _print(*rows, heading=("name", "what it is", "licence and citation"))
    return FINE


def info(name: Name) -> int:
    """Counts, scale, times, stars and provenance of a data set."""
    dataset = datasets.load(name)
    provenance = dataset.provenance
    rows = [("data set", dataset.name), *_simulated(dataset), *_numbers(dataset)]
    rows += [
        ("file", f"{file.file}, {file.n_bytes:,} bytes, sha256 {file.sha256}")
        for file in provenance.sources
    ]
    rows += [("licence", provenance.licence), ("citation", provenance.citation)]
    rows += [("filter", text) for step in provenance.steps for text in _dropped(step)]
    rows += [("remark", remark) for remark in provenance.remarks]
    rows += [("digest", dataset.digest), ("cached in", str(dataset.stored))]
    _print(*rows)
    return FINE


def _simulated(dataset: Dataset) -> Rows:
    return [("notice", dataset.provenance.notice)] if dataset.provenance.simulated else []


def _numbers(dataset: Dataset) -> Rows:
    ratings, catalogue = dataset.ratings, dataset.catalogue
    cells = ratings.n_users * ratings.n_items
    rows = [
        ("ratings", f"{len(ratings):,} ({100 * len(ratings) / max(cells, 1):.3g} % of all pairs)"),
        ("users", f"{ratings.n_users:,}"),
        ("items", f"{ratings.n_items:,}"),
        ("scale", f"{ratings.scale[0]:g} to {ratings.scale[1]:g}, mean {ratings.mean:.4f}"),
    ]
    if ratings.times is not None and len(ratings):
        first, last = (
            datetime.fromtimestamp(int(time), UTC)
            for time in (ratings.times.min(), ratings.times.max())
        )
        rows.append(("times", f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"))
    described = sum(map(bool, catalogue.overviews))
    rows += (
        [("overviews", f"{described:,} of {ratings.n_items:,} items")]
        if catalogue.overviews
        else []
    )
    rows += [("split", f"{name}, {len(folds)} folds") for name, folds in dataset.splits.items()]
    rows += [("users' facts", ", ".join(dataset.user_facts))] if dataset.user_facts else []
    return rows + _histogram(dataset)


def _histogram(dataset: Dataset) -> Rows:
    """A line for each star, or for each bin where there are too many different ratings."""
    distinct, counts = np.unique(dataset.ratings.values, return_counts=True)
    labels = [f"{value:g}" for value in distinct]
    if len(distinct) > MOST_BARS:
        counts, edges = np.histogram(dataset.ratings.values, MOST_BARS, dataset.ratings.scale)
        labels = [f"from {edge:g}" for edge in edges[:-1]]
    shares, most = counts / max(counts.sum(), 1), counts.max(initial=1)
    bars = ["█" * round(BAR * count / most) for count in counts]
    lines = zip(labels, counts, shares, bars, strict=True)
    return [
        (f"rated {label}", f"{count:>12,} {100 * share:5.1f} % {bar}")
        for label, count, share, bar in lines
    ]


def _dropped(step: Step) -> list[str]:
    lines = [step.rule]
    for what, before in step.before.items():
        gone = before - step.after[what]
        lines.append(
            f"  {what}: {gone:,} of {before:,} dropped ({100 * gone / max(before, 1):.2f} %)"
        )
    return lines


def fetch(name: Name) -> int:
    """Get the files of a data set, parse them, and say where they are."""
    dataset = datasets.load(name)
    rows = []
    for source in dataset.provenance.sources:
        row = (_find_source(source), f"{source.n_bytes:,} bytes, sha256 {source.sha256}")
        rows.append(row)
    _print(*_simulated(dataset), *rows, ("parsed columns", str(dataset.stored)))
    return FINE


def _find_source(source: Source) -> str:
    """The path of a file like `source` in the data directory; its name alone if there is none."""
    for path in data_directory().rglob(source.file):
        if path.stat().st_size == source.n_bytes:
            return str(path)
    return source.file


def cache(
    clear: Annotated[
        bool, Option("--clear", help="remove what the bench made and is not being written")
    ] = False,
) -> int:
    """What the cache holds; `--clear` empties it. Nothing is lost but the time to parse again."""
    if clear:
        _clear_cache()
    else:
        _list_cache()
    return FINE


def _clear_cache() -> None:
    cleared = clear_cache()
    left = [
        ("left alone", f"{path}: this bench has not written all of it") for path in cleared.left
    ]
    _print(("cleared", f"{cleared.n_bytes / 1e6:,.1f} MB in {cache_directory()}"), *left)


def _list_cache() -> None:
    entries = list_entries()
    rows = []
    for entry in entries:
        size = f"{entry.n_bytes / 1e6:,.1f}"
        rows.append((entry.name, f"{entry.n_ratings:,}", size, str(entry.path)))
    total = sum(entry.n_bytes for entry in entries) / 1e6
    _print(
        *rows,
        ("total", "", f"{total:,.1f}", ""),
        heading=("data set", "ratings", "MB", "directory"),
    )


if __name__ == "__main__":
    recbench.forget_short_names()
    build_application(
        list_, info, fetch, cache, interrupted="interrupted: nothing half-written is kept"
    )()

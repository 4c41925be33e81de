"""`python -m datasets list | info NAME | fetch NAME | cache [--clear]`: what there is, what it is,
where it is.
"""

from datetime import UTC, datetime
from typing import Annotated

import numpy as np
from rich.table import Table
from typer import Argument, Option

import recbench
from recbench import datasets
from recbench.datasets import Dataset
from recbench.datasets.foundation import FINE, build_application, format_number, open_console
from recbench.datasets.ratings import Provenance, Ratings, Source, describe_relevance
from recbench.datasets.storage import cache_directory, clear_cache, data_directory, list_entries

Name = Annotated[str, Argument(help="a data set, as in name[key=value,...] or table:PATH")]
Pairs = list[tuple[str, str]]
BAR = 30  # columns of the longest bar of the histogram
MOST_BARS = 20  # other scales are shown in as many bins
FILE_WIDTH = 1000  # columns of a line that goes to no terminal


def _print(*rows: tuple[str, ...], heading: tuple[str, ...] = ()) -> None:
    """Pairs below each other, their columns aligned; a column is wrapped rather than cut."""
    table = Table(*heading, box=None, pad_edge=False, show_header=bool(heading))
    for row in rows:
        table.add_row(*row)

    console = open_console()
    if not console.is_terminal:  # a file, or another program, which wants one line for each row
        console = open_console(width=FILE_WIDTH)
    console.print(table)


def list_() -> int:
    """The data sets that can be loaded, with licence and citation."""
    rows = []
    for name in datasets.names():
        loader = datasets.find_loader(name)
        terms = [text for text in (loader.licence, loader.citation) if text]
        rows.append((name, loader.description, "\n".join(terms)))
    _print(*rows, heading=("name", "what it is", "licence and citation"))
    return FINE


def info(name: Name) -> int:
    """Counts, scale, times, stars and provenance of a data set."""
    dataset = datasets.load(name)
    _print(
        ("data set", dataset.name),
        *_simulation_notice(dataset),
        *_describe_counts(dataset.ratings),
        *_describe_feedback(dataset),
        *_describe_times(dataset.ratings),
        *_describe_additions(dataset),
        *_draw_histogram(dataset.ratings),
        *_describe_provenance(dataset.provenance),
        ("digest", dataset.digest),
        ("cached in", str(dataset.stored)),
    )
    return FINE


def _simulation_notice(dataset: Dataset) -> Pairs:
    """What the real files are and where to put them; nothing if `dataset` is real."""
    if not dataset.provenance.simulated:
        return []
    return [("notice", dataset.provenance.notice)]


def _describe_counts(ratings: Ratings) -> Pairs:
    """How many ratings, users and items there are, the scale and the mean rating."""
    n_pairs = ratings.n_users * ratings.n_items
    density = _percent(len(ratings), n_pairs)
    lowest, highest = ratings.scale
    return [
        ("ratings", f"{len(ratings):,} ({density:.3g} % of all pairs)"),
        ("users", f"{ratings.n_users:,}"),
        ("items", f"{ratings.n_items:,}"),
        ("scale", f"{lowest:g} to {highest:g}, mean {format_number(ratings.mean)}"),
    ]


def _describe_feedback(dataset: Dataset) -> Pairs:
    """Which ratings make an item relevant; of implicit data that all do."""
    if dataset.feedback == "implicit":
        return [("feedback", "implicit: every line is a positive, and none is a rating")]
    return [("relevant", describe_relevance(dataset.ratings))]


def _describe_times(ratings: Ratings) -> Pairs:
    """When the first and the last rating were given; nothing without ratings or times."""
    if ratings.times is None or len(ratings) == 0:
        return []
    first = datetime.fromtimestamp(int(ratings.times.min()), UTC)
    last = datetime.fromtimestamp(int(ratings.times.max()), UTC)
    return [("times", f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC")]


def _describe_additions(dataset: Dataset) -> Pairs:
    """What some data sets have beside ratings: overviews, official splits, facts about users."""
    rows = []
    overviews = dataset.catalogue.overviews
    if overviews:
        n_described = sum(1 for overview in overviews if overview)
        rows.append(("overviews", f"{n_described:,} of {dataset.ratings.n_items:,} items"))

    for split, folds in dataset.splits.items():
        rows.append(("split", f"{split}, {len(folds)} folds"))

    if dataset.user_facts:
        rows.append(("users' facts", ", ".join(dataset.user_facts)))
    return rows


def _draw_histogram(ratings: Ratings) -> Pairs:
    """How often each rating is given: its count, its share in percent, and a bar.

    Where more than `MOST_BARS` ratings differ, the same of as many bins of the scale.
    """
    values, counts = np.unique(ratings.values, return_counts=True)
    labels = [f"{value:g}" for value in values]
    if len(values) > MOST_BARS:
        counts, edges = np.histogram(ratings.values, MOST_BARS, ratings.scale)
        labels = [f"from {edge:g}" for edge in edges[:-1]]

    highest = counts.max(initial=1)
    rows = []
    for label, count in zip(labels, counts, strict=True):
        percent = _percent(count, len(ratings))
        n_blocks = round(BAR * count / highest)
        bar = "█" * n_blocks
        rows.append((f"rated {label}", f"{count:>12,} {percent:5.1f} % {bar}"))
    return rows


def _describe_provenance(provenance: Provenance) -> Pairs:
    """The files with size and sha256, licence and citation, what filters dropped, and remarks."""
    rows = []
    for file in provenance.sources:
        rows.append(("file", f"{file.file}, {file.n_bytes:,} bytes, sha256 {file.sha256}"))

    rows.append(("licence", provenance.licence))
    rows.append(("citation", provenance.citation))

    for step in provenance.steps:
        rows.append(("filter", step.rule))
        for kind, before in step.before.items():
            dropped = before - step.after[kind]
            percent = _percent(dropped, before)
            rows.append(
                ("filter", f"  {kind}: {dropped:,} of {before:,} dropped ({percent:.2f} %)")
            )

    for remark in provenance.remarks:
        rows.append(("remark", remark))
    return rows


def _percent(part: int, whole: int) -> float:
    """`part` in percent of `whole`; 0 percent of nothing."""
    return 100 * part / max(whole, 1)


def fetch(name: Name) -> int:
    """Get the files of a data set, parse them, and say where they are."""
    dataset = datasets.load(name)
    rows = []
    for source in dataset.provenance.sources:
        size_and_digest = f"{source.n_bytes:,} bytes, sha256 {source.sha256}"
        rows.append((_find_source(source), size_and_digest))

    _print(*_simulation_notice(dataset), *rows, ("parsed columns", str(dataset.stored)))
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
    """What the cache holds; `--clear` empties it. Nothing is lost but the time to parse again.

    Of DataFrames it holds copies; give the same one to `recbench.run` again, and its copy is back.
    """
    if clear:
        _clear_cache()
    else:
        _list_cache()
    return FINE


def _clear_cache() -> None:
    """Empty the cache; print how many MB that freed, and what was left as it is not the bench's."""
    cleared = clear_cache()
    rows = [("cleared", f"{cleared.n_bytes / 1e6:,.1f} MB in {cache_directory()}")]
    for path in cleared.left:
        rows.append(("left alone", f"{path}: this bench has not written all of it"))
    _print(*rows)


def _list_cache() -> None:
    """Print the entries of the cache with their ratings and MB, and what they take together."""
    entries = list_entries()
    rows = []
    for entry in entries:
        n_ratings = "" if entry.n_ratings is None else f"{entry.n_ratings:,}"
        size = f"{entry.n_bytes / 1e6:,.1f}"
        rows.append((entry.name, n_ratings, size, str(entry.path)))

    total = sum(entry.n_bytes for entry in entries) / 1e6
    _print(
        *rows,
        ("total", "", f"{total:,.1f}", ""),
        heading=("data set", "ratings", "MB", "path"),
    )


if __name__ == "__main__":
    recbench.forget_short_names()
    build_application(
        list_, info, fetch, cache, interrupted="interrupted: nothing half-written is kept"
    )()

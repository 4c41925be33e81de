"""Where the results of a run go, and what they replace there."""

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from recbench.benchmarks.records import Cell, Run, RunDescription
from recbench.datasets.foundation import UsageError, format_spec, parse_spec

RUNS = Path("runs")  # where results go that are not told where to go
FACTS = (
    "data",
    "split",
    "folds",
    "seed",
    "split seed",
    "k",
    "protocols",
    "threads",
)  # in which two plans may differ


def choose_directory(dataset: str) -> Path:
    """Where results on `dataset` go that are not told where to go: `runs/table-my-ratings`, readable and stable.

    Data from elsewhere that would go to the same directory have a hash of their source at the end of its name.
    """
    plain = RUNS / _directory_name(dataset)
    source = _source(dataset)
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
    own = plain.with_name(f"{plain.name}-{digest[:8]}")
    if (own / "plan.json").exists():
        return own
    try:
        _, about = Run(plain).read_plan()
    except UsageError:  # there is none, or it is refused when the directory is claimed
        return plain
    there = dataset_of(about)
    return plain if there is None or _source(there) == source else own


def describe_replacement(cells: Sequence[Cell], run: Run) -> list[str]:
    """A line that says what of the plan of `run` goes when `cells` are planned in its place; none if nothing does."""
    differences = replaced_by(cells, run)
    if not differences:
        return []
    kept = "Its plan, table and report make way, its records are kept; --out keeps both apart."
    return [
        f"{run.directory} holds another run, which this one replaces: {'; '.join(differences)}. {kept}"
    ]


def _directory_name(dataset: str) -> str:
    """`table:/data/my ratings.csv[user=u]` -> `table-my-ratings-user-u`: what a data set's directory is called."""
    name, parameters = parse_spec(dataset)
    prefix, _, path = name.partition(":")
    parts = [
        prefix,
        Path(path).stem if path else "",
        *(f"{key}-{value}" for key, value in parameters.items()),
    ]
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in "-".join(filter(None, parts)))


def _source(dataset: str) -> str:
    """`dataset` with the paths of its files written out, so that it is one text for one source."""
    name, parameters = parse_spec(dataset)
    prefix, _, path = name.partition(":")
    where = f"{prefix}:{_resolved(path)}" if path else prefix
    if path and "items" in parameters:
        parameters["items"] = str(_resolved(parameters["items"]))
    return format_spec(where, parameters)


def files_of(dataset: str) -> list[Path]:
    """The files that a table is read from: those that the user names on the command line."""
    name, parameters = parse_spec(dataset)
    path = name.partition(":")[2]
    named = [path, parameters.get("items", "")] if path else []
    return [_resolved(text) for text in named if text]


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()


def dataset_of(about: RunDescription) -> str | None:
    """The data set of a run as it was named on its command line; None if its plan does not say."""
    try:
        words = shlex.split(about.reproduce)
        spec = words[words.index("--dataset") + 1]
        parse_spec(spec)
    except (ValueError, IndexError):
        return None
    return spec


def replaced_by(cells: Sequence[Cell], run: Run) -> list[str]:
    """In what the plan that `run` has differs from `cells`, which are about to replace it; [] if they keep all of it.

    More rows, folds or repeats of the same measurements replace nothing.
    """
    if not (run.directory / "plan.json").exists():
        return []
    before, _ = run.read_plan()
    keys = {cell.key for cell in cells}
    n_gone = sum(cell.key not in keys for cell in before)
    if n_gone == 0:
        return []
    differences = []
    for fact, old, new in zip(
        FACTS, _values_of_facts(before), _values_of_facts(cells), strict=True
    ):
        if old != new:
            differences.append(f"{fact} {', '.join(old)} -> {', '.join(new)}")
    rows = {cell.row for cell in cells}
    rows_gone = [row for row in dict.fromkeys(cell.row for cell in before) if row not in rows]
    if rows_gone:
        differences.append(f"without {', '.join(rows_gone)}")
    return differences or [
        f"other code, libraries or parameters in {n_gone} of {len(before)} cells"
    ]


def _values_of_facts(cells: Sequence[Cell]) -> list[list[str]]:
    """For each of `FACTS` its different values in a plan, in the plan's order."""
    texts = [
        (
            f"{cell.dataset} ({cell.digest[:8]})",
            cell.split,
            str(cell.n_folds),
            str(cell.seed),
            str(cell.split_seed),
            " ".join(map(str, cell.protocol.get("ks", ()))),
            " ".join(map(str, cell.protocol.get("protocols", ()))),
            str(cell.threads),
        )
        for cell in cells
    ]
    return [list(dict.fromkeys(text[place] for text in texts)) for place in range(len(FACTS))]

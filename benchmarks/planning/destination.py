"""Where the results of a run go, and what they replace there."""

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from recbench import datasets
from recbench.benchmarks.records import Cell, Run, RunDescription
from recbench.datasets.foundation import UsageError, format_spec, parse_spec
from recbench.datasets.ratings import Dataset
from recbench.datasets.storage import check_entry

RUNS = Path("runs")  # where results go that are not told where to go
DIGITS = 8  # of a digest in the name of a directory or in a message

# In which two plans may differ
FACTS = ("data", "split", "folds", "seed", "split seed", "k", "protocols", "threads")


def choose_directory(dataset: str) -> Path:
    """Where results on `dataset` go that are not told where to go, such as `runs/table-my-ratings`.

    Data from elsewhere that would go to the same directory have a digest of their source at the end
    of its name. The same data always have the same directory.
    """
    plain = RUNS / _directory_name(dataset)
    source = _full_spec(dataset)
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
    own = plain.with_name(f"{plain.name}-{digest[:DIGITS]}")
    if (own / "plan.json").exists():
        return own

    try:
        _, about = Run(plain).read_plan()
    except UsageError:  # there is none, or it is refused when the directory is claimed
        return plain
    dataset_there = dataset_of(about)
    is_taken = dataset_there is not None and _full_spec(dataset_there) != source
    return own if is_taken else plain


def describe_replacement(cells: Sequence[Cell], run: Run) -> list[str]:
    """A line that says what of the plan of `run` goes when `cells` are planned in its place.

    No line if nothing goes.
    """
    differences = replaced_by(cells, run)
    if not differences:
        return []
    kept = "Its plan, table and report make way, its records are kept; --out keeps both apart."
    return [
        f"{run.directory} holds another run, which this one replaces: {'; '.join(differences)}. "
        f"{kept}"
    ]


def _directory_name(dataset: str) -> str:
    """What the directory of a data set is called.

    That of `table:/data/my ratings.csv[user=u]` is `table-my-ratings-user-u`.
    """
    name, parameters = parse_spec(dataset)
    prefix, _, path = name.partition(":")
    parts = [prefix]
    if path and Path(path).stem:
        parts.append(Path(path).stem)
    parts += [f"{key}-{value}" for key, value in parameters.items()]

    plain = [c if c.isalnum() or c in "-._" else "-" for c in "-".join(parts)]
    return "".join(plain)


def _full_spec(dataset: str) -> str:
    """`dataset` with the paths of its files written out, so that one source has one text."""
    name, parameters = parse_spec(dataset)
    prefix, _, path = name.partition(":")
    if not path:
        return format_spec(prefix, parameters)

    if "items" in parameters:
        parameters["items"] = str(_resolve_path(parameters["items"]))
    return format_spec(f"{prefix}:{_resolve_path(path)}", parameters)


def files_of(dataset: str) -> list[Path]:
    """The files that `dataset` names, resolved: those of a `table:PATH`; none for another kind."""
    name, parameters = parse_spec(dataset)
    path = name.partition(":")[2]
    if not path:
        return []
    return [_resolve_path(text) for text in (path, parameters.get("items", "")) if text]


def _resolve_path(path: str) -> Path:
    """The absolute path without links, `~` written out; the file need not exist."""
    return Path(path).expanduser().resolve()


def dataset_of(about: RunDescription) -> str | None:
    """The data set of a run as its command named it; None if its plan does not say."""
    try:
        words = shlex.split(about.reproduce)
        spec = words[words.index("--dataset") + 1]
        parse_spec(spec)
    except (ValueError, IndexError):
        return None
    return spec


def load_data_of(about: RunDescription, spec: str | None, advice: str) -> Dataset:
    """The data of a run, found as its plan names them unless `spec` does; real ones if those were.

    UsageError if they cannot be found, which ends with `advice`, what can be done without. The
    columns in the cache are checked.
    """
    spec = spec or dataset_of(about) or about.data.name
    try:
        dataset = datasets.load(spec, real_only=not about.data.simulated)
    except UsageError as error:
        raise UsageError(f"{error}\n{advice}") from None
    assert dataset.stored is not None, "a data set that was loaded is stored in the cache"
    check_entry(dataset.stored)
    return dataset


def load_same_data(about: RunDescription, spec: str | None, advice: str) -> Dataset:
    """As `load_data_of`, and UsageError for data that are not those of the run."""
    dataset = load_data_of(about, spec, advice)
    if dataset.digest != about.data.digest:
        raise UsageError(
            f"{dataset.name} has the digest {dataset.digest[:DIGITS]}, and the run that of "
            f"{about.data.digest[:DIGITS]}: these are other data. {advice}"
        )
    return dataset


def replaced_by(cells: Sequence[Cell], run: Run) -> list[str]:
    """In what the plan of `run` differs from `cells`, which are about to replace it, in words.

    Empty if they keep all of it: more rows, folds or repeats of the same measurements replace
    nothing.
    """
    if not (run.directory / "plan.json").exists():
        return []
    earlier, _ = run.read_plan()
    keys = {cell.key for cell in cells}
    n_gone = sum(cell.key not in keys for cell in earlier)
    if n_gone == 0:
        return []

    differences = []
    earlier_values = _values_of_facts(earlier)
    values = _values_of_facts(cells)
    for fact in FACTS:
        if earlier_values[fact] != values[fact]:
            old = ", ".join(earlier_values[fact])
            differences.append(f"{fact} {old} -> {', '.join(values[fact])}")

    rows = {cell.row for cell in cells}
    rows_gone = [row for row in dict.fromkeys(cell.row for cell in earlier) if row not in rows]
    if rows_gone:
        differences.append(f"without {', '.join(rows_gone)}")
    if differences:
        return differences
    return [f"other code, libraries or parameters in {n_gone} of {len(earlier)} cells"]


def _values_of_facts(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """For each of `FACTS` its different values in a plan, in the plan's order."""
    values: dict[str, list[str]] = {fact: [] for fact in FACTS}
    for cell in cells:
        texts = {
            "data": f"{cell.dataset} ({cell.digest[:DIGITS]})",
            "split": cell.split,
            "folds": str(cell.n_folds),
            "seed": str(cell.seed),
            "split seed": str(cell.split_seed),
            "k": " ".join(map(str, cell.protocol.get("ks", ()))),
            "protocols": " ".join(map(str, cell.protocol.get("protocols", ()))),
            "threads": str(cell.threads),
        }
        for fact, text in texts.items():
            if text not in values[fact]:
                values[fact].append(text)
    return values

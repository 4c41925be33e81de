"""Writes the folds of a data set as files, so that programs elsewhere measure on the same division.

What a fold is follows from data, split, number of folds and seed alone: the files hold the rows
that `benchmarks.run` would train on and ask about, and `folds.json` beside them says which those
are, with the fingerprints that also stand in the records of a run.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from typer import Argument, Option

from recbench import datasets
from recbench.adapters.unfitted import SIDECAR, Sidecar
from recbench.benchmarks.console import FINE, serve
from recbench.benchmarks.splits import (
    SPLITS,
    asks_new_users,
    canonical_spec,
    digest_of_fold,
    digest_of_split,
    divide,
    fingerprint_rows,
    refuse_empty_parts,
    resolve_n_folds,
    rows_of_histories,
)
from recbench.command import command_to_type
from recbench.datasets import Dataset, UsageError
from recbench.datasets.foundation import open_console, pick_name

SCHEMA = 1  # of folds.json
Part: TypeAlias = Literal["train", "validation", "test", "history"]

# The columns of RecBole's atomic files, by those of ours.
RECBOLE_COLUMNS = {
    "user": "user_id:token",
    "item": "item_id:token",
    "rating": "rating:float",
    "timestamp": "timestamp:float",
}


@dataclass(frozen=True)
class ExportedPart:
    """A file with the ratings of one part of a fold: training, validation, test, or histories.

    `rows` is the fingerprint of the row numbers, in the order of the file, as records have it.
    """

    file: str  # relative to folds.json
    n_ratings: int
    rows: str
    sha256: str  # of the file


@dataclass(frozen=True)
class ExportedFold:
    """The files of one fold; without a validation part if none was asked for.

    Where users are new, `history` holds what is told of them. `digest` is that of the fold, which
    answers from elsewhere have to name; a validation part changes nothing in it.
    """

    fold: int
    digest: str
    train: ExportedPart
    test: ExportedPart
    validation: ExportedPart | None = None
    history: ExportedPart | None = None


@dataclass(frozen=True)
class Export:
    """What folds.json says: all that fixes the folds, and their files."""

    schema: int
    dataset: str
    typed: str  # DATASET as it was given
    simulated: bool
    digest: str  # of the data, and of the rows of a split that they bring
    split: str
    validation: str  # the split that takes a validation part out of the training part; "" if none
    n_folds: int
    split_seed: int
    scale: tuple[float, float]
    licence: str
    citation: str
    format: str
    columns: list[str]
    folds: list[ExportedFold]


def export(
    dataset: Annotated[
        str, Argument(metavar="DATASET", help=f"a name from `{command_to_type('list')} datasets`")
    ],
    out: Annotated[Path, Option(help="a directory that is not there yet, or is empty")],
    folds: Annotated[int | None, Option(help="number of folds [default: 5]", min=1)] = None,
    split: Annotated[str, Option(help=f"from `{command_to_type('list')} splits`")] = "kfold",
    seed: Annotated[int, Option(help="fixes the folds", min=0, max=2**32 - 1)] = 0,
    file_format: Annotated[
        str, Option("--format", help="csv, parquet, or recbole (atomic files, .inter)")
    ] = "csv",
    validation: Annotated[
        str,
        Option(
            help="a split, such as holdout, that takes a validation part out of each training part;"
            " RecBole's benchmark_filename needs one"
        ),
    ] = "",
) -> int:
    """Write the training and the test ratings of every fold, exactly as the bench divides them.

    Ids are those of the data's own files. With --validation holdout a fifth of each training part
    is a part of its own, in a third file; where users are new, another holds what is told of them.
    OUT/folds.json holds the digest of the data and of each fold, the fingerprints of the rows and
    the sha256 of every file. OUT/fold-N/fold.json is to be copied beside answers that are made
    elsewhere, see the row `external`.
    """
    pick_name("--format", file_format, WRITERS)
    _refuse_place(out)
    loaded = datasets.load(dataset)
    spec = canonical_spec(split)
    n_folds = resolve_n_folds(loaded, spec, folds)
    inner = _check_validation(loaded, validation)
    refuse_empty_parts(loaded, spec, n_folds, seed, inner)

    exported = _write_folds(loaded, dataset, spec, inner, n_folds, seed, file_format, out)

    console = open_console(soft_wrap=True)
    if exported.simulated:
        console.print(f"{exported.dataset} is SIMULATED, and so is every fold of it")
    console.print(
        f"{n_folds} folds of {len(loaded.ratings):,} ratings of {exported.dataset} "
        f"({spec}, seed {seed}): {out / 'folds.json'}"
    )
    console.print(f"licence of the data: {exported.licence}")
    return FINE


def _refuse_place(out: Path) -> None:
    """UsageError unless `out` is not there, or an empty directory: no file is ever replaced."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"--out {out}: expected a directory, and it is a file")
    if any(out.iterdir()):
        raise UsageError(
            f"--out {out}: expected a directory that is not there yet or is empty, "
            "and it holds files; name another, or remove them"
        )


def _check_validation(dataset: Dataset, typed: str) -> str:
    """The split that takes validation parts out, as it stands in a cell; "" if none is asked for.

    UsageError for one that is not the bench's own, or that needs times where there are none.
    """
    if not typed:
        return ""
    pick_name("split for --validation", typed.partition("[")[0], SPLITS)
    spec = canonical_spec(typed)
    resolve_n_folds(dataset, spec, None)
    return spec


def _write_folds(
    dataset: Dataset,
    typed: str,
    split: str,
    validation: str,
    n_folds: int,
    seed: int,
    file_format: str,
    out: Path,
) -> Export:
    """Write all files of an export, and say what was written.

    They are written beside `out` and take its place at once: what stands there is whole.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        directory = Path(scratch, "export")
        exported_folds = []
        for fold in range(n_folds):
            rows: dict[Part, NDArray[np.int64]] = {}
            rows["train"], rows["test"] = divide(dataset, split, n_folds, fold, seed)
            if asks_new_users(split):
                rows["history"] = rows_of_histories(dataset, split, n_folds, fold, seed)
            if validation:
                rows["train"], rows["validation"] = divide(
                    dataset, split, n_folds, fold, seed, validation
                )
            parts = {
                part: _write_part(dataset, rows[part], fold, part, file_format, directory)
                for part in rows
            }
            sidecar = Sidecar(
                digest=digest_of_fold(dataset, split, n_folds, fold, seed),
                fold=fold,
                dataset=dataset.name,
                split=split,
                n_folds=n_folds,
                split_seed=seed,
            )
            _write_json(sidecar.to_json(), directory / f"fold-{fold}" / SIDECAR)
            exported_folds.append(ExportedFold(fold, sidecar.digest, **parts))

        provenance = dataset.provenance
        exported = Export(
            schema=SCHEMA,
            dataset=dataset.name,
            typed=typed,
            simulated=provenance.simulated,
            digest=digest_of_split(dataset, split),
            split=split,
            validation=validation,
            n_folds=n_folds,
            split_seed=seed,
            scale=dataset.ratings.scale,
            licence=provenance.licence,
            citation=provenance.citation,
            format=file_format,
            columns=_columns_of(dataset),
            folds=exported_folds,
        )
        _write_json(asdict(exported), directory / "folds.json")
        directory.rename(out)
    return exported


def _write_json(content: dict[str, Any], path: Path) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _columns_of(dataset: Dataset) -> list[str]:
    """The names of the columns that the files have; no timestamp where the ratings have none."""
    columns = ["user", "item", "rating"]
    if dataset.ratings.times is not None:
        columns.append("timestamp")
    return columns


def _write_part(
    dataset: Dataset,
    rows: NDArray[np.int64],
    fold: int,
    part: Part,
    file_format: str,
    directory: Path,
) -> ExportedPart:
    """Write the ratings of `rows`, in that order, below `directory`; what the file holds."""
    ratings = dataset.ratings.take(rows)
    columns: dict[str, NDArray[Any]] = {
        "user": dataset.user_ids[ratings.users],
        "item": dataset.item_ids[ratings.items],
        "rating": ratings.values,
    }
    if ratings.times is not None:
        columns["timestamp"] = ratings.times

    writer = WRITERS[file_format]
    path = directory / f"fold-{fold}" / writer.file_name(fold, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write(pl.DataFrame(columns), path)

    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    name = path.relative_to(directory).as_posix()
    return ExportedPart(name, len(rows), fingerprint_rows(rows), sha256)


@dataclass(frozen=True)
class Writer:
    """How the files of a format are called and written."""

    file_name: Callable[[int, Part], str]
    write: Callable[[pl.DataFrame, Path], None]


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    frame.write_csv(path)


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path)


def _write_recbole(frame: pl.DataFrame, path: Path) -> None:
    """Write an atomic file of RecBole: tabs, typed headings, nothing quoted.

    UsageError for ids with a tab or a line break, which such a file cannot hold.
    """
    for column in ("user", "item"):
        ids = frame[column].cast(pl.String)
        torn = ids.filter(ids.str.contains(r"[\t\r\n]"))
        if len(torn):
            raise UsageError(
                f"--format recbole: {len(torn):,} ratings have {column} ids with a tab or a line "
                f"break, such as {torn[0]!r}, and .inter files quote nothing; use csv or parquet"
            )
    headings = {column: RECBOLE_COLUMNS[column] for column in frame.columns}
    frame.rename(headings).write_csv(path, separator="\t", quote_style="never")


WRITERS = {
    "csv": Writer(lambda fold, part: f"{part}.csv", _write_csv),
    "parquet": Writer(lambda fold, part: f"{part}.parquet", _write_parquet),
    # RecBole finds files by the name of their directory.
    "recbole": Writer(lambda fold, part: f"fold-{fold}.{part}.inter", _write_recbole),
}


if __name__ == "__main__":
    serve(export)

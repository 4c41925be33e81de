"""A model as a directory: `model.json`, arrays in .npz files, ids and titles as Parquet.

It is written beside its place and takes it at once, so what stands there is whole. Nothing in it is
executed when it is read, whoever made it: JSON, plain arrays and columns are all there is.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from recbench.adapters import Recommender, available, create
from recbench.benchmarks.models.description import (
    FORMAT,
    KIND,
    ModelDescription,
    plain_json,
)
from recbench.benchmarks.models.model import KnownItems, Model, probe_scores
from recbench.benchmarks.models.state import (
    Arrays,
    PackedState,
    Unrestorable,
    pack_state,
    unpack_state,
)
from recbench.benchmarks.records import UNREADABLE_ARRAYS, read_arrays
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, parse_json
from recbench.datasets.parsing import DamagedParquet, read_outline
from recbench.datasets.storage import digest_of, write_atomically

DESCRIPTION = "model.json"
STATE = "state.npz"
RATINGS = "ratings.npz"
USERS = "users.parquet"
ITEMS = "items.parquet"
FILES = (STATE, RATINGS, USERS, ITEMS)

# What reading a damaged or foreign file raises
UNREADABLE_FILES = (*UNREADABLE_ARRAYS, DamagedParquet, pl.exceptions.PolarsError)


def holds_model(directory: Path) -> bool:
    """Whether a directory has a `model.json`, damaged or not."""
    return (directory / DESCRIPTION).is_file()


def refuse_place(out: Path) -> None:
    """UsageError unless a model may be written there: nothing, an empty directory or a model."""
    if not out.exists() or holds_model(out):
        return
    if not out.is_dir():
        raise UsageError(f"--out {out}: expected a directory, and it is a file")
    if any(out.iterdir()):
        raise UsageError(
            f"--out {out}: it holds files and no model; name a directory that is not there yet"
        )


def save_model(model: Model, out: str | Path) -> Model:
    """Write a model, and read it again; the one that was read, which is what stands in `out`.

    A model that was there before is replaced. UsageError if the algorithm cannot be saved, or if
    what was read answers otherwise; then, and if nothing can be written, `out` is as it was.
    """
    out = Path(out).absolute()
    refuse_place(out)
    state = pack_state(model.algorithm)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write_contents(scratch, model, state.arrays)
        described = model.description.model_copy(
            update={
                "state": state.outline,
                "files": {name: digest_of(scratch / name, "sha256") for name in FILES},
                "megabytes": sum((scratch / name).stat().st_size for name in FILES) / 1e6,
            }
        )
        _write_description(scratch, described)

        begun = perf_counter()
        saved = load_model(scratch)
        load_seconds = perf_counter() - begun
        if probe_scores(saved) != described.probe:
            raise UsageError(
                f"{model.algorithm.name} cannot be saved: read again it gives other scores, so its "
                "`state` is not all that scoring needs, see adapters/base.py"
            )
        saved.description = described.model_copy(update={"load_seconds": load_seconds})
        _write_description(scratch, saved.description)
        _take_place(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return saved


def _take_place(scratch: Path, out: Path) -> None:
    """Put the directory `scratch` where `out` is; what was there goes."""
    scratch.chmod(0o755)
    if not out.exists():
        scratch.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    try:
        out.rename(old)
        scratch.rename(out)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _write_description(directory: Path, description: ModelDescription) -> None:
    text = json.dumps(plain_json(description), indent=1, sort_keys=True, allow_nan=False)
    write_atomically(directory / DESCRIPTION, f"{text}\n".encode())


def _write_contents(directory: Path, model: Model, state: Arrays) -> None:
    """Write the arrays, the ids and the titles, and have the system keep them."""
    _write_arrays(directory / STATE, state)

    # Ratings have few values: a byte each, and the values themselves
    values, codes = np.unique(model.rated.data, return_inverse=True)
    narrow = np.uint8 if len(values) <= 1 << 8 else np.uint32
    ratings = {
        "values": values,
        "codes": codes.astype(narrow),
        "indices": model.rated.indices,
        "indptr": model.rated.indptr,
    }
    _write_arrays(directory / RATINGS, ratings)

    items = model.items
    genres = [list(of_item) for of_item in items.genres]
    about_items = {
        "item": pl.Series(items.ids),
        "title": pl.Series(items.titles, dtype=pl.String),
        "year": pl.Series(items.years, dtype=pl.Int64),
        "genres": pl.Series(genres, dtype=pl.List(pl.String)),
    }
    pl.DataFrame({"user": pl.Series(model.user_ids)}).write_parquet(directory / USERS)
    pl.DataFrame(about_items).write_parquet(directory / ITEMS)

    for name in FILES:
        with (directory / name).open("rb") as file:
            os.fsync(file.fileno())


def _write_arrays(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_description(directory: Path) -> ModelDescription:
    """What `model.json` says.

    UsageError if there is none, and for a damaged, foreign or newer one.
    """
    path = directory / DESCRIPTION
    train = command_to_type("train")
    try:
        content = parse_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if (directory / "plan.json").is_file():
            raise UsageError(
                f"{directory} is a run and no model: make one of it with `{train} {directory}`"
            ) from None
        raise UsageError(
            f"{directory} holds no model: expected {path}, written by `{train}`"
        ) from None
    except (ValueError, OSError) as error:
        raise _damaged(path, str(error)) from None

    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise UsageError(f"{path} is no model of this bench: expected a file written by `{train}`")
    version = content.get("format")
    if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT:
        raise UsageError(
            f"{path} has format {version}, and this version reads {FORMAT}: a newer recbench wrote "
            f"it; use that, or train the model again with `{train}`"
        )
    try:
        return ModelDescription.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"{place}: {first['msg']}") from None


def load_model(directory: str | Path) -> Model:
    """The model in a directory, ready to be asked.

    UsageError for what is no model, is damaged, was written by a newer version, or does not fit the
    algorithm as it is now.
    """
    directory = Path(directory)
    description = read_description(directory)
    for name in FILES:
        _refuse_other_file(directory / name, description)

    algorithm = _make_algorithm(directory, description)
    try:
        state = read_arrays(directory / STATE)
        user_ids, items = _read_people(directory)
        rated = _read_ratings(directory, (len(user_ids), len(items.ids)))
    except UsageError:
        raise
    except UNREADABLE_FILES as error:
        raise _damaged(directory, str(error)) from None

    _refuse_misfits(directory, description, len(user_ids), rated)
    try:
        unpack_state(algorithm, PackedState(description.state, state))
    except Unrestorable as error:
        raise _mismatching(
            directory, f"what was learned is not what {algorithm.name} has now ({error})"
        ) from None
    expected = (description.data.users, description.data.items)
    if (algorithm.n_users_, algorithm.n_items_) != expected:
        raise _mismatching(directory, "the algorithm has learned from other users or items")
    algorithm.threads = description.training.threads
    _refuse_speechless(directory, algorithm)
    return Model(description, algorithm, user_ids, items, rated)


def _refuse_other_file(path: Path, description: ModelDescription) -> None:
    """UsageError unless the file is the one that `model.json` was written with."""
    try:
        digest = digest_of(path, "sha256")
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from None
    if digest != description.files.get(path.name):
        raise _damaged(path, "it is not the file that model.json was written with")


def _make_algorithm(directory: Path, description: ModelDescription) -> Recommender:
    """The algorithm with the model's hyperparameters; UsageError if it is not there as it was."""
    adapters = available()
    name = description.algorithm
    if name not in adapters:
        raise UsageError(
            f"{directory} is a model of {name!r}, which is no algorithm here: it was found in the "
            f"module {description.module}; name it with --plugin, or import it"
        )
    try:
        algorithm = create(name, description.parameters)
    except UsageError as error:
        raise _mismatching(directory, str(error)) from None
    if algorithm.revision != description.revision:
        raise _mismatching(
            directory,
            f"it was made with revision {description.revision} of {name}, and this is revision "
            f"{algorithm.revision}, which gives other numbers",
        )
    return algorithm


def _read_people(directory: Path) -> tuple[NDArray[Any], KnownItems]:
    """The ids of the users, and what is known of the items."""
    users = _read_columns(directory / USERS, ("user",))
    items = _read_columns(directory / ITEMS, ("item", "title", "year", "genres"))
    known = KnownItems(
        ids=_ids_of(items["item"]),
        titles=tuple(items["title"].to_list()),
        years=tuple(items["year"].to_list()),
        genres=tuple(tuple(genres) for genres in items["genres"].to_list()),
    )
    return _ids_of(users["user"]), known


def _ids_of(column: pl.Series) -> NDArray[Any]:
    """Ids as NumPy has them: numbers as they are, texts as objects, which take what they need."""
    if column.dtype == pl.String:
        return np.array(column.to_list(), object)
    return column.to_numpy()


def _read_columns(path: Path, names: tuple[str, ...]) -> pl.DataFrame:
    """The columns of a Parquet file, once it is known that they do not unpack to too much."""
    read_outline(path).refuse_expansion(names)
    return pl.read_parquet(path, columns=list(names), glob=False)


def _read_ratings(directory: Path, shape: tuple[int, int]) -> csr_matrix:
    """The ratings as a users x items matrix."""
    arrays = read_arrays(directory / RATINGS)
    values = arrays["values"][arrays["codes"]]
    matrix = csr_matrix((values, arrays["indices"], arrays["indptr"]), shape)
    matrix.check_format(full_check=True)
    return matrix


def _refuse_misfits(
    directory: Path, description: ModelDescription, n_users: int, rated: csr_matrix
) -> None:
    """UsageError unless the parts of a model belong together."""
    data = description.data
    expected = (data.users, data.items)
    if rated.shape != expected:
        raise _mismatching(
            directory,
            f"model.json speaks of {data.users:,} users and {data.items:,} items, and the files "
            f"have {n_users:,} and {rated.shape[1]:,}",
        )


def _refuse_speechless(directory: Path, algorithm: Recommender) -> None:
    """UsageError if the algorithm cannot answer with what it was given: it is of another one."""
    first_user = np.zeros(1, np.int32)
    try:
        algorithm.score_items(first_user)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise _mismatching(
            directory,
            f"what was learned is not what {algorithm.name} has now "
            f"({type(error).__name__}: {error})",
        ) from None


def _damaged(path: Path, reason: str) -> UsageError:
    train = command_to_type("train")
    return UsageError(f"{path} is damaged: {reason}. Train the model again with `{train}`")


def _mismatching(directory: Path, reason: str) -> UsageError:
    train = command_to_type("train")
    return UsageError(
        f"{directory} does not fit this version of the bench: {reason}. Train the model again with "
        f"`{train}`"
    )

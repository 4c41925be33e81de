"""The simulated Netflix as files, in the very format of Kaggle's archive, with the truth beside."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.netflix.twin.drawing import draw_ratings_text
from recbench.datasets.netflix.twin.model import ALL_RATERS, TRUTH, VERSION, Twin, plant_twin
from recbench.datasets.netflix.twin.overviews import describe_movies
from recbench.datasets.netflix.twin.titles import draw_titles, write_title_list
from recbench.datasets.storage import (
    data_directory,
    hold_lock,
    is_marked,
    mark_directory,
    remove_own_files,
)

TITLES = "movie_titles.csv"
OVERVIEWS = "movies_metadata.csv"
OWN_FILES = re.compile(
    rf"combined_data_\d\.txt|{re.escape(TITLES)}|{re.escape(TRUTH)}|{re.escape(OVERVIEWS)}"
)
DAYS_PER_YEAR = 365.25


def write_simulated_netflix(share: float, seed: int, n_files: int = 1) -> Path:
    """The directory with `combined_data_1.txt` and more, written when first asked for.

    Beside the ratings lie `movie_titles.csv`, overviews in `movies_metadata.csv`, and `truth.npz`;
    files 2 to 4 of the ratings only if `n_files` asks for them. `share` of the real file's 470,758
    users rate its 4,499 movies. The same share and seed give the same bytes; whoever asks while
    another process writes waits for it.
    """
    directory = data_directory() / "simulated" / f"netflix-users{share!r}-seed{seed}-v{VERSION}"
    wanted = [directory / f"combined_data_{number}.txt" for number in range(1, n_files + 1)]
    if all(path.exists() for path in wanted):
        return directory

    with hold_lock(directory.with_name(f"{directory.name}.lock")):
        _remove_remains(directory)
        if not directory.exists():
            _write_first_file(directory, share, seed)
        for number, path in enumerate(wanted, start=1):
            if not path.exists():
                _write_another_file(path, number, seed)
    return directory


def _remove_remains(directory: Path) -> None:
    """Remove what a writer that was killed has left beside `directory`."""
    for path in directory.parent.glob(f".{directory.name}.*"):
        if is_marked(path):
            remove_own_files(path, OWN_FILES)


def _write_first_file(directory: Path, share: float, seed: int) -> None:
    """Write `directory` with the first file, the lists and the truth: all of it, or nothing."""
    temporary = _make_directory_beside(directory)
    try:
        _write_contents(temporary, share, seed)
        for path in temporary.iterdir():
            _sync_file(path)
        temporary.chmod(0o755)
        temporary.replace(directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_contents(directory: Path, share: float, seed: int) -> None:
    """Write the first file, the lists and the truth into `directory`."""
    twin = plant_twin(share, seed)
    rng = np.random.default_rng([VERSION, seed, 1])

    # The lists
    years_since_1970 = twin.release // DAYS_PER_YEAR
    years = (1970 + years_since_1970).astype(int)
    titles = draw_titles(rng, years)
    title_list = write_title_list(rng, titles, years)
    (directory / TITLES).write_bytes(title_list)
    overviews = describe_movies(rng, titles, years, twin.movie_factors, twin.reach)
    (directory / OVERVIEWS).write_text(overviews, "utf-8")

    # The ratings, and the truth, which says who gave any
    raters = np.zeros(len(twin.user_ids), np.bool_)
    text = draw_ratings_text(twin, seed, 1, raters)
    _write_pieces(directory / "combined_data_1.txt", text)
    active = _draw_active(rng, raters, share)
    twin = replace(twin, active=active)
    np.savez(directory / TRUTH, **vars(twin))


def _write_another_file(path: Path, number: int, seed: int) -> None:
    """Another of the four files: its movies, and of the users those who rate at all."""
    temporary = _make_directory_beside(path.parent)
    try:
        twin = Twin.load(path.parent)
        raters = twin.keep_users(twin.active)
        unfinished = temporary / path.name
        _write_pieces(unfinished, draw_ratings_text(raters, seed, number))
        _sync_file(unfinished)
        unfinished.replace(path)
    finally:
        shutil.rmtree(temporary)


def _make_directory_beside(directory: Path) -> Path:
    """A new hidden directory beside `directory`, marked as our own."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    mark_directory(temporary)
    return temporary


def _write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file piece by piece, so that it is never in memory as a whole."""
    with path.open("wb") as file:
        file.writelines(pieces)


def _sync_file(path: Path) -> None:
    """Wait until the file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _draw_active(
    rng: np.random.Generator, raters: NDArray[np.bool_], share: float
) -> NDArray[np.bool_]:
    """Who rates at all, as a mask: the `raters` of file 1, and some who rate only in the others.

    As many of these as it takes to make `share` of ALL_RATERS.
    """
    active = raters.copy()
    others = np.flatnonzero(~raters)
    n_more = round(ALL_RATERS * share) - int(np.count_nonzero(raters))
    active[rng.permutation(others)[: max(n_more, 0)]] = True
    return active

"""The simulated Netflix as files: `datasets.netflix.twin.model` made flesh in the very format of Kaggle's archive."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.netflix.twin.model import (
    ALL_RATERS,
    FILE_MOVIES,
    FIRST_DAY,
    LAST_DAY,
    MOOD_SD,
    THRESHOLDS,
    VERSION,
    Twin,
    plant,
    site_level,
)
from recbench.datasets.netflix.twin.titles import metadata, movie_titles, titles_file
from recbench.datasets.storage import (
    data_directory,
    hold_lock,
    is_marked,
    mark_directory,
    remove_own_files,
)

TITLES, TRUTH, OVERVIEWS = "movie_titles.csv", "truth.npz", "movies_metadata.csv"
FILES = re.compile(
    rf"combined_data_\d\.txt|{re.escape(TITLES)}|{re.escape(TRUTH)}|{re.escape(OVERVIEWS)}"
)
BLOCK_PAIRS = 4_000_000  # pairs of user and movie in memory at a time: about 100 MB
GOLDEN = (
    0.6180339887498949  # its multiples fill a user's span evenly, whatever the number of sessions
)

Block = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def simulated_netflix(share: float, seed: int, n_files: int = 1) -> Path:
    """The directory with `combined_data_1.txt` and more, written when first asked for.

    Beside the ratings lie `movie_titles.csv`, overviews in `movies_metadata.csv`, and `truth.npz`; files 2 to 4 of
    the ratings only if `n_files` asks for them. `share` of the real file's 470,758 users rate its 4,499 movies. The
    same share and seed give the same bytes; whoever asks while another process writes waits for it.
    """
    directory = data_directory() / "simulated" / f"netflix-users{share!r}-seed{seed}-v{VERSION}"
    wanted = [directory / f"combined_data_{number}.txt" for number in range(1, n_files + 1)]
    if not all(path.exists() for path in wanted):
        with hold_lock(directory.with_name(f"{directory.name}.lock")):
            for stale in directory.parent.glob(
                f".{directory.name}.*"
            ):  # of a writer that was killed
                if is_marked(stale):
                    remove_own_files(stale, FILES)
            if not directory.exists():
                _write_first(directory, share, seed)
            for number, path in enumerate(wanted, start=1):
                if not path.exists():
                    _write_more(path, number, seed)
    return directory


def _write_first(directory: Path, share: float, seed: int) -> None:
    temporary = _beside(directory)
    try:
        twin = plant(share, seed)
        rng = np.random.default_rng([VERSION, seed, 1])
        years = (1970 + twin.release // 365.25).astype(int)
        titles = movie_titles(rng, years)
        (temporary / TITLES).write_bytes(titles_file(rng, titles, years))
        (temporary / OVERVIEWS).write_text(
            metadata(rng, titles, years, twin.movie_factors, twin.reach), "utf-8"
        )
        raters = np.zeros(len(twin.user_ids), np.bool_)
        _write(temporary / "combined_data_1.txt", ratings_text(twin, seed, 1, raters))
        np.savez(temporary / TRUTH, **vars(replace(twin, active=_active(rng, raters, share))))
        for path in temporary.iterdir():
            _sync(path)
        temporary.chmod(0o755)
        temporary.replace(directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_more(path: Path, number: int, seed: int) -> None:
    """Another of the four files: its movies, and of the users those who rate at all."""
    temporary = _beside(path.parent)
    try:
        twin = Twin.load(path.parent)
        _write(temporary / path.name, ratings_text(twin.of_users(twin.active), seed, number))
        _sync(temporary / path.name)
        (temporary / path.name).replace(path)
    finally:
        shutil.rmtree(temporary)


def _beside(directory: Path) -> Path:
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    mark_directory(temporary)
    return temporary


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _active(rng: np.random.Generator, raters: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """The raters of file 1, and as many who rate only in the others as it takes to make ALL_RATERS."""
    active, others = raters.copy(), np.flatnonzero(~raters)
    more = round(ALL_RATERS * share) - int(np.count_nonzero(raters))
    active[rng.permutation(others)[: max(more, 0)]] = True
    return active


def ratings_text(
    twin: Twin, seed: int, number: int = 1, raters: NDArray[np.bool_] | None = None
) -> Iterator[bytes]:
    """`combined_data_N.txt` in pieces, in order; users who rate in it are marked in `raters`."""
    step = max(BLOCK_PAIRS // len(twin.user_ids), 1)
    start, end = sum(FILE_MOVIES[: number - 1]), sum(FILE_MOVIES[:number])
    for first in range(start, end, step):
        rng = np.random.default_rng([VERSION, seed, 2, first])
        movies = np.arange(first, min(first + step, end))
        users, rows, stars, days = _rate(twin, movies, rng)
        if raters is not None:
            raters[users] = True
        yield _lines(twin.user_ids[users].astype(np.int64), rows, stars, days, movies)


def _rate(twin: Twin, movies: NDArray[np.int64], rng: np.random.Generator) -> Block:
    """Who rates `movies`: user indices, movie positions in `movies`, stars and days; movie by movie."""
    taste = twin.movie_factors[movies] @ twin.user_factors.T
    rated = np.flatnonzero(
        np.exp(twin.eagerness(movies, taste)) > rng.standard_exponential(taste.shape, np.float32)
    )
    rows, users = np.divmod(rated, len(twin.user_ids))
    days, session = _days(twin, users, movies[rows], rng)
    moment = (days - twin.first_day[users]) / np.maximum(twin.span[users], 1) - 0.5
    evening = (twin.user_ids[users].astype(np.int64) * 7919 + session * 104_729) & 0xFFFF
    moods = np.random.default_rng(VERSION).normal(0, MOOD_SD, 1 << 16)[evening]
    opinion = twin.user_bias[users] + twin.movie_bias[movies[rows]] + taste.ravel()[rated]
    opinion += site_level(days) + twin.slope[users] * moment.clip(-0.5, 0.5) + moods
    opinion += rng.standard_normal(len(users)) * twin.noise[users]
    constant = twin.constant[users]
    stars = np.where(constant > 0, constant, 1 + np.searchsorted(THRESHOLDS, opinion))
    return users, rows, stars, days


def _days(
    twin: Twin, users: NDArray[np.int64], movies: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Day and session of each rating. Early sessions are the fullest; nothing is rated before it is out."""
    chance = rng.random(len(users))
    session = (twin.sessions[users] * chance**2).astype(np.int64)
    offset = twin.span[users] * np.mod(session * GOLDEN, 1)
    release = np.maximum(twin.release[movies], FIRST_DAY)
    days = twin.first_day[users] + offset.astype(np.int64)
    late = release + ((LAST_DAY - release) * chance).astype(np.int64)
    return np.where(days < release, late, days), session


def _lines(
    users: NDArray[np.int64],
    rows: NDArray[np.int64],
    stars: NDArray[np.int64],
    days: NDArray[np.int64],
    movies: NDArray[np.int64],
) -> bytes:
    """The text of a block: each movie's header, then a line for each of its ratings."""
    calendar = (
        np.arange(FIRST_DAY, LAST_DAY + 1)
        .astype("datetime64[D]")
        .astype("S10")
        .view(np.uint8)
        .reshape(-1, 10)
    )
    text = np.full(
        (len(users), 21), ord(","), np.uint8
    )  # 7 digits, comma, star, comma, date, newline
    powers = 10 ** np.arange(6, -1, -1)
    text[:, :7] = users[:, None] // powers % 10 + ord("0")
    text[:, 8] = stars + ord("0")
    text[:, 10:20] = calendar[days - FIRST_DAY]
    text[:, 20] = ord("\n")
    shown = np.ones(text.shape, np.bool_)
    shown[:, :7] = users[:, None] >= powers  # no leading zeros
    flat = text[shown].tobytes()
    ends = np.concatenate([[0], np.cumsum(shown.sum(axis=1))])[
        np.searchsorted(rows, np.arange(len(movies) + 1))
    ]
    return b"".join(
        b"%d:\n" % (movie + 1) + flat[ends[k] : ends[k + 1]] for k, movie in enumerate(movies)
    )

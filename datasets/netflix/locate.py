"""Where the texts of the Netflix Prize lie: loose, in Kaggle's zip, or in the original tar; found and opened."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recbench.datasets.foundation import UsageError
from recbench.datasets.netflix.ratings_files import Text
from recbench.datasets.storage import (
    MissingData,
    cache_directory,
    data_directory,
    list_file_names,
    stream_members,
    write_atomically,
)

KAGGLE = "https://www.kaggle.com/datasets/netflix-inc/netflix-prize-data"
COMBINED = tuple(f"combined_data_{number}.txt" for number in (1, 2, 3, 4))
LAST_MOVIES = (4_499, 9_210, 13_367, 17_770)  # the last movie in each of them
TITLES, PROBE = ("movie_titles.csv", "movie_titles.txt"), "probe.txt"
TARS = ("training_set.tar", "nf_prize_dataset.tar.gz")

Kind = Literal["ratings", "titles", "probe"]


@dataclass(frozen=True)
class Layout:
    """One form in which the ratings are here, and which of the four files (by number) it gives.

    `files` are the wanted ones of `combined_data_N.txt` or `mv_*.txt`, or else the one archive that holds such files.
    """

    kind: Literal["combined", "movies", "zip", "tar"]
    files: tuple[Path, ...]
    numbers: tuple[int, ...]
    complete: bool = False  # holds all that is wanted
    has_titles: bool = False

    def __str__(self) -> str:
        shown = (
            self.files[0].name
            if len(self.files) == 1
            else f"{len(self.files)} files like {self.files[0].name}"
        )
        return f"{shown} (of files {', '.join(map(str, self.numbers))})"


@dataclass(frozen=True)
class Found:
    """The ratings in the best layout there is, and the lists that lie loose beside it."""

    layout: Layout
    titles: Path | None
    probe: Path | None

    def covers(self, movie: int) -> bool:
        """Whether the ratings of `movie` belong into what is read."""
        return _file_of(movie) in self.layout.numbers

    def sources(self) -> list[Path]:
        """The files whose bytes fix what is read; for thousands of small ones, a list of their sums in the cache."""
        files = (_sums(self.layout.files),) if self.layout.kind == "movies" else self.layout.files
        return [*files, *(path for path in (self.titles, self.probe) if path)]

    def texts(self) -> Iterator[tuple[Kind, Text]]:
        """Every text that is wanted, open, in one pass over an archive; read each before asking for the next."""
        loose: list[tuple[Kind, Path | None]] = [("titles", self.titles), ("probe", self.probe)]
        if self.layout.kind in ("combined", "movies"):
            loose += [("ratings", path) for path in self.layout.files]
        for kind, path in loose:
            if path:
                with path.open("rb") as file:
                    yield kind, Text(str(path), file, _movie(path.name))
        if self.layout.kind in ("zip", "tar"):
            archive = self.layout.files[0]
            for name, stream in stream_members(archive, lambda name: bool(self._kind(name))):
                if member := self._kind(name):
                    yield member, Text(f"{archive}/{name}", stream, _movie(name))

    def _kind(self, name: str) -> Kind | None:
        """What the archive's member `name` is, or None if it is not wanted."""
        if name in TITLES:
            return None if self.titles else "titles"
        if name == PROBE:
            return None if self.probe else "probe"
        movie, number = _movie(name), _number(name)
        return (
            "ratings" if number in self.layout.numbers or (movie and self.covers(movie)) else None
        )


def find(directory: Path, n_files: int) -> Found | None:
    """The Netflix Prize in `directory`, its files 1 to `n_files` wanted; None if nothing of it is there.

    A layout that holds all of them is taken, loose files before zips, and these before the original; else the only
    layout there is. MissingData if the ratings or the titles are missing. UsageError for a zip that cannot be read,
    and for several incomplete layouts, of which one would be passed over in silence.
    """
    titles = next((directory / name for name in TITLES if (directory / name).is_file()), None)
    probe = directory / PROBE if (directory / PROBE).is_file() else None
    layouts = [layout for layout in _layouts(directory, n_files) if layout.numbers]
    whole = [layout for layout in layouts if layout.complete]
    if len(layouts) > 1 and not whole:
        raise UsageError(
            f"{directory}: Netflix is here in several incomplete forms: {'; '.join(map(str, layouts))}. "
            "Unpack them into one form, or move all but one away."
        )
    best = next(iter(whole or layouts), None)
    missing = [] if best else [COMBINED[0]]
    missing += [] if titles or (best and best.has_titles) else [TITLES[0]]
    if best and not missing:
        return Found(best, titles, probe)
    if not (best or titles or probe or any(directory.glob("combined_data_*.txt"))):
        return None
    raise MissingData(
        f"Netflix is here only in part: {', '.join(missing)} missing. {advice(*missing)}"
    )


def advice(*missing: str) -> str:
    """What to do about `missing` files."""
    return f"Put {' and '.join(missing)} from {KAGGLE} into {data_directory() / 'netflix'}."


def _layouts(directory: Path, n_files: int) -> Iterator[Layout]:
    wanted = tuple(range(1, n_files + 1))
    numbers = tuple(number for number in wanted if (directory / COMBINED[number - 1]).is_file())
    yield Layout(
        "combined",
        tuple(directory / COMBINED[number - 1] for number in numbers),
        numbers,
        numbers == wanted,
    )
    if numbers == wanted:
        return  # whatever else lies here need not be looked at
    for path in sorted(directory.glob("*.zip")):
        names = set(list_file_names(path))
        inside = tuple(number for number in wanted if COMBINED[number - 1] in names)
        yield Layout("zip", (path,), inside, inside == wanted, has_titles=bool(names & set(TITLES)))
    for folder in (directory, directory / "training_set"):
        movies = sorted(
            path
            for path in folder.glob("mv_*.txt")
            if _movie(path.name) <= LAST_MOVIES[n_files - 1]
        )
        touched = {_file_of(_movie(path.name)) for path in movies}
        yield Layout(
            "movies", tuple(movies), tuple(sorted(touched)), len(movies) == LAST_MOVIES[n_files - 1]
        )
    for name in TARS:
        if (
            directory / name
        ).is_file():  # whether the larger one has the titles shows when it is read
            yield Layout(
                "tar", (directory / name,), wanted, complete=True, has_titles=name != TARS[0]
            )


def _file_of(movie: int) -> int:
    """The number of the Kaggle file that holds `movie`."""
    return next(number for number, last in enumerate(LAST_MOVIES, 1) if movie <= last)


def _number(name: str) -> int:
    """2 for combined_data_2.txt, 0 for other names."""
    return COMBINED.index(name) + 1 if name in COMBINED else 0


def _movie(name: str) -> int:
    """5 for mv_0000005.txt, 0 for other names; UsageError for a movie that there is not."""
    found = re.fullmatch(r"mv_([0-9]+)\.txt", name)
    if found and not 0 < int(found[1]) <= LAST_MOVIES[-1]:
        raise UsageError(
            f"{name}: expected mv_*.txt files for movies 1 to {LAST_MOVIES[-1]}. Remove it."
        )
    return int(found[1]) if found else 0


def _sums(files: tuple[Path, ...]) -> Path:
    """A file in the cache with the sha256 of each of `files`; made anew when a size, time or inode changes."""
    facts = [
        (str(path), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)
        for path in files
        for s in [path.stat()]
    ]
    signature = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
    remembered = cache_directory() / "digests" / signature / "training_set.sha256"
    if not remembered.exists():
        lines = (
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
        )
        write_atomically(remembered, "".join(lines).encode())
    return remembered

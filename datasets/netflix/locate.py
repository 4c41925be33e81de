"""Where the texts of the Netflix Prize lie: loose, in Kaggle's zip, or in the original tar."""

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
COMBINED = (
    "combined_data_1.txt",
    "combined_data_2.txt",
    "combined_data_3.txt",
    "combined_data_4.txt",
)
LAST_MOVIES = (4_499, 9_210, 13_367, 17_770)  # the last movie in each of them
TITLES = ("movie_titles.csv", "movie_titles.txt")
PROBE = "probe.txt"
BARE_TAR = "training_set.tar"  # has no titles
COMPLETE_TAR = "nf_prize_dataset.tar.gz"

TextKind = Literal["ratings", "titles", "probe"]


@dataclass(frozen=True)
class Form:
    """One form in which the ratings are here, and which of the four files (by number) it gives.

    `files` are the wanted ones of `combined_data_N.txt` or `mv_*.txt`, or else the one archive that
    holds such files.
    """

    kind: Literal["combined", "movies", "zip", "tar"]
    files: tuple[Path, ...]
    numbers: tuple[int, ...]
    complete: bool = False  # holds all that is wanted
    has_titles: bool = False

    @property
    def is_archive(self) -> bool:
        """Whether the texts are members of one archive rather than loose files."""
        return self.kind in ("zip", "tar")

    def __str__(self) -> str:
        name = self.files[0].name
        if len(self.files) > 1:
            name = f"{len(self.files)} files like {name}"
        return f"{name} (of files {', '.join(map(str, self.numbers))})"


@dataclass(frozen=True)
class NetflixFiles:
    """The ratings in the best form there is, and the lists that lie loose beside it."""

    form: Form
    titles: Path | None
    probe: Path | None

    def covers_movie(self, movie: int) -> bool:
        """Whether the ratings of `movie` belong into what is read."""
        return _file_of_movie(movie) in self.form.numbers

    def list_sources(self) -> list[Path]:
        """The files whose bytes fix what is read.

        For thousands of small ones it is a file in the cache with their checksums.
        """
        sources = list(self.form.files)
        if self.form.kind == "movies":
            sources = [_write_checksums(self.form.files)]
        return sources + [path for path in (self.titles, self.probe) if path]

    def open_texts(self) -> Iterator[tuple[TextKind, Text]]:
        """Every text that is wanted, open, in one pass over an archive.

        Read each before asking for the next. UsageError for an archive that is damaged or unsafe.
        """
        for kind, path in self._list_loose_texts():
            with path.open("rb") as file:
                yield kind, Text(str(path), file, _movie_of_name(path.name))
        if self.form.is_archive:
            yield from self._open_members()

    def _list_loose_texts(self) -> list[tuple[TextKind, Path]]:
        """The texts that are files of their own, the lists first."""
        texts: list[tuple[TextKind, Path]] = []
        if self.titles:
            texts.append(("titles", self.titles))
        if self.probe:
            texts.append(("probe", self.probe))
        if not self.form.is_archive:
            texts += [("ratings", path) for path in self.form.files]
        return texts

    def _open_members(self) -> Iterator[tuple[TextKind, Text]]:
        """The wanted members of the archive, open, in the order in which it gives them."""
        archive = self.form.files[0]
        for name, stream in stream_members(archive, self._is_wanted):
            kind = self._kind_of_member(name)
            if kind:
                yield kind, Text(f"{archive}/{name}", stream, _movie_of_name(name))

    def _is_wanted(self, name: str) -> bool:
        """Whether the archive's member `name` is to be read."""
        return self._kind_of_member(name) is not None

    def _kind_of_member(self, name: str) -> TextKind | None:
        """What the archive's member `name` is, or None if it is not wanted.

        A list that lies loose beside the archive stands for the one inside.
        """
        if name in TITLES:
            return None if self.titles else "titles"
        if name == PROBE:
            return None if self.probe else "probe"

        movie = _movie_of_name(name)
        if movie and self.covers_movie(movie):
            return "ratings"
        if name in COMBINED and COMBINED.index(name) + 1 in self.form.numbers:
            return "ratings"
        return None


def find_files(directory: Path, n_files: int) -> NetflixFiles | None:
    """The Netflix Prize in `directory`, its files 1 to `n_files` wanted; None if nothing is there.

    A form that holds all of them is taken, loose files before zips, and these before the original;
    else the only form there is. MissingData if the ratings or the titles are missing. UsageError
    for a zip that cannot be read, and for several incomplete forms, of which one would be passed
    over in silence.
    """
    titles = next((directory / name for name in TITLES if (directory / name).is_file()), None)
    probe = directory / PROBE if (directory / PROBE).is_file() else None
    form = _choose_form(directory, n_files)

    missing = []
    if not form:
        missing.append(COMBINED[0])
    if not titles and not (form and form.has_titles):
        missing.append(TITLES[0])
    if form and not missing:
        return NetflixFiles(form, titles, probe)

    has_any = form or titles or probe or any(directory.glob("combined_data_*.txt"))
    if not has_any:
        return None
    raise MissingData(
        f"Netflix is here only in part: {', '.join(missing)} missing. {advise_on_files(*missing)}"
    )


def advise_on_files(*missing: str) -> str:
    """What to do about `missing` files, as a sentence."""
    return f"Put {' and '.join(missing)} from {KAGGLE} into {data_directory() / 'netflix'}."


def _choose_form(directory: Path, n_files: int) -> Form | None:
    """The first complete form in `directory`, else the only one, else None.

    UsageError for several incomplete ones, and for a zip that cannot be read.
    """
    forms = [form for form in _list_forms(directory, n_files) if form.numbers]
    complete_forms = [form for form in forms if form.complete]
    if complete_forms:
        return complete_forms[0]
    if len(forms) > 1:
        raise UsageError(
            f"{directory}: Netflix is here in several incomplete forms: "
            f"{'; '.join(map(str, forms))}. Unpack them into one form, or move all but one away."
        )
    return forms[0] if forms else None


def _list_forms(directory: Path, n_files: int) -> Iterator[Form]:
    """All forms in `directory`, the better ones first; one that gives nothing has no numbers."""
    wanted = tuple(range(1, n_files + 1))
    combined = _combined_form(directory, wanted)
    yield combined
    if combined.complete:
        return  # whatever else lies here need not be looked at

    for path in sorted(directory.glob("*.zip")):
        yield _zip_form(path, wanted)

    for folder in (directory, directory / "training_set"):
        yield _movies_form(folder, n_files)

    # Whether the complete tar has the titles shows when it is read
    for name in (BARE_TAR, COMPLETE_TAR):
        path = directory / name
        if path.is_file():
            has_titles = name == COMPLETE_TAR
            yield Form("tar", (path,), wanted, complete=True, has_titles=has_titles)


def _combined_form(directory: Path, wanted: tuple[int, ...]) -> Form:
    """Those of Kaggle's loose files that are wanted and there."""
    numbers = tuple(number for number in wanted if (directory / COMBINED[number - 1]).is_file())
    files = tuple(directory / COMBINED[number - 1] for number in numbers)
    return Form("combined", files, numbers, complete=numbers == wanted)


def _zip_form(path: Path, wanted: tuple[int, ...]) -> Form:
    """Those of Kaggle's files that are wanted and inside a zip; UsageError if it cannot be read."""
    names = set(list_file_names(path))
    numbers = tuple(number for number in wanted if COMBINED[number - 1] in names)
    has_titles = bool(names & set(TITLES))
    return Form("zip", (path,), numbers, complete=numbers == wanted, has_titles=has_titles)


def _movies_form(folder: Path, n_files: int) -> Form:
    """The original's files of one movie each, as far as they belong to the first `n_files`."""
    last_movie = LAST_MOVIES[n_files - 1]
    files = []
    numbers = set()
    for path in sorted(folder.glob("mv_*.txt")):
        movie = _movie_of_name(path.name)
        if movie <= last_movie:
            files.append(path)
            numbers.add(_file_of_movie(movie))
    complete = len(files) == last_movie
    return Form("movies", tuple(files), tuple(sorted(numbers)), complete=complete)


def _file_of_movie(movie: int) -> int:
    """The number, from 1 to 4, of the Kaggle file that holds `movie`."""
    return next(number for number, last in enumerate(LAST_MOVIES, start=1) if movie <= last)


def _movie_of_name(name: str) -> int:
    """The movie that a file is about by its name: 5 for mv_0000005.txt, 0 for other names.

    UsageError for a movie that there is not.
    """
    match = re.fullmatch(r"mv_([0-9]+)\.txt", name)
    if match is None:
        return 0

    movie = int(match[1])
    if not 0 < movie <= LAST_MOVIES[-1]:
        expected = f"expected mv_*.txt files for movies 1 to {LAST_MOVIES[-1]}"
        raise UsageError(f"{name}: {expected}. Remove it.")
    return movie


def _write_checksums(files: tuple[Path, ...]) -> Path:
    """A file in the cache with the sha256 of each of `files`.

    It is made anew when the size, a time or the inode of one of them changes.
    """
    facts = []
    for path in files:
        status = path.stat()
        times = (status.st_mtime_ns, status.st_ctime_ns)
        facts.append((str(path), status.st_size, *times, status.st_ino))
    signature = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]

    checksums = cache_directory() / "digests" / signature / "training_set.sha256"
    if not checksums.exists():
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
        ]
        write_atomically(checksums, "".join(lines).encode())
    return checksums

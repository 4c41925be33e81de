"""Splits whose test part is given by a file: one that somebody names, or one that was published.

`file:PATH` reads, by what the file holds,

- `*.bits`: a bit for each rating in the order of the data, as `numpy.packbits` packs them; 1 is
  test;
- one number a line: the rows of the test ratings, the first rating being 0;
- two columns or more, by tabs, commas or blanks: user and item of each test rating, by their ids;
- `*.test.rating` without tabs: a user a line, then the items that are tested. Its `.train.rating`,
  if it lies beside it, has to hold all other ratings.

The first two say nothing of the ratings that they count, so a file of the same name with `.json`
behind it has to say whose they are: `{"ratings": 100000, "digest": "..."}`, see
`digest_of_ratings`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import UsageError, parse_json
from recbench.datasets.ratings import Dataset, Rows
from recbench.datasets.storage import MissingData, data_directory, download_file, find_placed

LONGEST_NUMBER = 18  # digits of a row: no data have more, and Python reads no endless ones
FILE = "file:"
Flags = NDArray[np.bool_]  # one a rating


@dataclass(frozen=True)
class PublishedSplit:
    """A split whose files others have published: where they are, and how to know them again."""

    about: str
    bitmap: str  # the file of packed bits, as a user may place it in the data directory
    sha256: str  # of these bits
    digest: str  # of the ratings that they are for, see `digest_of_ratings`
    address: str  # of a file of test pairs, of which the same bits come out
    file: str  # its name in the data directory


PUBLISHED = {
    "mcrec": PublishedSplit(
        about="MovieLens 100k as the authors of MCRec divided it; Ferrari Dacrema et al. (TOIS "
        "2021) tuned seventeen methods on it. From a public repository, or placed by hand.",
        bitmap="mcrec_test_rows.bits",
        sha256="18da739f608a1c257a1f3f5603beb22e1740775e92d24e647ee5aeb65b543879",
        digest="eaffc7e6a057bdc684736c70528323eb050fb4fb228f8e0e732340c28d82a2db",
        address="https://raw.githubusercontent.com/MaurizioFD/RecSys2019_DeepLearning_Evaluation/"
        "46362fbe71b90bc870891815226f75fabfea94e8/Conferences/KDD/MCRec_github/data/"
        "ml-100k.test.rating",
        file="ml-100k.test.rating",
    )
}


def canonical_file_spec(spec: str) -> str | None:
    """`spec` with its path made absolute if it is `file:PATH`, else None. UsageError if the file is
    not there.

    A cell is divided in another process, which may stand in another directory.
    """
    if not spec.strip().startswith(FILE):
        return None
    path = _path_of_spec(spec)
    if not path.is_file():
        raise UsageError(
            f"--split {spec}: there is no such file. Expected row numbers, packed bits (.bits) or "
            "pairs of user and item"
        )
    return f"{FILE}{path}"


def is_given_by_file(spec: str) -> bool:
    """Whether the rows of a split come from a file: `file:PATH`, or the name of a published one."""
    return spec in PUBLISHED or spec.startswith(FILE)


def locate_split_file(spec: str) -> Path:
    """The file that holds the test rows of `spec`; a published one is fetched if it is not placed.

    UsageError if it is not there and cannot be fetched; the message says where to put it.
    """
    if spec.startswith(FILE):
        return _path_of_spec(spec)

    published = PUBLISHED[spec]
    placed = find_placed(published.bitmap, published.file)
    if placed is not None:
        return placed

    directory = data_directory()
    try:
        return download_file(published.address, None, directory / published.file)
    except MissingData as error:
        raise MissingData(
            f"split {spec}: {error}. Put {published.bitmap} or {published.file} into {directory}"
        ) from None


def files_of_split(spec: str) -> tuple[Path, ...]:
    """The files here that tell of the test part; none for a split that no file gives."""
    path: Path | None = None
    if spec in PUBLISHED:
        path = find_placed(PUBLISHED[spec].bitmap, PUBLISHED[spec].file)
    elif spec.startswith(FILE):
        path = _path_of_spec(spec)

    if path is None or not path.is_file():
        return ()
    return tuple(file for file in (path, _training_file(path)) if file is not None)


def read_test_rows(dataset: Dataset, spec: str) -> Rows:
    """The ascending row numbers of the test part.

    UsageError for a file that is malformed, or made for other ratings.
    """
    published = PUBLISHED.get(spec)
    if published is not None:
        _refuse_other_ratings(dataset, spec, published.digest)
        path = locate_split_file(spec)
        is_test = _read_flags(dataset, path, needs_sidecar=False)
        sha256 = hashlib.sha256(np.packbits(is_test).tobytes()).hexdigest()
        if sha256 != published.sha256:
            raise UsageError(
                f"{path}: not the published split {spec}: expected test rows with sha256 "
                f"{published.sha256}, got {sha256}. Remove the file, or put another in its place"
            )
    else:
        is_test = _read_flags(dataset, locate_split_file(spec), needs_sidecar=True)
    return np.flatnonzero(is_test)


def digest_of_ratings(dataset: Dataset) -> str:
    """sha256 over the ids of user and item and the value of each rating, in their order.

    Unlike `Dataset.digest` it does not know the catalogue: with other texts they are the same
    ratings.
    """
    ratings = dataset.ratings
    digest = hashlib.sha256()
    for ids, indices in ((dataset.user_ids, ratings.users), (dataset.item_ids, ratings.items)):
        texts = "\n".join(map(str, ids.tolist()))
        digest.update(texts.encode())
        digest.update(np.ascontiguousarray(indices, np.int32).data)
    digest.update(np.ascontiguousarray(ratings.values, np.float32).data)
    return digest.hexdigest()


def _path_of_spec(spec: str) -> Path:
    """The absolute path in `file:PATH`."""
    return Path(spec.strip().removeprefix(FILE)).expanduser().absolute()


def _read_flags(dataset: Dataset, path: Path, *, needs_sidecar: bool) -> Flags:
    """Which ratings are tested, by whichever form the file has."""
    content = _read_bytes(path)
    n_ratings = len(dataset.ratings)
    if path.suffix == ".bits":
        if needs_sidecar:
            _check_sidecar(dataset, path)
        return _unpack_bits(content, n_ratings, path)

    lines = _split_lines(content, path)
    has_tabs = any("\t" in line.text for line in lines)
    if path.name.endswith(".test.rating") and not has_tabs:
        is_test = _find_pairs(dataset, _pairs_of_lists(lines), path)
    elif all(len(line.columns) == 1 for line in lines):
        if needs_sidecar:
            _check_sidecar(dataset, path)
        return _flag_rows(lines, n_ratings, path)
    else:
        is_test = _find_pairs(dataset, _pairs_of_columns(dataset, lines, path), path)

    _check_training_file(dataset, path, is_test)
    return is_test


def _read_bytes(path: Path) -> bytes:
    """What the file of a split holds. UsageError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: the split cannot be read: {error.strerror}") from None


@dataclass(frozen=True)
class _Line:
    """A line that is not empty: its number from 1, its text, and what stands between separators."""

    number: int
    text: str

    @property
    def columns(self) -> list[str]:
        for separator in ("\t", "::", ",", ";"):
            if separator in self.text:
                return [column.strip() for column in self.text.split(separator)]
        return self.text.split()


@dataclass(frozen=True)
class _Pair:
    """A test rating by the ids of its user and its item, and the line where it stands."""

    line: int
    user: str
    item: str


def _split_lines(content: bytes, path: Path) -> list[_Line]:
    """The lines that are not empty. UsageError if there is none, or if it is no text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            f"{path}: not a text in UTF-8; packed bits belong in a file that ends in .bits"
        ) from None

    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            lines.append(_Line(number, line.strip()))
    if not lines:
        raise UsageError(f"{path}: empty. Expected row numbers or pairs of user and item")
    return lines


def _unpack_bits(content: bytes, n_ratings: int, path: Path) -> Flags:
    """The bits of `numpy.packbits`. UsageError for more or fewer than there are ratings."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    n_bytes = -(-n_ratings // 8)  # rounded up
    if len(content) != n_bytes or bits[n_ratings:].any():
        raise UsageError(
            f"{path}: expected {n_bytes:,} bytes, a bit for each of {n_ratings:,} ratings and "
            f"zeros behind them; got {len(content):,} bytes"
        )
    return bits[:n_ratings].astype(bool)


def _flag_rows(lines: Iterable[_Line], n_ratings: int, path: Path) -> Flags:
    """A flag for each row number. UsageError for one that is no row, or stands there twice."""
    is_test = np.zeros(n_ratings, bool)
    for line in lines:
        is_number = line.text.isdecimal() and len(line.text) <= LONGEST_NUMBER
        if not is_number or int(line.text) >= n_ratings:
            raise UsageError(
                f"{path}, line {line.number}: expected a row from 0 to {n_ratings - 1}, got "
                f"{line.text[:40]!r}"
            )
        row = int(line.text)
        if is_test[row]:
            raise UsageError(f"{path}, line {line.number}: row {row} stands there twice")
        is_test[row] = True
    return is_test


def _pairs_of_lists(lines: Iterable[_Line]) -> Iterator[_Pair]:
    """The pairs of lines that hold a user and then its items."""
    for line in lines:
        user, *items = line.text.split()
        for item in items:
            yield _Pair(line.number, user, item)


def _pairs_of_columns(dataset: Dataset, lines: list[_Line], path: Path) -> Iterator[_Pair]:
    """The pairs in the first two columns; a first line with neither is a heading.

    UsageError for a line with one column.
    """
    user_ids = set(map(str, dataset.user_ids.tolist()))
    item_ids = set(map(str, dataset.item_ids.tolist()))
    for place, line in enumerate(lines):
        columns = line.columns
        if len(columns) < 2:
            raise UsageError(
                f"{path}, line {line.number}: expected user and item, got {line.text[:40]!r}"
            )
        user, item = columns[:2]
        is_heading = place == 0 and user not in user_ids and item not in item_ids
        if not is_heading:
            yield _Pair(line.number, user, item)


def _find_pairs(dataset: Dataset, pairs: Iterable[_Pair], path: Path) -> Flags:
    """Which ratings are of one of `pairs`. UsageError for a pair that nobody has rated."""
    index_of_user = {str(raw): index for index, raw in enumerate(dataset.user_ids.tolist())}
    index_of_item = {str(raw): index for index, raw in enumerate(dataset.item_ids.tolist())}
    ratings = dataset.ratings
    keys = ratings.users.astype(np.int64) * ratings.n_items + ratings.items
    rated = set(keys.tolist())

    wanted = []
    for pair in pairs:
        user = index_of_user.get(pair.user)
        item = index_of_item.get(pair.item)
        key = None
        if user is not None and item is not None:
            key = user * ratings.n_items + item
        if key not in rated:
            raise UsageError(
                f"{path}, line {pair.line}: {dataset.name} has no rating of user "
                f"{pair.user[:40]!r} and item {pair.item[:40]!r}: the file was made for other data"
            )
        wanted.append(key)
    return np.isin(keys, np.array(wanted, np.int64))


def _training_file(path: Path) -> Path | None:
    """The `.train.rating` beside a `.test.rating`, if there is one."""
    if not path.name.endswith(".test.rating"):
        return None
    train = path.with_name(path.name.removesuffix(".test.rating") + ".train.rating")
    return train if train.is_file() else None


def _check_training_file(dataset: Dataset, path: Path, is_test: Flags) -> None:
    """UsageError if a `.train.rating` beside a `.test.rating` does not hold all other ratings."""
    train = _training_file(path)
    if train is None:
        return

    lines = _split_lines(_read_bytes(train), train)
    is_train = _find_pairs(dataset, _pairs_of_columns(dataset, lines, train), train)
    n_in_both = int((is_train & is_test).sum())
    n_in_none = int((~is_train & ~is_test).sum())
    if n_in_both or n_in_none:
        raise UsageError(
            f"{train}: with {path.name} expected all ratings of {dataset.name}, each once; "
            f"{n_in_both:,} are in both files and {n_in_none:,} in none. Filter the data so, or "
            "remove the training file, and all that is not tested is trained on"
        )


def _check_sidecar(dataset: Dataset, path: Path) -> None:
    """UsageError unless the file beside `path` says that its rows count these ratings."""
    sidecar = path.with_name(f"{path.name}.json")
    expected = {"ratings": len(dataset.ratings), "digest": digest_of_ratings(dataset)}
    try:
        written = parse_json(sidecar.read_bytes())
    except FileNotFoundError:
        raise UsageError(
            f"{path} holds row numbers, and nothing says of which ratings. If they are those of "
            f"{dataset.name} at hand, in its order, write {json.dumps(expected)} to {sidecar}"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{sidecar}: expected {json.dumps(expected)}: {error}") from None

    if not isinstance(written, dict):
        raise UsageError(f"{sidecar}: expected {json.dumps(expected)}, got something else")
    if written.get("digest") != expected["digest"]:
        _refuse_other_ratings(dataset, str(path), str(written.get("digest")))
    if written.get("ratings") != expected["ratings"]:
        raise UsageError(f"{sidecar}: expected {json.dumps(expected)}, got {written!r:.200}")


def _refuse_other_ratings(dataset: Dataset, split: str, digest: str) -> None:
    """UsageError if the ratings at hand are not those with this digest."""
    digest_at_hand = digest_of_ratings(dataset)
    if digest_at_hand != digest:
        raise UsageError(
            f"split {split}: made for ratings with the digest {digest[:12]}; those of "
            f"{dataset.name} have {digest_at_hand[:12]}. Other ratings, another order or a filter: "
            "a split by row numbers is for one table only"
        )

"""The containers: who rated what, what the items are, and where all of it comes from."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]  # row numbers of ratings
RELEVANT_SHARE = 0.75  # of the scale, from which on the standard protocol takes a rating for a like


def share_of_scale(scale: tuple[float, float], share: float) -> float:
    """The rating at `share` of the way up the scale: 4 for .75 of 1 to 5."""
    lowest, highest = scale
    return lowest + share * (highest - lowest)


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings as parallel, read-only columns in one dense index space of users and items.

    `users` and `items` are int32 indices below `n_users` and `n_items`, `values` float32 within
    `scale` (lowest, highest), `times` int64 seconds since 1970 or None. Train and test parts of one
    data set share its index space, so an index means the same user or item in both. ValueError if
    the columns do not fit together.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    values: NDArray[np.float32]
    n_users: int
    n_items: int
    scale: tuple[float, float]
    times: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        self._set_column("users", np.int32)
        self._set_column("items", np.int32)
        self._set_column("values", np.float32)
        if self.times is not None:
            self._set_column("times", np.int64)

        _check_indices("users", self.users, self.n_users)
        _check_indices("items", self.items, self.n_items)

        lowest, highest = self.scale
        if not lowest < highest:
            raise ValueError(f"scale: expected (lowest, highest), got {self.scale}")
        if len(self.values) == 0:
            return
        if not (self.values.min() >= lowest and self.values.max() <= highest):
            raise ValueError(
                f"values: expected ratings within {self.scale}, "
                f"got {self.values.min()} to {self.values.max()}"
            )

    def _set_column(self, name: str, dtype: type) -> None:
        """Make the column `name` read-only.

        ValueError if it is not of that `dtype` or not as long as `users`.
        """
        column = getattr(self, name)
        length = len(self.users)
        if column.dtype != dtype or column.shape != (length,):
            raise ValueError(
                f"{name}: expected {np.dtype(dtype)} of shape ({length},), "
                f"got {column.dtype} of shape {column.shape}"
            )

        # A view, so that whoever made the column may still write to it. The class is frozen, so
        # the field is set by the way round.
        read_only = column.view()
        read_only.flags.writeable = False
        object.__setattr__(self, name, read_only)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        """The mean rating, summed in double precision; NaN when there are none."""
        if len(self) == 0:
            return float("nan")
        return float(self.values.mean(dtype=np.float64))

    def take(self, rows: ArrayLike) -> "Ratings":
        """The ratings of `rows` (indices or a mask), in that order, in the same index space."""
        rows = np.asarray(rows)
        times = None if self.times is None else self.times[rows]
        return Ratings(
            self.users[rows],
            self.items[rows],
            self.values[rows],
            self.n_users,
            self.n_items,
            self.scale,
            times,
        )


def describe_relevance(ratings: Ratings) -> str:
    """From which rating on items are relevant, and the share of the ratings that makes them so.

    >>> ratings = Ratings(*np.zeros((2, 2), np.int32), np.float32([3, 4]), 1, 1, (1.0, 5.0))
    >>> describe_relevance(ratings)
    'from 4, 50.0 % of the ratings'
    """
    threshold = share_of_scale(ratings.scale, RELEVANT_SHARE)
    n_relevant = int(np.count_nonzero(ratings.values >= np.float32(threshold)))
    percent = 100 * n_relevant / max(len(ratings), 1)
    return f"from {threshold:g}, {percent:.1f} % of the ratings"


def _check_indices(name: str, indices: NDArray[np.int32], size: int) -> None:
    """ValueError, which names the column, unless all `indices` lie from 0 to `size` - 1."""
    if len(indices) == 0:
        return
    if not (indices.min() >= 0 and indices.max() < size):
        raise ValueError(
            f"{name}: expected indices from 0 to {size - 1}, got {indices.min()} to {indices.max()}"
        )


@dataclass(frozen=True)
class Catalogue:
    """What is known about the items; entry i of each column describes item index i.

    ValueError if the columns have different lengths.
    """

    titles: tuple[str, ...]
    years: tuple[int | None, ...]
    genres: tuple[tuple[str, ...], ...]
    # Descriptions, "" where there is none; empty if the data set has none at all.
    overviews: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {column.name: len(getattr(self, column.name)) for column in fields(self)}
        if not self.overviews:  # which may be left out
            lengths["overviews"] = lengths["titles"]
        if len(set(lengths.values())) > 1:
            raise ValueError(f"catalogue: columns of different lengths: {lengths}")

    def texts(self) -> tuple[str, ...]:
        """What is known about each item in words: its overview, or else its title and genres."""
        overviews = self.overviews or ("",) * len(self.titles)
        texts = []
        for overview, title, genres in zip(overviews, self.titles, self.genres, strict=True):
            title_and_genres = " ".join([title, *genres])
            texts.append(overview or title_and_genres)
        return tuple(texts)


@dataclass(frozen=True)
class Source:
    """A file that was read: its name, its sha256 and its size in bytes."""

    file: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class Step:
    """What one filter kept: counts before and after."""

    rule: str
    before: dict[str, int]  # users, items, ratings
    after: dict[str, int]


@dataclass(frozen=True)
class Quantity:
    """A published number, how far from it a simulation may be, and what the simulation has.

    A `tolerance` of None says that the number is shown and not promised.
    """

    name: str
    target: float
    tolerance: float | None
    simulated: float


@dataclass(frozen=True)
class Provenance:
    """Where a data set comes from: files, licence, filters, and whether it is simulated."""

    sources: tuple[Source, ...]
    licence: str
    citation: str
    simulated: bool = False
    notice: str = ""  # for simulated data: what the real files are and where to put them
    steps: tuple[Step, ...] = ()
    # What a reader should know: an inferred scale, a match rate, counts that differ.
    remarks: tuple[str, ...] = ()
    # For simulated data: how close they come to the real ones.
    calibration: tuple[Quantity, ...] = ()

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Provenance":
        """The inverse of `dataclasses.asdict`, also of what JSON has made of its tuples.

        KeyError or TypeError if fields are missing, or others are there.
        """
        # Cache entries that earlier versions wrote have no calibration.
        quantities = record.get("calibration", ())
        typed = {
            "sources": tuple(Source(**source) for source in record["sources"]),
            "steps": tuple(Step(**step) for step in record["steps"]),
            "remarks": tuple(record["remarks"]),
            "calibration": tuple(Quantity(**quantity) for quantity in quantities),
        }
        return Provenance(**(record | typed))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings with their catalogue, the raw ids behind the indices, and their provenance.

    ValueError if there are more or fewer raw ids or titles than users and items.
    """

    name: str
    ratings: Ratings
    catalogue: Catalogue
    user_ids: NDArray[Any]  # raw id of each user index
    item_ids: NDArray[Any]
    provenance: Provenance = field(repr=False)
    # Official splits by name: for each fold the rows of its test part; all other rows are its
    # training part.
    splits: Mapping[str, tuple[Rows, ...]] = field(default_factory=dict, repr=False)
    # columns about the users, such as "age", one entry per user index
    user_facts: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    # What only a simulation knows of every pair, (3, n_users, n_items): its expected rating, the
    # chance that it is rated at all, and the chance that its rating, if there is one, is at least
    # three quarters of the scale.
    truth: NDArray[np.float32] | None = field(default=None, repr=False)
    stored: Path | None = None  # the cache entry that holds it, for other processes to open
    # "implicit": every line is a positive, such as a click or a purchase, and none is a rating
    feedback: Literal["explicit", "implicit"] = "explicit"

    def __post_init__(self) -> None:
        n_users = self.ratings.n_users
        n_items = self.ratings.n_items
        expected = (n_users, n_items, n_items)
        n_titles = len(self.catalogue.titles)
        got = (len(self.user_ids), len(self.item_ids), n_titles)
        if expected != got:
            raise ValueError(f"{self.name}: expected (users, items, titles) {expected}, got {got}")

    @cached_property
    def digest(self) -> str:
        """sha256 of everything that an algorithm can see, in hexadecimal digits.

        That is the columns in their order, the scale and the catalogue.
        """
        ratings = self.ratings
        shape_and_scale = (ratings.n_users, ratings.n_items, ratings.scale)
        sha256 = hashlib.sha256(repr(shape_and_scale).encode())

        for column in (ratings.users, ratings.items, ratings.values, ratings.times):
            if column is None:
                sha256.update(b"none")
            else:
                sha256.update(np.ascontiguousarray(column).data)

        sha256.update(repr(asdict(self.catalogue)).encode())
        return sha256.hexdigest()

"""Answers that another program has given, read from files and checked.

A directory holds a folder for each fold, of any name, and in it

- `fold.json`, copied from what `benchmarks.export` has written: its digest says which fold it is;
- `ratings.csv` or `ratings.parquet`: the rating that is predicted for each test pair;
- `lists.csv` or `lists.parquet`: the items that are recommended to each user of the test part, the
  higher the score the nearer to the top; or only one of the two.

The columns of both are `user`, `item` and `score`, ids as the data have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.datasets.foundation import UsageError, make_legible, parse_json
from recbench.datasets.ratings import Catalogue, Ratings
from recbench.datasets.storage import digest_of

if TYPE_CHECKING:
    import polars as pl

SIDECAR = "fold.json"
Kind = Literal["ratings", "lists"]
KINDS: tuple[Kind, ...] = ("ratings", "lists")
ENDINGS = (".csv", ".parquet")
COLUMNS = ("user", "item", "score")
LONGEST_NAME = 60  # characters of an id in a message
HOW_TO_WRITE = "see Predictions made elsewhere in the README"


@dataclass(eq=False)
class External(Recommender):
    """What another program has answered, from files in `path`: nothing is fitted or timed here.

    On folds that `benchmarks.export` wrote: ratings of the test pairs, lists of items, or both.
    Which algorithm it was, with which hyperparameters, and what it has seen is not known here. The
    files are checked, and judged as every other row is; their digests stand in the key.
    """

    name = "external"
    family = "external"
    predicts = "ratings"
    abstains = True
    path: Annotated[str, Field(pattern=r"\S")] = ""

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """Always: there are files to be read, and nothing to be fitted."""
        return "its answers come from files, on exported folds: there is nothing to fit"

    def fit(self, data: Any, seed: int) -> None:
        """NotImplementedError."""
        raise NotImplementedError("external answers are read and not fitted")

    def score(self, users: Indices, items: Indices) -> Floats:
        """NotImplementedError."""
        raise NotImplementedError("external answers are read and not computed")


class Sidecar(BaseModel):
    """What `fold.json` says: the digest of the fold, and for people which one it is."""

    model_config = ConfigDict(frozen=True)

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    fold: int = 0
    dataset: str = ""
    split: str = ""
    n_folds: int = 0
    split_seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return self.model_dump(mode="json")

    @property
    def text(self) -> str:
        """Such as `fold 1 of 5 of movielens-100k (kfold, seed 0)`."""
        text = f"fold {self.fold} of {self.n_folds} of {self.dataset} "
        return make_legible(f"{text}({self.split}, seed {self.split_seed})", keeps_lines=False)


@dataclass(frozen=True)
class AnswerFolder:
    """The files with the answers of one fold."""

    directory: Path
    sidecar: Sidecar
    files: Mapping[Kind, Path]

    def digest_files(self) -> dict[str, str]:
        """The sha256 of each file, by its name. UsageError if one cannot be read."""
        digests = {}
        for path in self.files.values():
            try:
                digests[path.name] = digest_of(path, "sha256")
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        return digests


@dataclass(frozen=True)
class Questions:
    """What the files of a fold are to answer."""

    user_ids: NDArray[Any]  # as the user wrote them, by index
    item_ids: NDArray[Any]
    known: Ratings  # what was given to learn from: the training part, and histories of new users
    test: Ratings
    listed_users: Indices  # who needs a list
    n_places: int  # in each list

    @property
    def warm_users(self) -> NDArray[np.bool_]:
        """Of each user, whether any rating is known: of others no answer can be expected."""
        return np.bincount(self.known.users, minlength=self.known.n_users) > 0

    @property
    def warm_items(self) -> NDArray[np.bool_]:
        """Of each item, whether any rating is known."""
        return np.bincount(self.known.items, minlength=self.known.n_items) > 0

    def number_pairs(self, users: Indices, items: Indices) -> NDArray[np.int64]:
        """Each pair as one number."""
        return users.astype(np.int64) * self.known.n_items + items


@dataclass(frozen=True)
class ForeignLists:
    """Ranked items by user: those of `user` are `items[starts[user] : starts[user + 1]]`.

    `values` are higher the better, in whole numbers, so that single precision makes no ties.
    """

    starts: NDArray[np.int64]
    items: Indices
    values: Floats


@dataclass(frozen=True)
class ForeignRatings:
    """Predicted ratings by pair, in ascending order of the numbers of the pairs."""

    numbers: NDArray[np.int64]
    scores: Floats


@dataclass(frozen=True)
class ForeignAnswers:
    """The checked answers of a fold, to be asked as a fitted algorithm is.

    NaN stands where the files say nothing, which only cold starts may lack.
    """

    n_items: int
    ratings: ForeignRatings | None
    lists: ForeignLists | None
    name: str = External.name
    abstains: bool = True

    def score(self, users: Indices, items: Indices) -> Floats:
        """The predicted ratings of pairs, float32."""
        scores = np.full(len(users), np.nan, np.float32)
        if self.ratings is None or not len(self.ratings.numbers):
            return scores
        numbers = users.astype(np.int64) * self.n_items + items
        places = np.searchsorted(self.ratings.numbers, numbers)
        places = np.minimum(places, len(self.ratings.numbers) - 1)
        is_known = self.ratings.numbers[places] == numbers
        scores[is_known] = self.ratings.scores[places[is_known]]
        return scores

    def score_items(self, users: Indices) -> Floats:
        """For each of `users` the values of the listed items; NaN for all others."""
        scores = np.full((len(users), self.n_items), np.nan, np.float32)
        if self.lists is None:
            return scores
        for row, user in enumerate(users.tolist()):
            start, end = self.lists.starts[user], self.lists.starts[user + 1]
            scores[row, self.lists.items[start:end]] = self.lists.values[start:end]
        return scores

    def fold_in(self, ratings: Ratings) -> Floats:
        """NotImplementedError: new users are asked for by their index, as all others."""
        raise NotImplementedError("external answers are asked for by user")


def find_folders(directory: Path) -> dict[str, AnswerFolder]:
    """The folders with answers below `directory`, by the digest of their fold.

    UsageError if there is none, for a damaged sidecar, for a folder without answers or with two
    files of one kind, and if two are for the same fold.
    """
    if not directory.is_dir():
        raise UsageError(f"external[path={directory}]: there is no such directory; {HOW_TO_WRITE}")

    folders: dict[str, AnswerFolder] = {}
    for path in sorted(directory.glob(f"*/{SIDECAR}")):
        folder = AnswerFolder(path.parent, _read_sidecar(path), _find_files(path.parent))
        earlier = folders.setdefault(folder.sidecar.digest, folder)
        if earlier is not folder:
            raise UsageError(
                f"{path} and {earlier.directory / SIDECAR} have the same digest, so both are for "
                f"{folder.sidecar.text}: copy to each folder the {SIDECAR} of its own fold"
            )

    if not folders:
        raise UsageError(
            f"external[path={directory}]: no folder in it has a {SIDECAR}. Expected a folder for "
            f"each fold, with the {SIDECAR} that `export` wrote for it; {HOW_TO_WRITE}"
        )
    return folders


def _read_sidecar(path: Path) -> Sidecar:
    """UsageError if it is not what `export` writes."""
    try:
        return Sidecar.model_validate(parse_json(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        problem = f"{place}: {first['msg']}" if place else first["msg"]
    except ValueError as error:
        problem = str(error)
    raise UsageError(f"{path}: not the {SIDECAR} of an exported fold ({problem}): copy it again")


def _find_files(directory: Path) -> dict[Kind, Path]:
    """The files with answers, by kind. UsageError without any, and for two of a kind."""
    files: dict[Kind, Path] = {}
    for kind in KINDS:
        paths = [directory / f"{kind}{ending}" for ending in ENDINGS]
        found = [path for path in paths if path.is_file()]
        if len(found) > 1:
            raise UsageError(f"{directory} has {found[0].name} and {found[1].name}: remove one")
        if found:
            files[kind] = found[0]

    if not files:
        raise UsageError(
            f"{directory} has a {SIDECAR} and no answers: expected ratings.csv or lists.csv, or "
            f"both, or .parquet; {HOW_TO_WRITE}"
        )
    return files


def read_answers(folder: AnswerFolder, questions: Questions) -> ForeignAnswers:
    """What the files of a fold answer.

    UsageError, which names the file, counts the lines and shows the first of them, for ids that the
    data do not have, scores that are no finite numbers, pairs that stand there twice, ratings of
    other pairs than those of the test part, items that the user has rated in training, lists that
    are too short, and for users or pairs that are missing, unless they are cold starts.
    """
    ratings = None
    if "ratings" in folder.files:
        table = _read_table(folder.files["ratings"], questions)
        ratings = _check_ratings(table, questions)
    lists = None
    if "lists" in folder.files:
        table = _read_table(folder.files["lists"], questions)
        lists = _check_lists(table, questions)
    return ForeignAnswers(questions.known.n_items, ratings, lists)


@dataclass(frozen=True)
class _Table:
    """A file with its ids as indices; row by row, in its order."""

    path: Path
    users: Indices
    items: Indices
    scores: NDArray[np.float64]
    numbers: NDArray[np.int64]  # of the pairs

    def refuse(self, is_bad: NDArray[np.bool_], problem: str, questions: Questions) -> None:
        """UsageError if any line is bad, with their number and the first of them."""
        n_bad = int(is_bad.sum())
        if not n_bad:
            return
        first = int(is_bad.argmax())
        pair = _name_pair(questions, int(self.users[first]), int(self.items[first]))
        raise UsageError(
            f"{self.path}: {n_bad:,} of {len(is_bad):,} lines {problem}; the first is "
            f"{_name_line(self.path, first)}: {pair}"
        )


def _name_line(path: Path, index: int) -> str:
    """Where a row of the table stands: a CSV has its header before, a Parquet file has no lines."""
    return f"line {index + 2}" if path.suffix == ".csv" else f"row {index + 1}"


def _name_pair(questions: Questions, user: int, item: int) -> str:
    user_id = _shorten(questions.user_ids[user])
    return f"user {user_id}, item {_shorten(questions.item_ids[item])}"


def _shorten(text: object) -> str:
    """An id that somebody else has written, for a message."""
    return make_legible(str(text), longest=LONGEST_NAME, keeps_lines=False)


def _read_table(path: Path, questions: Questions) -> _Table:
    """The file, checked as far as ids, numbers and repetitions go."""
    frame = _read_frame(path)
    users = _find_indices(path, frame, "user", questions.user_ids)
    items = _find_indices(path, frame, "item", questions.item_ids)
    table = _Table(
        path, users, items, _read_scores(path, frame), questions.number_pairs(users, items)
    )

    is_first = np.zeros(len(table.numbers), bool)
    is_first[np.unique(table.numbers, return_index=True)[1]] = True
    table.refuse(~is_first, "have a pair of user and item that stands there before", questions)
    return table


def _read_frame(path: Path) -> "pl.DataFrame":
    """The three columns; those of a CSV as texts. UsageError if they are not there."""
    import polars as pl

    try:
        if path.suffix == ".csv":
            frame = pl.read_csv(path, infer_schema=False, glob=False)
        else:
            frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        text = make_legible(str(error).partition("\n")[0], keeps_lines=False)
        raise UsageError(f"{path} cannot be read: {text}") from None

    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        found = _shorten(", ".join(frame.columns))
        raise UsageError(
            f"{path}: expected the columns user,item,score in its first line, got {found}"
        )
    return frame.select(COLUMNS)


def _find_indices(path: Path, frame: "pl.DataFrame", column: str, ids: NDArray[Any]) -> Indices:
    """The index of each id. UsageError for ids that the data do not have."""
    import polars as pl

    known = pl.DataFrame(
        {
            column: [str(one) for one in ids.tolist()],
            "index": np.arange(len(ids), dtype=np.int32),
        }
    )
    try:
        texts = frame.select(pl.col(column).cast(pl.String))
    except pl.exceptions.PolarsError:
        raise UsageError(
            f"{path}: the column {column} has no ids, but {frame[column].dtype}"
        ) from None
    indices = texts.join(known, on=column, how="left", maintain_order="left")["index"]

    is_unknown = indices.is_null().to_numpy()
    if is_unknown.any():
        first = int(is_unknown.argmax())
        unknown = _shorten(texts[column][first])
        raise UsageError(
            f"{path}: {int(is_unknown.sum()):,} of {len(indices):,} lines have {column} ids that "
            f"the data do not have; the first is {_name_line(path, first)}: {unknown!r}. Expected "
            f"ids as in the exported files, such as {_shorten(ids[0])!r}"
        )
    return indices.to_numpy().astype(np.int32)


def _read_scores(path: Path, frame: "pl.DataFrame") -> NDArray[np.float64]:
    """UsageError for what is no finite number."""
    import polars as pl

    numbers = frame["score"].cast(pl.Float64, strict=False)
    scores = numbers.fill_null(np.nan).to_numpy()
    is_bad = ~np.isfinite(scores)
    if is_bad.any():
        first = int(is_bad.argmax())
        raise UsageError(
            f"{path}: {int(is_bad.sum()):,} of {len(scores):,} lines have a score that is no "
            f"finite number; the first is {_name_line(path, first)}: "
            f"{_shorten(frame['score'][first])!r}"
        )
    return scores


def _check_ratings(table: _Table, questions: Questions) -> ForeignRatings:
    """The predicted ratings of the test part."""
    test = questions.test
    asked = questions.number_pairs(test.users, test.items)
    is_asked = np.isin(table.numbers, asked)
    table.refuse(~is_asked, "are not of the test part", questions)

    is_warm = questions.warm_users[test.users] & questions.warm_items[test.items]
    is_missing = is_warm & ~np.isin(asked, table.numbers)
    if is_missing.any():
        first = int(is_missing.argmax())
        pair = _name_pair(questions, int(test.users[first]), int(test.items[first]))
        raise UsageError(
            f"{table.path}: {int(is_missing.sum()):,} of {len(test):,} pairs of the test part are "
            f"missing; the first is {pair}. Only pairs whose user or item has no training rating "
            "may be left out"
        )
    ascending = np.argsort(table.numbers)
    scores = table.scores[ascending].astype(np.float32)
    return ForeignRatings(table.numbers[ascending], scores)


def _check_lists(table: _Table, questions: Questions) -> ForeignLists:
    """The lists by user."""
    known = questions.known
    is_known = np.isin(table.numbers, questions.number_pairs(known.users, known.items))
    table.refuse(is_known, "recommend an item that the user has rated in training", questions)
    _refuse_short_lists(table, questions)

    by_user = np.lexsort((-table.scores, table.users))
    users = table.users[by_user]
    scores = table.scores[by_user]
    # equal scores of a user have the same rank, and stay tied
    is_new = np.ones(len(users), bool)
    is_new[1:] = (users[1:] != users[:-1]) | (scores[1:] != scores[:-1])
    ranks = np.cumsum(is_new)
    starts = np.searchsorted(users, np.arange(known.n_users + 1))
    values = np.zeros(len(users), np.float32)
    if len(users):
        values = (ranks[starts[users]] - ranks).astype(np.float32)
    return ForeignLists(starts, table.items[by_user], values)


def _refuse_short_lists(table: _Table, questions: Questions) -> None:
    """UsageError if a warm user has no list, or one that ends before the places that are judged.

    A list may be as short as the items of the training part that its user has not rated.
    """
    known = questions.known
    listed = questions.listed_users[questions.warm_users[questions.listed_users]]
    lengths = np.bincount(table.users, minlength=known.n_users)[listed]
    n_rated = np.bincount(known.users, minlength=known.n_users)[listed]
    n_candidates = int(questions.warm_items.sum()) - n_rated
    is_missing = (lengths == 0) & (n_candidates > 0)
    if is_missing.any():
        user = int(listed[is_missing.argmax()])
        raise UsageError(
            f"{table.path}: {int(is_missing.sum()):,} of {len(listed):,} users of the test part "
            f"have no list; the first is {_shorten(questions.user_ids[user])}. Only users without "
            "a training rating, or who have rated every item of the training part, may be left out"
        )

    is_short = lengths < np.minimum(questions.n_places, n_candidates)
    if is_short.any():
        first = int(is_short.argmax())
        user = int(listed[first])
        raise UsageError(
            f"{table.path}: {int(is_short.sum()):,} of {len(listed):,} lists have fewer items than "
            f"the {questions.n_places} places that are judged; the first is that of user "
            f"{_shorten(questions.user_ids[user])}, with {lengths[first]}. Write longer lists, or "
            "ask for a smaller cutoff with --k"
        )

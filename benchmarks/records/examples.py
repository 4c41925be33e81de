"""Examples of what the rows recommend and predict, for a few users of one fold, from the raw answers on disk."""

import difflib
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from recbench.adapters.content import TfidfContent
from recbench.benchmarks.evaluation import Answers, complete_predictions
from recbench.benchmarks.metrics import PROTOCOLS, STANDARD
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.splits import divide
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue, Dataset, Ratings
from recbench.datasets.storage import write_atomically

FILE = "examples.json"
SCHEMA = 1
N_USERS = 3
ENOUGH_TEST_RATINGS = 5  # test ratings that make a user worth looking at
N_FAVOURITES, N_RECOMMENDED, N_SIMILAR = 8, 5, 10
N_ENDS = 5  # predictions shown from each end, once they are ordered by their distance to the rating
N_COMPARED = 6  # test items for which all rows' predictions are shown side by side
Stars = tuple[int, float]  # an item and a rating, actual or predicted


@dataclass(frozen=True)
class Answer:
    """What one row said about one user: enough to know whether the record that it comes from is still there."""

    row: str
    key: str
    sha256: str | None  # of the raw answers, as the record has it
    recommended: (
        list[int] | None
    )  # best first; None: it was not asked, for want of a relevant test item
    nearest: list[
        Stars
    ]  # predictions of test ratings, nearest to the actual one first; none from who only ranks
    farthest: list[Stars]  # those at the other end, where there are more
    compared: list[float]  # predictions of the user's `compared` items


@dataclass(frozen=True)
class Person:
    """One user: what they liked in the training part, what they rated in the test part, and all rows' answers."""

    id: str
    n_train: int
    n_test: int
    n_relevant: int
    favourites: list[Stars]  # none rated lower than the user's own mean
    tested: dict[int, float]  # the ratings of the test part
    compared: list[int]  # the test items that have the most training ratings
    answers: list[Answer]


@dataclass(frozen=True)
class Similar:
    """The items whose descriptions are nearest to that of one, with their cosines."""

    item: int
    n_ratings: int
    nearest: list[Stars]


@dataclass(frozen=True)
class Examples:
    """All examples of a run, of one fold of one data set; items are indices into `titles`."""

    digest: str
    split: str
    n_folds: int
    fold: int
    split_seed: int
    seed: int
    threshold: float  # the lowest test rating that is relevant
    named: bool  # whether the users were asked for, or drawn with the seed
    people: list[Person]
    similar: Similar | None
    titles: dict[int, str]
    schema: int = SCHEMA


_EXAMPLES = TypeAdapter(Examples)


def find_users(dataset: Dataset, ids: Sequence[str]) -> list[int]:
    """The indices of the users with these ids. UsageError, with the nearest match, for one that is not there."""
    known = {str(raw): index for index, raw in enumerate(dataset.user_ids.tolist())} if ids else {}
    for name in ids:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            some = ", ".join(itertools.islice(known, 5))
            raise UsageError(
                f"--show-user {name}: {dataset.name} has no user of this id.{hint} Ids in it are, for example, {some}"
            )
    return list(dict.fromkeys(known[name] for name in ids))


def write_examples(
    run: Run, records: Sequence[Record], dataset: Dataset, users: Sequence[int]
) -> Path:
    """Write `examples.json` for `users`, or for some drawn with the run's seed; its path. Nothing is fitted again.

    The fold is the first of the main split with an ok record; rows that are not ok there are left out.
    """
    first, ok = records[0].cell, _answered(run, records)
    cell = ok[0].cell if ok else first
    train_rows, test_rows = divide(dataset, cell.split, cell.n_folds, cell.fold, cell.split_seed)
    train, test = dataset.ratings.take(train_rows), dataset.ratings.take(test_rows)
    threshold = PROTOCOLS[STANDARD].threshold(test.scale)
    chosen = list(users) or draw(train, test, threshold, cell.seed)
    questions = [_Questions(dataset, train, test, threshold, user) for user in chosen]
    for record in ok:
        for question, answer in zip(
            questions, _answers(run, record, train, test, questions), strict=False
        ):
            question.person.answers.append(answer)
    people, similar = [question.person for question in questions], _similar(dataset)
    titles = {item: _title(dataset.catalogue, item) for item in sorted(_items(people, similar))}
    place = (dataset.digest, cell.split, cell.n_folds, cell.fold, cell.split_seed, cell.seed)
    examples = Examples(*place, threshold, bool(users), people, similar, titles)
    path = run.directory / FILE
    write_atomically(
        path, (json.dumps(asdict(examples), sort_keys=True, allow_nan=False) + "\n").encode()
    )
    return path


def read_examples(directory: Path) -> Examples | None:
    """The examples in `directory`; None if there are none, as older runs have none, or if they have another form.

    UsageError, naming the file, if it is damaged.
    """
    path = directory / FILE
    try:
        written = json.loads(path.read_bytes())
        if not isinstance(written, dict) or written.get("schema") != SCHEMA:
            return None
        return _EXAMPLES.validate_python(written)
    except FileNotFoundError:
        return None
    except (ValidationError, ValueError, OSError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UsageError(
            f"{path} is damaged: {reason}. `{command_to_type('run')}` writes it again."
        ) from None


def _answered(run: Run, records: Sequence[Record]) -> list[Record]:
    """The ok records of the first fold of the main split that has any; none if no fold has."""
    first = records[0].cell
    own = (first.split, first.split_seed, first.seed)
    folds: dict[int, list[Record]] = {}
    for record in records:
        cell = record.cell
        if (
            record.status == "ok"
            and (cell.split, cell.split_seed, cell.seed) == own
            and run.has_answers(cell)
        ):
            folds.setdefault(cell.fold, []).append(record)
    return folds[min(folds)] if folds else []


def draw(train: Ratings, test: Ratings, threshold: float, seed: int) -> list[int]:
    """Three users drawn with the seed: first of those with training ratings and enough test ratings, one of them
    relevant; then of those with a relevant test rating; then of those with any test rating.
    """
    n_train, n_test, n_relevant = (
        np.bincount(users, minlength=train.n_users)
        for users in (train.users, test.users, test.users[test.values >= threshold])
    )
    rng = np.random.default_rng(seed)
    groups = (
        (n_relevant > 0) & (n_test >= ENOUGH_TEST_RATINGS) & (n_train > 0),
        n_relevant > 0,
        n_test > 0,
    )
    drawn = (user for group in groups for user in rng.permutation(np.flatnonzero(group)).tolist())
    return list(itertools.islice(dict.fromkeys(drawn), N_USERS))


class _Questions:
    """What there is to be said about one user before any row has answered."""

    def __init__(
        self, dataset: Dataset, train: Ratings, test: Ratings, threshold: float, user: int
    ) -> None:
        self.user, self.rows = user, np.flatnonzero(test.users == user)
        known, self.asked = train.take(np.flatnonzero(train.users == user)), test.take(self.rows)
        popularity = np.bincount(train.items, minlength=train.n_items)
        best = np.lexsort((known.items, -popularity[known.items], -known.values))[:N_FAVOURITES]
        best = best[
            known.values[best] >= known.values.sum(dtype=np.float64) / max(1, len(known))
        ]  # no dislikes
        self.compared = np.lexsort((self.asked.items, -popularity[self.asked.items]))[:N_COMPARED]
        self.person = Person(
            str(dataset.user_ids[user]),
            len(known),
            len(self.asked),
            int((self.asked.values >= threshold).sum()),
            _stars(known.items[best], known.values[best]),
            dict(_stars(self.asked.items, self.asked.values)),
            self.asked.items[self.compared].tolist(),
            [],
        )


def _stars(
    items: NDArray[np.int32], values: NDArray[np.float32] | NDArray[np.float64]
) -> list[Stars]:
    return list(zip(items.tolist(), values.tolist(), strict=True))


def _answers(
    run: Run, record: Record, train: Ratings, test: Ratings, asked: Sequence[_Questions]
) -> list[Answer]:
    """The answers of one cell, in the order of the questions; none if they cannot be read."""
    try:
        arrays = run.answers(record.cell, ("scores", "users", "top_items"))
    except (
        UsageError
    ):  # it is told where the row's uncertainty is missing; a run must not fail for its examples
        return []
    told = []
    for one in asked:
        place = np.flatnonzero(arrays["users"] == one.user)
        top = (
            [item for item in arrays["top_items"][place[0]].tolist() if item >= 0]
            if len(place)
            else None
        )
        nearest: list[Stars] = []
        compared: list[float] = []
        if record.metrics.get("rmse") is not None:
            predicted = complete_predictions(
                Answers(arrays["scores"][one.rows], {}), one.asked, train.mean
            ).predicted
            distance = np.abs(predicted - one.asked.values)
            order = np.lexsort((one.asked.items, distance))
            nearest, compared = (
                _stars(one.asked.items[order], predicted[order]),
                predicted[one.compared].tolist(),
            )
        ends = nearest[:N_ENDS], nearest[max(N_ENDS, len(nearest) - N_ENDS) :]
        recommended = None if top is None else top[:N_RECOMMENDED]
        told.append(
            Answer(record.cell.row, record.cell.key, record.answers, recommended, *ends, compared)
        )
    return told


def _similar(dataset: Dataset) -> Similar | None:
    """The most rated item that has a description, and those whose descriptions are nearest to it."""
    described = np.array([bool(text) for text in dataset.catalogue.overviews], bool)
    if described.sum() < 2:
        return None
    counts = np.bincount(dataset.ratings.items, minlength=len(described))
    item = int(np.where(described, counts, -1).argmax())
    content = TfidfContent()
    try:
        content.fit(content.convert(dataset.ratings, dataset.catalogue), 0)
    except ImportError:  # the row tfidf-content says so; the other examples do not need it
        return None
    items, cosines = content.similar(item, len(described))
    like = described[items] & (cosines > 0)
    return Similar(
        item, int(counts[item]), _stars(items[like][:N_SIMILAR], cosines[like][:N_SIMILAR])
    )


def _title(catalogue: Catalogue, item: int) -> str:
    title, year = catalogue.titles[item], catalogue.years[item]
    return title if year is None or str(year) in title else f"{title} ({year})"


def _items(people: Sequence[Person], similar: Similar | None) -> set[int]:
    """Every item that is shown."""
    found = {item for person in people for item, _ in person.favourites}
    found |= {item for person in people for item in person.compared}
    for answer in (answer for person in people for answer in person.answers):
        found |= {
            *(answer.recommended or ()),
            *(item for item, _ in (*answer.nearest, *answer.farthest)),
        }
    return found | ({similar.item, *(item for item, _ in similar.nearest)} if similar else set())

"""Examples of what the rows recommend and predict, for a few users of one fold.

They come from the raw answers on disk.
"""

import difflib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from recbench.adapters.content import TfidfContent
from recbench.benchmarks.evaluation import Answers, complete_predictions
from recbench.benchmarks.metrics import PROTOCOLS, STANDARD
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.splits import divide, rows_of_histories
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, parse_json
from recbench.datasets.profile import title_with_year
from recbench.datasets.ratings import Dataset, Ratings
from recbench.datasets.storage import write_atomically

FILE = "examples.json"
SCHEMA = 1
N_USERS = 3
ENOUGH_TEST_RATINGS = 5  # that make a user worth looking at
N_FAVOURITES = 8
N_RECOMMENDED = 5
N_SIMILAR = 10
N_ENDS = 5  # predictions shown from each end, once they are ordered by their distance to the rating
N_COMPARED = 6  # test items for which all rows' predictions are shown side by side
N_IDS_NAMED = 5  # user ids that a message names

ItemValue = tuple[int, float]  # an item with a rating, a prediction of one, or a cosine


@dataclass(frozen=True)
class Answer:
    """What one row answered about one user.

    `key` and `sha256` tell whether the record that it comes from is still there.
    """

    row: str
    key: str
    sha256: str | None  # of the raw answers, as the record has it
    # Best first; None: the row was not asked, since the user has no relevant test item
    recommended: list[int] | None
    # Predictions of test ratings, nearest to the actual one first; none from a row that ranks only
    nearest: list[ItemValue]
    farthest: list[ItemValue]  # those at the other end, where there are more
    compared: list[float]  # predictions of the user's `compared` items


@dataclass(frozen=True)
class Person:
    """One user: favourites in the training part, ratings of the test part, all rows' answers."""

    id: str
    n_train: int
    n_test: int
    n_relevant: int
    favourites: list[ItemValue]  # none rated lower than the user's own mean
    tested: dict[int, float]  # the ratings of the test part
    compared: list[int]  # the test items that have the most training ratings
    answers: list[Answer]


@dataclass(frozen=True)
class Similar:
    """The items whose descriptions are nearest to that of one, with their cosines."""

    item: int
    n_ratings: int
    nearest: list[ItemValue]


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
    named: bool  # whether the users were named in the command; else they were drawn with the seed
    people: list[Person]
    similar: Similar | None
    titles: dict[int, str]
    schema: int = SCHEMA


_EXAMPLES = TypeAdapter(Examples)


def find_users(dataset: Dataset, ids: Sequence[str]) -> list[int]:
    """The indices of the users with these ids, each once, in the order of `ids`.

    UsageError, with the nearest match, for an id that is not in `dataset`.
    """
    if not ids:
        return []  # there can be many users, so they are not gone through for nothing
    known = {str(raw): index for index, raw in enumerate(dataset.user_ids.tolist())}

    for name in ids:
        if name not in known:
            matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {matches[0]!r}?" if matches else ""
            some = ", ".join(itertools.islice(known, N_IDS_NAMED))
            raise UsageError(
                f"--show-user {name}: {dataset.name} has no user of this id.{hint} "
                f"Ids in it are, for example, {some}"
            )
    return list(dict.fromkeys(known[name] for name in ids))


def write_examples(
    run: Run, records: Sequence[Record], dataset: Dataset, users: Sequence[int]
) -> Path:
    """Write `examples.json`, which holds `make_examples`; its path."""
    examples = make_examples(run, records, dataset, users)
    text = json.dumps(asdict(examples), sort_keys=True, allow_nan=False)
    path = run.directory / FILE
    write_atomically(path, f"{text}\n".encode())
    return path


def make_examples(
    run: Run, records: Sequence[Record], dataset: Dataset, users: Sequence[int]
) -> Examples:
    """Examples for `users`, or for some drawn with the run's seed.

    The fold is the first of the main split with an ok record; rows that are not ok there are left
    out. The plan, which is read, says which rows predict ratings. Nothing is fitted again.
    """
    algorithms = run.read_plan()[1].algorithms
    ok_records = _find_answered_fold(run, records)
    cell = ok_records[0].cell if ok_records else records[0].cell
    division = (cell.split, cell.n_folds, cell.fold, cell.split_seed, cell.inner)
    train_rows, test_rows = divide(dataset, *division)
    history_rows = rows_of_histories(dataset, *division)  # what was told of new users, they know
    train = dataset.ratings.take(np.concatenate([train_rows, history_rows]))
    test = dataset.ratings.take(test_rows)

    threshold = PROTOCOLS[STANDARD].threshold(test.scale)
    chosen_users = list(users) or draw_users(train, test, threshold, cell.seed)
    questions = [_UserQuestions(dataset, train, test, threshold, user) for user in chosen_users]
    for record in ok_records:
        arrays = _read_answers(run, record)
        if arrays is None or not _fit_test_part(arrays, test):
            continue
        predicts_ratings = algorithms[record.cell.row].predicts == "ratings"
        for question in questions:
            answer = question.answer_from(
                record, arrays, train.mean, predicts_ratings=predicts_ratings
            )
            question.person.answers.append(answer)

    people = [question.person for question in questions]
    similar = _find_similar(dataset)
    titles = _name_items(dataset, _collect_items(people, similar))

    return Examples(
        digest=dataset.digest,
        split=cell.split,
        n_folds=cell.n_folds,
        fold=cell.fold,
        split_seed=cell.split_seed,
        seed=cell.seed,
        threshold=threshold,
        named=bool(users),
        people=people,
        similar=similar,
        titles=titles,
    )


def read_examples(directory: Path) -> Examples | None:
    """The examples in `directory`.

    None if there are none, as in older runs, or if they have another schema. UsageError, naming
    the file, if it is damaged.
    """
    path = directory / FILE
    try:
        content = parse_json(path.read_bytes())
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            return None
        return _EXAMPLES.validate_python(content)
    except FileNotFoundError:
        return None
    except (ValidationError, ValueError, OSError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UsageError(
            f"{path} is damaged: {reason}. `{command_to_type('run')}` writes it again."
        ) from None


def _find_answered_fold(run: Run, records: Sequence[Record]) -> list[Record]:
    """The ok records with raw answers of the first fold of the main split that has any.

    Empty if no fold has. The main split is that of the first record, with its seeds.
    """
    first = records[0].cell
    main = (first.split, first.split_seed, first.seed)
    by_fold: dict[int, list[Record]] = {}
    for record in records:
        cell = record.cell
        is_main = (cell.split, cell.split_seed, cell.seed) == main
        if is_main and record.status == "ok" and run.has_answers_of(record):
            by_fold.setdefault(cell.fold, []).append(record)

    if not by_fold:
        return []
    return by_fold[min(by_fold)]


def draw_users(train: Ratings, test: Ratings, threshold: float, seed: int) -> list[int]:
    """The indices of at most three users, drawn with `seed`; fewer if fewer have test ratings.

    Drawn first are users with training ratings and at least five test ratings, one of them not
    below `threshold`; then users with a test rating not below it; then those with any.
    """
    relevant_users = test.users[test.values >= threshold]
    has_train = np.bincount(train.users, minlength=train.n_users) > 0
    has_relevant = np.bincount(relevant_users, minlength=train.n_users) > 0
    n_test = np.bincount(test.users, minlength=train.n_users)

    rng = np.random.default_rng(seed)
    drawn: list[int] = []
    is_worth_looking_at = has_relevant & (n_test >= ENOUGH_TEST_RATINGS) & has_train
    for is_in_group in (is_worth_looking_at, has_relevant, n_test > 0):
        group = np.flatnonzero(is_in_group)
        drawn += rng.permutation(group).tolist()
    each_once = list(dict.fromkeys(drawn))
    return each_once[:N_USERS]


class _UserQuestions:
    """One user, their test ratings, and what is known of them before any row has answered.

    `person` has no answers yet; `answer_from` gives those of a row.
    """

    def __init__(
        self, dataset: Dataset, train: Ratings, test: Ratings, threshold: float, user: int
    ) -> None:
        """`threshold` is the lowest test rating that is relevant, `user` an index."""
        self.user = user
        self.test_rows = np.flatnonzero(test.users == user)  # positions in the test part
        self.tested = test.take(self.test_rows)
        known = train.take(np.flatnonzero(train.users == user))

        # The most rated ones, whose titles a reader may know, come first
        popularity = np.bincount(train.items, minlength=train.n_items)
        by_popularity = np.lexsort((self.tested.items, -popularity[self.tested.items]))
        self.compared = by_popularity[:N_COMPARED]  # positions in `tested`

        self.person = Person(
            id=str(dataset.user_ids[user]),
            n_train=len(known),
            n_test=len(self.tested),
            n_relevant=int((self.tested.values >= threshold).sum()),
            favourites=_find_favourites(known, popularity),
            tested=dict(_pair_items(self.tested.items, self.tested.values)),
            compared=self.tested.items[self.compared].tolist(),
            answers=[],
        )

    def answer_from(
        self,
        record: Record,
        arrays: Mapping[str, NDArray[Any]],
        train_mean: float,
        *,
        predicts_ratings: bool,
    ) -> Answer:
        """What the row of `record` recommends this user and predicts for their test ratings.

        `arrays` are its raw answers; `train_mean` stands in for missing predictions.
        """
        nearest: list[ItemValue] = []
        compared: list[float] = []
        if predicts_ratings:
            answers = Answers(arrays["scores"][self.test_rows], {})
            predicted = complete_predictions(answers, self.tested, train_mean).predicted
            distances = np.abs(predicted - self.tested.values)
            order = np.lexsort((self.tested.items, distances))
            nearest = _pair_items(self.tested.items[order], predicted[order])
            compared = predicted[self.compared].tolist()

        # No prediction stands at both ends
        start_of_farthest = max(N_ENDS, len(nearest) - N_ENDS)
        return Answer(
            row=record.cell.row,
            key=record.cell.key,
            sha256=record.answers,
            recommended=self._read_recommended(arrays),
            nearest=nearest[:N_ENDS],
            farthest=nearest[start_of_farthest:],
            compared=compared,
        )

    def _read_recommended(self, arrays: Mapping[str, NDArray[Any]]) -> list[int] | None:
        """The first items of the user's top list, best first; None if there is no such list."""
        places = np.flatnonzero(arrays["users"] == self.user)
        if len(places) == 0:
            return None
        top_items = arrays["top_items"][places[0]].tolist()
        recommended = [item for item in top_items if item >= 0]  # -1 ends a short list
        return recommended[:N_RECOMMENDED]


def _find_favourites(known: Ratings, popularity: NDArray[np.int64]) -> list[ItemValue]:
    """A user's best rated items with their ratings, at most eight, none below the user's mean.

    `known` are the user's training ratings, `popularity` the number of ratings of each item; the
    more popular of two items with the same rating comes first.
    """
    items = known.items
    values = known.values

    # The last key of `lexsort` counts first
    order = np.lexsort((items, -popularity[items], -values))
    best = order[:N_FAVOURITES]

    # Of few ratings the eight best are all, also those that the user did not like
    mean = values.sum(dtype=np.float64) / max(1, len(values))
    is_liked = values[best] >= mean
    liked = best[is_liked]
    return _pair_items(items[liked], values[liked])


def _pair_items(
    items: NDArray[np.int32], values: NDArray[np.float32] | NDArray[np.float64]
) -> list[ItemValue]:
    """Each item with its value, as Python's numbers, in the order of the arrays."""
    return list(zip(items.tolist(), values.tolist(), strict=True))


def _read_answers(run: Run, record: Record) -> dict[str, NDArray[Any]] | None:
    """The scores and standard top lists that the record's cell has kept; None if unreadable.

    Who was asked for no lists, since its files hold none, has none.
    """
    try:
        if STANDARD not in record.cell.protocol["protocols"]:
            no_lists = {"users": np.empty(0, np.int32), "top_items": np.empty((0, 0), np.int32)}
            return run.answers_of(record, ("scores",)) | no_lists
        return run.answers_of(record, ("scores", "users", "top_items"))
    except UsageError:
        # A run must not fail for its examples; the report says that the row has no uncertainty
        return None


def _fit_test_part(arrays: Mapping[str, NDArray[Any]], test: Ratings) -> bool:
    """Whether there is a score for each test rating, and a list of known items for each user."""
    top_items = arrays["top_items"]
    if top_items.size and top_items.max() >= test.n_items:
        return False
    return len(arrays["scores"]) == len(test) and len(top_items) == len(arrays["users"])


def _find_similar(dataset: Dataset) -> Similar | None:
    """The most rated item that has a description, and those whose descriptions are nearest to it.

    None if fewer than two items have one, or without the library that compares them.
    """
    overviews = dataset.catalogue.overviews
    is_described = np.array([bool(text) for text in overviews], bool)
    if is_described.sum() < 2:
        return None

    counts = np.bincount(dataset.ratings.items, minlength=len(is_described))
    item = int(np.where(is_described, counts, -1).argmax())
    content = TfidfContent()
    try:
        content.fit(content.convert(dataset.ratings, dataset.catalogue), 0)
    except ImportError:  # the row tfidf-content says so; the other examples do not need it
        return None

    items, cosines = content.similar(item, len(is_described))
    is_alike = is_described[items] & (cosines > 0)
    pairs = _pair_items(items[is_alike], cosines[is_alike])
    return Similar(item, int(counts[item]), pairs[:N_SIMILAR])


def _name_items(dataset: Dataset, items: Iterable[int]) -> dict[int, str]:
    """The titles of items, in the order of their indices; of equal ones with the item's id.

    Two items of one title would else look like one that is recommended twice.
    """
    counts = Counter(dataset.catalogue.titles)
    titles = {}
    for item in sorted(items):
        title = title_with_year(dataset, item)
        if counts[dataset.catalogue.titles[item]] > 1:
            title = f"{title}, id {dataset.item_ids[item]}"
        titles[item] = title
    return titles


def _collect_items(people: Iterable[Person], similar: Similar | None) -> set[int]:
    """The indices of all items that the examples name, so of those that need a title."""
    items: set[int] = set()
    for person in people:
        items.update(item for item, _ in person.favourites)
        items.update(person.compared)
        for answer in person.answers:
            items.update(answer.recommended or ())
            items.update(item for item, _ in answer.nearest)
            items.update(item for item, _ in answer.farthest)

    if similar is not None:
        items.add(similar.item)
        items.update(item for item, _ in similar.nearest)
    return items

"""The bench's own splits, by name: functions from ratings to the row numbers of a fold's parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recbench.datasets.foundation import UsageError, format_spec
from recbench.datasets.ratings import RELEVANT_SHARE, Ratings, Rows, share_of_scale
from recbench.datasets.transforms import more_than

DivideFunction = Callable[..., tuple[Rows, ...]]
Folds = Literal["parts", "draws", "one"]
Order = Literal["none", "user", "all"]
Part = Annotated[float, Field(gt=0)]  # a share below 1, or a number of ratings
ShareOfWhole = Annotated[float, Field(gt=0, lt=1)]
Several = Annotated[int, Field(ge=1)]
DAY_SECONDS = 24 * 60 * 60
FEWEST_LIKES = 5  # of a user of `liang-2018`


@dataclass(frozen=True)
class Split:
    """A way to divide ratings, and what its folds are.

    `divide` is a function (ratings, n_folds, fold, seed, **parameters) -> (training rows, test
    rows) or, if it is `of_new_users`, -> (training rows, test rows, rows of the histories): then
    users of the test part have no training rating, and some of their ratings are given with the
    question. Folds are "parts": every rating is tested once over all folds; "draws": each fold is
    drawn anew; "one": the ratings themselves decide, whatever the seed, so there is one fold, or as
    many as the split's own parameter `folds` says. Of
    the order in time the split respects "none", "user": no user's own future is trained on, or
    "all": nobody's is. `even` parts are of one size, give or take a rating, so none is empty where
    there are as many ratings as folds.
    """

    divide: DivideFunction
    folds: Folds
    order: Order = "none"
    even: bool = False
    of_new_users: bool = False


SPLITS: dict[str, Split] = {}


def register_split(
    name: str,
    folds: Folds,
    order: Order = "none",
    *,
    even: bool = False,
    of_new_users: bool = False,
) -> Callable[[DivideFunction], DivideFunction]:
    """A decorator that makes a function the split called `name`.

    Its parameters after `seed` are what may stand in brackets.
    """

    def register(function: DivideFunction) -> DivideFunction:
        SPLITS[name] = Split(function, folds, order, even, of_new_users)
        return function

    return register


@register_split("kfold", "parts", even=True)
def kfold(ratings: Ratings, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """Shuffle all ratings with the seed and cut them into `n_folds` blocks; block `fold` is the
    test part.

    Row for row the same as Surprise's `KFold(n_folds, random_state=seed)`, the order inside the
    training part included, so that seeded models give the published numbers.
    """
    rows = _shuffle_rows(len(ratings), seed)

    # The first folds have one rating more where the folds cannot be equal.
    size, n_left_over = divmod(len(rows), n_folds)
    sizes = np.full(n_folds, size)
    sizes[:n_left_over] += 1

    start = int(sizes[:fold].sum())
    stop = start + int(sizes[fold])
    before = rows[:start]
    behind = rows[stop:]
    test = rows[start:stop]
    return np.concatenate([before, behind]), test


@register_split("user-kfold", "parts")
def user_kfold(ratings: Ratings, n_folds: int, fold: int, seed: int) -> tuple[Rows, Rows]:
    """K-fold inside each user: a user's ratings are shuffled and dealt out evenly, from a random
    fold onwards.
    """
    rows = _shuffle_rows(len(ratings), seed)
    place_in_user, order = _place_in_groups(ratings.users, rows)

    # Were all users to begin with the first fold, it would be the largest.
    rng = np.random.default_rng([seed, 1])
    first_fold = rng.integers(0, n_folds, ratings.n_users)

    users = ratings.users[order]
    fold_of_row = (place_in_user + first_fold[users]) % n_folds
    test = np.sort(order[fold_of_row == fold])
    return rows_without(test, len(ratings))


@register_split("holdout", "draws")
def holdout(
    ratings: Ratings, n_folds: int, fold: int, seed: int, test: Part = 0.2
) -> tuple[Rows, Rows]:
    """Shuffle all ratings with the seed; the last `test` of them, a share or a number, are the test
    part.

    UsageError for a number of ratings that is not whole.
    """
    if test >= 1 and test != int(test):
        raise UsageError(
            f"holdout[test={test:g}]: expected a share below 1 or a whole number of ratings"
        )
    rows = _shuffle_rows(len(ratings), _seed_of_draw(seed, fold))

    is_share = test < 1
    n_test = round(test * len(rows)) if is_share else int(test)
    n_train = max(len(rows) - n_test, 0)
    return rows[:n_train], rows[n_train:]


@register_split("grown", "draws")
def grown(
    ratings: Ratings,
    n_folds: int,
    fold: int,
    seed: int,
    share: Annotated[float, Field(gt=0, le=1)] = 1.0,
    smallest: Annotated[float, Field(gt=0, le=1)] = 0.1,
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2,
) -> tuple[Rows, Rows]:
    """Train on the ratings of a `share` of the users, and test on the same ratings at every share.

    The samples of users are nested: each holds those of all smaller shares. The test part is a
    share `test` of the ratings of the `smallest` sample's users, so that only the training part
    grows. UsageError for a share below the smallest.
    """
    if share < smallest:
        raise UsageError(
            f"grown[share={share:g},smallest={smallest:g}]: the smallest sample has the users that "
            "are tested, so no share is below it"
        )
    rng = np.random.default_rng([_seed_of_draw(seed, fold), 2])
    place_of_user = rng.permutation(ratings.n_users)
    places = place_of_user[ratings.users]
    candidates = np.flatnonzero(places < np.ceil(smallest * ratings.n_users))
    tested = rng.permutation(candidates)[: round(test * len(candidates))]

    is_in_training = places < np.ceil(share * ratings.n_users)
    is_in_training[tested] = False
    return np.flatnonzero(is_in_training), np.sort(tested)


@register_split("filtered", "draws")
def filtered(
    ratings: Ratings,
    n_folds: int,
    fold: int,
    seed: int,
    items: Annotated[int, Field(ge=0)] = 0,
    users: Annotated[int, Field(ge=0)] = 0,
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2,
) -> tuple[Rows, Rows]:
    """Train on the ratings that a filter keeps, and test on all, kept or dropped.

    The test part is that of `holdout` with the same seed, whatever the filter. The training part is
    what is left of the users with more than `users` ratings and the items with more than `items`,
    both counted before anything is left out. So test ratings of the filter's own are warm, and what
    it dropped is cold.
    """
    train, tested = holdout(ratings, n_folds, fold, seed, test)
    n_of_user = np.bincount(ratings.users, minlength=ratings.n_users)
    n_of_item = np.bincount(ratings.items, minlength=ratings.n_items)
    has_kept_user = more_than(n_of_user, users)[ratings.users]
    has_kept_item = more_than(n_of_item, items)[ratings.items]
    is_kept = has_kept_user & has_kept_item
    return train[is_kept[train]], tested


@register_split("last-out", "one", order="user")
def last_out(
    ratings: Ratings, n_folds: int, fold: int, seed: int, n: Several = 1
) -> tuple[Rows, Rows]:
    """The latest `n` ratings of each user are the test part; who has no more than `n` is in
    training only.

    Of ratings at the same second the later row is the later one.
    """
    times = np.asarray(ratings.times)
    order = np.lexsort((times, ratings.users))  # user by user, the earliest first
    n_ratings = np.bincount(ratings.users, minlength=ratings.n_users)

    # How many of the user's ratings are left, from each row on.
    ends = np.repeat(np.cumsum(n_ratings), n_ratings)
    n_from_here = ends - np.arange(len(order))

    users = ratings.users[order]
    has_enough = n_ratings[users] > n
    is_test = (n_from_here <= n) & has_enough
    test = np.sort(order[is_test])
    return rows_without(test, len(ratings))


@register_split("time", "one", order="all")
def time(
    ratings: Ratings,
    n_folds: int,
    fold: int,
    seed: int,
    at: str = "0.8",
    folds: Several = 1,
    window: str = "",
) -> tuple[Rows, Rows]:
    """Everything before a moment is the training part, everything from it on the test part.

    `at` is a share of the ratings, counted in the order of time, or a date such as 2005-06-30 (its
    midnight, UTC). With several `folds` what comes from it on is cut into as many parts of as many
    ratings each; every part is tested once, by what was learned from all that came before it or,
    with a `window` such as 365d, from the days just before it. Ratings of one second are never
    divided. UsageError if a part would be empty.
    """
    times = np.asarray(ratings.times)
    moments = _find_cuts(times, at, folds)
    begins = moments[fold]
    ends = moments[fold + 1] if fold + 1 < len(moments) else times.max() + 1
    earliest = begins - _parse_window(window) if window else times.min()

    train = np.flatnonzero((times >= earliest) & (times < begins))
    test = np.flatnonzero((times >= begins) & (times < ends))
    if not len(train) or not len(test):
        parameters = {"at": at}
        if folds > 1:
            parameters["folds"] = str(folds)
        if window:
            parameters["window"] = window
        raise UsageError(
            f"{format_spec('time', parameters)} leaves no rating in one of its parts: "
            f"ratings are from {_day_of(times.min())} to {_day_of(times.max())}, and fold {fold} "
            f"is cut on {_day_of(begins)}"
        )
    return train, test


@register_split("recommenders", "draws")
def recommenders(
    ratings: Ratings,
    n_folds: int,
    fold: int,
    seed: int,
    train: ShareOfWhole = 0.75,
) -> tuple[Rows, Rows]:
    """Of each item's ratings a random share `train` is the training part, rounded to whole ratings,
    half to even.

    Row for row the `python_stratified_split(ratio=train, filter_by="item", seed=seed)` of Microsoft
    Recommenders.
    """
    legacy = np.random.RandomState(_seed_of_draw(seed, fold))
    draws = legacy.rand(len(ratings))
    rows = np.argsort(draws, kind="stable")
    place_in_item, order = _place_in_groups(ratings.items, rows)

    n_ratings = np.bincount(ratings.items, minlength=ratings.n_items)
    n_train = np.round(train * n_ratings)

    items = ratings.items[order]
    is_train = place_in_item + 1 <= n_train[items]
    return order[is_train], order[~is_train]


@register_split("new-users", "draws", of_new_users=True)
def new_users(
    ratings: Ratings,
    n_folds: int,
    fold: int,
    seed: int,
    share: ShareOfWhole = 0.2,
    given: ShareOfWhole = 0.8,
) -> tuple[Rows, Rows, Rows]:
    """A random `share` of the users is held out whole; of each user's ratings a random share
    `given` is told with the question, and the rest are the test part.

    This is the strong generalisation of Liang et al. 2018. Who has one rating only is in training.
    Of the others at least one rating is given and one tested.
    """
    legacy = np.random.RandomState(_seed_of_draw(seed, fold))
    n_ratings = np.bincount(ratings.users, minlength=ratings.n_users)
    candidates = legacy.permutation(np.flatnonzero(n_ratings > 1))
    is_held_out = np.zeros(ratings.n_users, bool)
    is_held_out[candidates[: round(share * len(candidates))]] = True

    rows = legacy.permutation(np.flatnonzero(is_held_out[ratings.users]))
    place_in_user, order = _place_in_groups(ratings.users, rows)
    n_given = np.clip(np.round(given * n_ratings), 1, n_ratings - 1)
    is_given = place_in_user < n_given[ratings.users[order]]

    train = np.flatnonzero(~is_held_out[ratings.users])
    return train, np.sort(order[~is_given]), np.sort(order[is_given])


@register_split("new-users-by-time", "one", order="all", of_new_users=True)
def new_users_by_time(
    ratings: Ratings, n_folds: int, fold: int, seed: int, at: str = "0.8", given: Several = 5
) -> tuple[Rows, Rows, Rows]:
    """Everything before a moment is the training part; of each user whose first rating comes at it
    or later, the first `given` ratings are told with the question, and the rest are the test part.

    `at` is as in `time`. What others rate from the moment on is in no part, nor are users with no
    more than `given` ratings. Of ratings at the same second the later row is the later one.
    UsageError if nobody is left to be asked.
    """
    times = np.asarray(ratings.times)
    moment = _find_moment(times, at)
    is_old = np.zeros(ratings.n_users, bool)
    is_old[ratings.users[times < moment]] = True

    rows = np.flatnonzero(~is_old[ratings.users])
    by_time = rows[np.argsort(times[rows], kind="stable")]
    place_in_user, order = _place_in_groups(ratings.users, by_time)

    n_ratings = np.bincount(ratings.users, minlength=ratings.n_users)
    has_more = n_ratings[ratings.users[order]] > given
    is_given = place_in_user < given
    test = np.sort(order[has_more & ~is_given])
    if not 0 < len(test) < len(times) or not is_old.any():
        raise UsageError(
            f"new-users-by-time[at={at},given={given}] leaves nobody to learn from or nobody to "
            f"ask: ratings are from {_day_of(times.min())} to {_day_of(times.max())}, and asked "
            f"are users without a rating before that moment and with more than {given} from it on"
        )
    return np.flatnonzero(times < moment), test, np.sort(order[has_more & is_given])


@register_split("liang-2018", "draws", of_new_users=True)
def liang_2018(
    ratings: Ratings, n_folds: int, fold: int, seed: int, users: Several = 10_000
) -> tuple[Rows, Rows, Rows]:
    """Of the users with five likes or more, `users` are held out for the test and as many for
    validation; likes are ratings from three quarters of the scale on, and nothing else counts.

    Row for row the division of Liang et al. 2018 (their notebook, seed 98765): of each test user's
    likes of items that somebody in training likes, a fifth is tested and the rest told, if they are
    five or more. The validation group is in no part here: --tune holds out users of the training
    part. UsageError if there are too few users.
    """
    draw_seed = _seed_of_draw(seed, fold)
    is_like = ratings.values >= share_of_scale(ratings.scale, RELEVANT_SHARE)
    n_likes = np.bincount(ratings.users[is_like], minlength=ratings.n_users)
    eligible = np.flatnonzero(n_likes >= FEWEST_LIKES)
    if len(eligible) <= 2 * users:
        raise UsageError(
            f"liang-2018[users={users}]: expected more than {2 * users:,} users with at least "
            f"{FEWEST_LIKES} likes, got {len(eligible):,}; hold out fewer, as users=100"
        )

    shuffled = eligible[np.random.RandomState(draw_seed).permutation(len(eligible))]
    is_in_training = np.zeros(ratings.n_users, bool)
    is_in_training[shuffled[: -2 * users]] = True
    is_tested = np.zeros(ratings.n_users, bool)
    is_tested[shuffled[-users:]] = True

    train = np.flatnonzero(is_like & is_in_training[ratings.users])
    is_known = np.zeros(ratings.n_items, bool)
    is_known[ratings.items[train]] = True
    of_test_users = is_like & is_tested[ratings.users] & is_known[ratings.items]
    history, test = _tell_four_fifths(ratings.users, np.flatnonzero(of_test_users), draw_seed)
    return train, test, history


def _tell_four_fifths(users: NDArray[np.int32], rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """The rows that are told and those that are tested, drawn user by user as Liang et al. do.

    The generator begins anew with the seed. Users with fewer than five of `rows` have neither.
    """
    legacy = np.random.RandomState(seed)
    _, order = _place_in_groups(users, rows)
    borders = np.flatnonzero(np.diff(users[order])) + 1
    told = [np.empty(0, np.int64)]
    tested = [np.empty(0, np.int64)]
    for group in np.split(order, borders):
        if len(group) < FEWEST_LIKES:
            continue
        is_test = np.zeros(len(group), bool)
        is_test[legacy.choice(len(group), size=int(0.2 * len(group)), replace=False)] = True
        told.append(group[~is_test])
        tested.append(group[is_test])
    return np.sort(np.concatenate(told)), np.sort(np.concatenate(tested))


def _shuffle_rows(n_rows: int, seed: int) -> Rows:
    """The row numbers 0 to n_rows - 1 in an order that depends on the seed."""
    rows = np.arange(n_rows)
    np.random.RandomState(seed).shuffle(rows)
    return rows


def _seed_of_draw(seed: int, fold: int) -> int:
    """The seed of a fold that is drawn anew.

    `seed` itself for the first; for others one that no neighbouring seed has for any of its draws.
    """
    if fold == 0:
        return seed
    sequence = np.random.SeedSequence([seed, fold])
    (drawn,) = sequence.generate_state(1)
    return int(drawn)


def _place_in_groups(indices: NDArray[np.int32], rows: Rows) -> tuple[Rows, Rows]:
    """The place of each row in its group, from 0, and the rows group by group.

    Rows with the same index are a group, in which they keep their order in `rows`. Both arrays have
    the order of the second.
    """
    by_group = np.argsort(indices[rows], kind="stable")
    order = rows[by_group]

    sizes = np.bincount(indices[rows])
    starts = np.cumsum(sizes) - sizes
    groups = indices[order]
    places = np.arange(len(order)) - starts[groups]
    return places, order


def rows_without(test: Rows, n_rows: int) -> tuple[Rows, Rows]:
    """All row numbers below `n_rows` without those of `test`, ascending, and those of `test`."""
    is_in_training = np.ones(n_rows, bool)
    is_in_training[test] = False
    return np.flatnonzero(is_in_training), test


def _day_of(seconds: int) -> str:
    """The day of a moment in seconds since 1970, UTC, as 2005-06-30."""
    return datetime.fromtimestamp(int(seconds), UTC).date().isoformat()


def _find_moment(times: NDArray[np.int64], at: str) -> int:
    """The moment in seconds since 1970 before which a share `at` of `times` lies, or of a date."""
    moment = parse_moment(at)
    if moment is not None:
        return moment
    place = int(float(at) * len(times))
    return int(np.partition(times, place)[place])


def _find_cuts(times: NDArray[np.int64], at: str, n_cuts: int) -> NDArray[np.int64]:
    """The moments at which the test parts of `time` begin, ascending; two may be the same."""
    first = _find_moment(times, at)
    later = np.sort(times[times >= first])
    places = np.arange(n_cuts) * len(later) // n_cuts
    if not len(later):
        return np.full(n_cuts, first)

    cuts = later[places]
    cuts[0] = first
    return cuts


def _parse_window(window: str) -> int:
    """The seconds of a number of days such as 365d. UsageError for anything else."""
    days = window.removesuffix("d")
    if window == days or not days.isdecimal() or int(days) < 1:
        raise UsageError(f"window={window}: expected a number of days, such as 365d")
    return int(days) * DAY_SECONDS


def check_moments(parameters: Mapping[str, Any]) -> None:
    """UsageError for an `at` or a `window` among the parameters of a split that cannot be read."""
    if "at" in parameters:
        parse_moment(parameters["at"])
    if parameters.get("window"):
        _parse_window(parameters["window"])


def parse_moment(at: str) -> int | None:
    """The date `at` (its midnight, UTC) in seconds since 1970, or None if it is a share of ratings.

    UsageError if it is neither.
    """
    try:
        share = float(at)
    except ValueError:
        share = None
    if share is None:
        try:
            midnight = datetime.combine(date.fromisoformat(at), datetime.min.time(), UTC)
        except ValueError:
            raise _refuse_moment(at) from None
        return int(midnight.timestamp())
    if 0 < share < 1:
        return None
    raise _refuse_moment(at)


def _refuse_moment(at: str) -> UsageError:
    """The error to raise for an `at` that is neither a share nor a date."""
    return UsageError(f"at={at}: expected a share between 0 and 1, or a date such as 2005-06-30")

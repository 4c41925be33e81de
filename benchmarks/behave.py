"""How the rows of a run behave beside being right: what they miss by, and how popular it is.

Computed from the stored top lists, as in RecList (Chia et al. 2022); nothing is fitted, unless it
is asked how much one rating changes. Each number has an interval over users, and no verdict:
whether a long tail is wanted is not for a bench to say.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix
from typer import Argument, Option

from recbench.adapters import create
from recbench.adapters.shared.fitting import fit_algorithm
from recbench.adapters.shared.units import Units
from recbench.benchmarks.certainty import Estimate
from recbench.benchmarks.console import FINE, import_plugin, serve
from recbench.benchmarks.evaluation import user_item_matrix
from recbench.benchmarks.metrics import PROTOCOLS, STANDARD, Doubles
from recbench.benchmarks.planning import division_of, load_same_data
from recbench.benchmarks.records import Record, Run, group_by_role
from recbench.benchmarks.splits import divide, rows_of_histories
from recbench.datasets.foundation import UsageError, open_console
from recbench.datasets.ratings import Catalogue, Dataset, Ratings
from recbench.datasets.storage import write_atomically

N_PERTURBED = 1000  # users whose histories are perturbed
N_DRAWS = 1000  # of the users, for an interval
HEAD_SHARE = 0.8  # of the training ratings: the most popular items that have them are the head
YEARS_IN_DECADE = 10

Kind = Literal["genre", "decade"]


@dataclass(frozen=True)
class Behaviour:
    """One number of one row, with its 95 % interval over users; None where that is not known."""

    row: str
    measure: str
    value: float
    low: float | None
    high: float | None
    n_users: int
    by_chance: float | None = None  # what a list drawn from the whole catalogue would have


MEANINGS = {
    "misses of a liked genre": (
        "of the recommended items that are no relevant test items, the share that has a genre in "
        "common with one that is"
    ),
    "misses of a liked decade": "the same by the decade of the year of release",
    "popularity": "mean share of the training users who have rated a recommended item",
    "long tail": (
        "share of the recommended items that are not among the most popular ones, those with "
        f"{HEAD_SHARE:.0%} of the training ratings"
    ),
    "perturbation": (
        "share of the first places that change when one rating of the user's history is left out; "
        "of rows that can be given a history"
    ),
    "gini": "how unevenly places are spread over the items: 0 if evenly, near 1 if few have all",
}


def behave(
    directory: Annotated[Path, Argument(metavar="RUN", help="what a run has left")],
    dataset: Annotated[
        str | None, Option(help="where the data are now [default: as the run named them]")
    ] = None,
    perturb: Annotated[
        bool,
        Option("--perturb", help="fit each row once more, and leave one rating out of histories"),
    ] = False,
    json_file: Annotated[Path | None, Option("--json", help="write every number here")] = None,
    plugin: Annotated[
        list[str] | None, Option(help="module with more adapters; repeatable")
    ] = None,
) -> int:
    """Print how the rows of RUN behave beside being right: what they miss by, how popular it is."""
    for module in plugin or []:
        import_plugin(module)
    run = Run(directory)
    _, about = run.read_plan()
    data = load_same_data(about, dataset, "--dataset says where they are now.")
    behaviours = measure_behaviour(run, data, perturb=perturb)
    if not behaviours:
        raise UsageError(f"{directory} has no row that is ok on all folds and recommends anything")

    if json_file is not None:
        content = [asdict(behaviour) for behaviour in behaviours]
        text = json.dumps(content, indent=1, allow_nan=False)
        write_atomically(json_file, f"{text}\n".encode())
    _print_behaviours(open_console(soft_wrap=True), behaviours, run.records()[0].cell.first_cutoff)
    return FINE


def measure_behaviour(run: Run, data: Dataset, *, perturb: bool = False) -> list[Behaviour]:
    """The behaviour of each row that is ok on all folds of its first division, row by row.

    Lists are those of the standard protocol, cut at the first cutoff of the run. A user who is
    tested in several folds counts once, with the mean of his lists. Measures of what the catalogue
    does not say, genres or years, are left out. To `perturb`, rows that can be given the history of
    a user are fitted to the training part of their first fold, in this process.
    """
    by_row: dict[str, list[Record]] = {}
    for record in run.records():
        by_row.setdefault(record.cell.row, []).append(record)

    folds: dict[object, Background] = {}
    behaviours = []
    for row, records in by_row.items():
        main, _, _ = group_by_role(records)
        first = main[0].cell
        main = [record for record in main if record.cell.split_seed == first.split_seed]
        if any(record.status != "ok" for record in main):
            continue
        if STANDARD not in first.protocol["protocols"]:
            continue

        parts = []
        for record in main:
            division = division_of(record.cell)
            if division not in folds:
                train_rows, test_rows = divide(data, *division)
                train = data.ratings.take(train_rows)
                test = data.ratings.take(test_rows)
                folds[division] = Background.of(train, test, data.catalogue)
            arrays = run.answers_of(record, names=["users", "top_items"])
            top_items = arrays["top_items"][:, : record.cell.first_cutoff]
            parts.append(TopLists(folds[division], arrays["users"], top_items))
        behaviours += _describe_row(row, parts)
        if perturb:
            changes = perturb_histories(main[0], data)
            behaviours += _estimate(row, "perturbation", changes)
    return behaviours


@dataclass(frozen=True)
class Background:
    """What the lists of a fold are compared with."""

    relevant: csr_matrix  # users x items: the relevant test items
    features: dict[Kind, csr_matrix]  # items x genres, items x decades, as far as they are known
    share_of_users: Doubles  # (n_items,): of the training users, who has rated it
    is_tail: NDArray[np.bool_]  # (n_items,)

    @staticmethod
    def of(train: Ratings, test: Ratings, catalogue: Catalogue | None) -> "Background":
        """The two parts of a fold, as lists are compared with them."""
        n_ratings = np.bincount(train.items, minlength=train.n_items)
        n_users = len(np.unique(train.users))
        return Background(
            relevant=user_item_matrix(test, PROTOCOLS[STANDARD].threshold(test.scale)),
            features=_features_of(catalogue),
            share_of_users=n_ratings / max(n_users, 1),
            is_tail=find_tail(n_ratings),
        )


def perturb_histories(record: Record, data: Dataset) -> Doubles:
    """For users of the fold's training part, or where users are new for these, which share of their
    first places changes when one of their ratings is left out; empty for an algorithm that cannot
    be given a history.

    The row is fitted again; up to `N_PERTURBED` users with two ratings or more are drawn, and of
    each a rating. Lists hold no item of the whole history.
    """
    cell = record.cell
    algorithm = create(cell.algorithm, cell.arguments)
    if not algorithm.folds_in():
        return np.empty(0)

    division = division_of(cell)
    train_rows, _ = divide(data, *division)
    train = data.ratings.take(train_rows)
    units = Units.choose(algorithm, train.scale)
    given = units.convert_ratings(train)
    fit_algorithm(algorithm, given, data.catalogue, cell.seed, threads=cell.threads)

    told = given
    history_rows = rows_of_histories(data, *division)
    if len(history_rows):
        told = units.convert_ratings(data.ratings.take(history_rows))

    rng = np.random.default_rng(cell.seed)
    n_ratings = np.bincount(told.users, minlength=told.n_users)
    candidates = np.flatnonzero(n_ratings > 1)
    users = np.sort(rng.permutation(candidates)[:N_PERTURBED])
    history = _renumber_users(told, users)
    left_out = _draw_a_row_of_each(history, rng)
    kept = np.ones(len(history), bool)
    kept[left_out] = False

    is_rated = np.zeros((history.n_users, history.n_items), bool)
    is_rated[history.users, history.items] = True
    cutoff = cell.first_cutoff
    before = _list_best(algorithm.fold_in(history), is_rated, cutoff)
    after = _list_best(algorithm.fold_in(history.take(kept)), is_rated, cutoff)
    n_kept = [len(np.intersect1d(*pair)) for pair in zip(before, after, strict=True)]
    changes: Doubles = 1 - np.array(n_kept) / before.shape[1]
    return changes


def _renumber_users(ratings: Ratings, users: NDArray[np.int64]) -> Ratings:
    """The ratings of `users`, which are ascending, numbered from 0."""
    number = np.full(ratings.n_users, -1, np.int32)
    number[users] = np.arange(len(users), dtype=np.int32)
    chosen = ratings.take(number[ratings.users] >= 0)
    return replace(chosen, users=number[chosen.users], n_users=len(users))


def _draw_a_row_of_each(ratings: Ratings, rng: np.random.Generator) -> NDArray[np.int64]:
    """One row number for each user."""
    order = rng.permutation(len(ratings))
    _, first = np.unique(ratings.users[order], return_index=True)
    drawn: NDArray[np.int64] = order[first]
    return drawn


def _list_best(
    scores: NDArray[np.float32], is_rated: NDArray[np.bool_], cutoff: int
) -> NDArray[np.int64]:
    """The unrated items with the best scores; of equal ones that with the lower index."""
    losses = np.where(is_rated | np.isnan(scores), np.inf, -scores)
    best: NDArray[np.int64] = np.argsort(losses, axis=1, kind="stable")[:, :cutoff]
    return best


def find_tail(n_ratings: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which items are not of the head: the most popular ones, with `HEAD_SHARE` of the ratings.

    >>> find_tail(np.array([60, 5, 25, 10]))
    array([False,  True, False,  True])
    """
    order = np.argsort(-n_ratings, kind="stable")
    before = np.cumsum(n_ratings[order]) - n_ratings[order]
    is_tail = np.ones(len(n_ratings), bool)
    is_tail[order[before < HEAD_SHARE * n_ratings.sum()]] = False
    return is_tail


def _features_of(catalogue: Catalogue | None) -> dict[Kind, csr_matrix]:
    """Items x genres and items x decades; a kind that no item has is left out."""
    if catalogue is None:
        return {}

    labels_by_kind: dict[Kind, list[Sequence[str]]] = {
        "genre": list(catalogue.genres),
        "decade": [_name_decade(year) for year in catalogue.years],
    }
    features: dict[Kind, csr_matrix] = {}
    for kind, labels in labels_by_kind.items():
        if any(labels):
            features[kind] = _mark_labels(labels)
    return features


def _name_decade(year: int | None) -> list[str]:
    """The decade of a year as the one label of an item, and no label of an unknown year."""
    if year is None:
        return []
    return [str(year // YEARS_IN_DECADE)]


def _mark_labels(labels: Sequence[Sequence[str]]) -> csr_matrix:
    """A one wherever an item has a label: items x labels in the order of the alphabet."""
    names = sorted(set(chain.from_iterable(labels)))
    column_of_name = {name: column for column, name in enumerate(names)}

    items = []
    columns = []
    for item, labels_of_item in enumerate(labels):
        for label in labels_of_item:
            items.append(item)
            columns.append(column_of_name[label])

    ones = np.ones(len(items), np.int32)
    return csr_matrix((ones, (items, columns)), (len(labels), len(names)))


@dataclass(frozen=True)
class TopLists:
    """The first places of one row's lists in one fold."""

    fold: Background
    users: NDArray[np.int32]
    top_items: NDArray[np.int32]  # (len(users), k), -1 where candidates ran out

    def mean(self, of_item: Doubles) -> Doubles:
        """The mean over each user's list of a number that each item has; NaN for an empty list."""
        is_item = self.top_items >= 0
        values = np.where(is_item, of_item[self.top_items], 0.0)
        with np.errstate(invalid="ignore"):
            means: Doubles = values.sum(axis=1) / is_item.sum(axis=1)
        return means

    def near_misses(self, kind: Kind) -> Doubles:
        """Of each user's recommended items that are not relevant, the share that has a feature of
        this kind in common with a relevant one; NaN where there is no miss, or no feature.
        """
        features = self.fold.features[kind]
        relevant = self.fold.relevant[self.users]
        n_liked = relevant.astype(np.int32) @ features
        is_liked = n_liked.toarray() > 0  # users x features

        is_relevant = _look_up(relevant, self.top_items)
        is_miss = (self.top_items >= 0) & ~is_relevant

        of_places = features[self.top_items.ravel()].toarray().astype(bool)
        of_places = of_places.reshape(*self.top_items.shape, -1)  # users x places x features
        is_near = (of_places & is_liked[:, np.newaxis, :]).any(axis=2)

        n_misses = is_miss.sum(axis=1)
        n_near = (is_near & is_miss).sum(axis=1)
        with np.errstate(invalid="ignore"):
            shares: Doubles = n_near / n_misses
        shares[~is_liked.any(axis=1)] = np.nan
        return shares

    def near_by_chance(self, kind: Kind) -> Doubles:
        """For each user the share of all items that would be near: what a random list would have.

        NaN where no relevant item of the user has a feature.
        """
        features = self.fold.features[kind]
        relevant = self.fold.relevant[self.users].astype(np.int32)
        is_liked = (relevant @ features) > 0  # users x features
        n_features_liked = np.asarray(is_liked.sum(axis=1)).ravel()

        n_common = is_liked.astype(np.int32) @ features.T  # users x items
        is_near = n_common > 0
        shares: Doubles = np.asarray(is_near.mean(axis=1), np.float64).ravel()
        shares[n_features_liked == 0] = np.nan
        return shares


def _look_up(matrix: csr_matrix, items: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether entry (i, items[i, j]) of `matrix` is set; False for the item -1."""
    rows = np.repeat(np.arange(len(items)), items.shape[1])
    columns = np.maximum(items, 0).ravel()  # some column for -1, which is left out below
    entries = np.asarray(matrix[rows, columns]).ravel()

    is_set: NDArray[np.bool_] = entries.astype(bool).reshape(items.shape)
    is_set &= items >= 0
    return is_set


def _describe_row(row: str, parts: Sequence[TopLists]) -> list[Behaviour]:
    """All measures of a row, from its lists in each fold."""
    behaviours = []
    kinds: tuple[Kind, ...] = ("genre", "decade")
    for kind in kinds:
        if kind not in parts[0].fold.features:
            continue

        chance = _mean_by_user(parts, [part.near_by_chance(kind) for part in parts])
        by_chance = float(chance.mean()) if len(chance) else None
        values = _mean_by_user(parts, [part.near_misses(kind) for part in parts])
        behaviours += _estimate(row, f"misses of a liked {kind}", values, by_chance)

    popularities = [part.mean(part.fold.share_of_users) for part in parts]
    behaviours += _estimate(row, "popularity", _mean_by_user(parts, popularities))

    tails = [part.mean(part.fold.is_tail.astype(np.float64)) for part in parts]
    tail_by_chance = float(np.mean([part.fold.is_tail.mean() for part in parts]))
    behaviours += _estimate(row, "long tail", _mean_by_user(parts, tails), tail_by_chance)

    behaviours.append(_estimate_gini(row, parts))
    return behaviours


def _mean_by_user(parts: Sequence[TopLists], values_by_fold: Sequence[Doubles]) -> Doubles:
    """One value a user: the mean over the folds in which he has one."""
    users = np.concatenate([part.users for part in parts])
    values = np.concatenate(values_by_fold)
    is_known = np.isfinite(values)
    users = users[is_known]
    values = values[is_known]

    n_values = np.bincount(users)
    sums = np.bincount(users, values)
    has_value = n_values > 0
    return np.asarray(sums[has_value] / n_values[has_value])


def _estimate(
    row: str, measure: str, values: Doubles, by_chance: float | None = None
) -> list[Behaviour]:
    """The mean of one value a user, with its interval; nothing if no user has a value."""
    n_users = len(values)
    if n_users == 0:
        return []
    mean = float(values.mean())
    low = high = None
    if n_users > 1:
        drawn = np.array([values[draw].mean() for draw in _draw_users(n_users)])
        without = (values.sum() - values) / (n_users - 1)
        low, high = Estimate(mean, drawn, without).interval()
    return [Behaviour(row, measure, mean, low, high, n_users, by_chance)]


def _draw_users(n_users: int) -> list[NDArray[np.int64]]:
    """Users drawn with replacement, `N_DRAWS` times; the same for all rows."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, n_users, n_users) for _ in range(N_DRAWS)]


def _estimate_gini(row: str, parts: Sequence[TopLists]) -> Behaviour:
    """The mean Gini coefficient of exposure over the folds, with quantiles of the draws.

    Who is drawn twice gives his items twice, so draws are less even than the lists themselves: the
    mean of that is taken off.
    """
    values = []
    drawn = []
    n_users = 0
    for part in parts:
        n_users = max(n_users, len(part.users))
        n_items = len(part.fold.share_of_users)
        values.append(gini_of_exposure(part.top_items, n_items))
        draws = _draw_users(len(part.users))
        drawn.append([gini_of_exposure(part.top_items[draw], n_items) for draw in draws])

    value = float(np.mean(values))
    means = np.mean(drawn, axis=0)
    low, high = np.quantile(means - means.mean() + value, [0.025, 0.975])
    return Behaviour(row, "gini", value, float(low), float(high), n_users)


def gini_of_exposure(top_items: NDArray[np.int32], n_items: int) -> float:
    """As the metric `gini`, of these lists."""
    exposure = np.sort(np.bincount(top_items[top_items >= 0], minlength=n_items))
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(weights @ exposure / (n_items * max(exposure.sum(), 1)))


def _print_behaviours(console: Console, behaviours: Sequence[Behaviour], cutoff: int) -> None:
    """A table with a row each and a column a measure, and below it what each measure means."""
    measures = list(dict.fromkeys(behaviour.measure for behaviour in behaviours))
    table = Table(title=f"Of the first {cutoff} of each list, with 95 % intervals over users")
    table.add_column("row")
    for measure in measures:
        table.add_column(measure, justify="right")

    by_row: dict[str, dict[str, Behaviour]] = {}
    for behaviour in behaviours:
        by_row.setdefault(behaviour.row, {})[behaviour.measure] = behaviour
    for row, of_row in by_row.items():
        table.add_row(row, *(_format(of_row.get(measure)) for measure in measures))

    chances = {
        behaviour.measure: behaviour.by_chance
        for behaviour in behaviours
        if behaviour.by_chance is not None
    }
    table.add_section()
    table.add_row(
        "a random list",
        *(f"{chances[measure]:.3f}" if measure in chances else "" for measure in measures),
    )
    console.print(table)
    for measure in measures:
        console.print(f"  {measure}: {MEANINGS[measure]}", markup=False)


def _format(behaviour: Behaviour | None) -> str:
    """A value with its interval."""
    if behaviour is None:
        return "–"
    if behaviour.low is None or behaviour.high is None:
        return f"{behaviour.value:.3f}"
    return f"{behaviour.value:.3f} ({behaviour.low:.3f} to {behaviour.high:.3f})"


if __name__ == "__main__":
    serve(behave)

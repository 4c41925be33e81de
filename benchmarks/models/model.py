"""A model: an algorithm that has learned from all ratings, and the people and items that it knows.

It answers as the bench has measured it: the same unit of ratings, the same fallback and clipping,
the same candidates and the same ties.
"""

import difflib
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recbench.adapters import Recommender
from recbench.adapters.base import Floats, Indices
from recbench.adapters.shared.units import Units
from recbench.benchmarks.evaluation import check_form, top_items
from recbench.benchmarks.models.description import ModelDescription
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Catalogue

if TYPE_CHECKING:
    import pandas

Id: TypeAlias = str | int

BLOCK_BYTES = 64 << 20  # of scores that are held at a time
N_PROBED = 20  # users whose scores say whether a model is the one that was written
N_PROBED_PAIRS = 200
N_REASONS = 3  # rated items that are named for a recommendation
N_SUGGESTED = 3  # items that are named where there is none of a name
N_LIKED = 5  # of the user's own, shown beside a list


@dataclass(frozen=True, eq=False)
class KnownItems:
    """The items of a model; entry i of each column is item index i."""

    ids: NDArray[Any]  # as the user wrote them
    titles: tuple[str, ...]
    years: tuple[int | None, ...]
    genres: tuple[tuple[str, ...], ...]

    @staticmethod
    def of_catalogue(item_ids: NDArray[Any], catalogue: Catalogue) -> "KnownItems":
        """All items of a catalogue."""
        return KnownItems(item_ids, catalogue.titles, catalogue.years, catalogue.genres)

    def name(self, item: int) -> str:
        """The title, with the year if that is not in it; the id where there is no title."""
        title = self.titles[item] or str(self.ids[item])
        year = self.years[item]
        if year is None or f"({year})" in title:
            return title
        return f"{title} ({year})"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """`name` of every item."""
        return tuple(self.name(item) for item in range(len(self.ids)))

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {str(raw): index for index, raw in enumerate(self.ids.tolist())}

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for item in range(len(self.ids)):
            for name in {self.titles[item], self.name(item)}:
                places.setdefault(name.casefold(), []).append(item)
        return places

    def find(self, wanted: Id) -> int:
        """The index of the item with this id or title; UsageError, with the nearest, if there is
        none, or if several have the title.
        """
        text = str(wanted)
        if text in self._by_id:
            return self._by_id[text]

        found = self._by_name.get(text.casefold(), [])
        if len(found) > 1:
            ids = ", ".join(str(self.ids[item]) for item in found)
            raise UsageError(f"item {text!r}: several items are called so, give an id: {ids}")
        if found:
            return found[0]
        raise UsageError(
            f"unknown item {text!r}.{self._suggest(text)} Expected the title or the id of one of "
            f"{len(self.ids):,} items"
        )

    def _suggest(self, text: str) -> str:
        """A sentence with the names that hold `text`, or else are most like it; "" without any."""
        holding = [name for name in self.names if text.casefold() in name.casefold()]
        near = holding[:N_SUGGESTED] or difflib.get_close_matches(text, self.names, N_SUGGESTED)
        return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""

    def has(self, wanted: Id) -> bool:
        """Whether there is an item with this id."""
        return str(wanted) in self._by_id

    def index_of(self, wanted: Id) -> int:
        """The index of the item with this id. KeyError if there is none."""
        return self._by_id[str(wanted)]


@dataclass(frozen=True)
class Reason:
    """A rated item that a recommendation comes from."""

    item: int
    contribution: float


@dataclass(frozen=True, eq=False)
class RecommendedLists:
    """The best candidates of some users, best first; -1 and NaN where candidates ran out."""

    items: Indices  # (n_users, n)
    scores: Floats  # (n_users, n), as the algorithm gives them
    ratings: Floats | None  # (n_users, n), predicted; None for who ranks only


@dataclass(eq=False)
class Model:
    """A fitted algorithm that is asked by the ids of users and items."""

    description: ModelDescription
    algorithm: Recommender
    user_ids: NDArray[Any]  # as the user wrote them
    items: KnownItems
    rated: csr_matrix  # (n_users, n_items): the ratings, float32, each pair once
    _of_users: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def predicts_ratings(self) -> bool:
        """Whether its answers are ratings; else it ranks only."""
        return self.description.predicts == "ratings"

    @cached_property
    def units(self) -> Units:
        """In which unit the algorithm answers, and that of the data."""
        return Units.choose(self.algorithm, self.description.data.scale)

    @cached_property
    def mean(self) -> float:
        """The mean of all ratings: what is predicted where the algorithm has no opinion."""
        return float(self.rated.data.mean(dtype=np.float64))

    @cached_property
    def n_ratings_of_items(self) -> Indices:
        """How many ratings each item has, (n_items,)."""
        return np.bincount(self.rated.indices, minlength=len(self.items.ids)).astype(np.int32)

    # Users

    def has_user(self, user: Id) -> bool:
        """Whether the user was in the data that the model has learned from."""
        if not self._of_users:
            self._of_users |= {str(raw): index for index, raw in enumerate(self.user_ids.tolist())}
        return str(user) in self._of_users

    def find_user(self, user: Id) -> int:
        """The index of a user.

        UsageError, with what can be had instead, for one that the model does not know.
        """
        if self.has_user(user):
            return self._of_users[str(user)]
        raise UsageError(
            f"user {user} is not among the {len(self.user_ids):,} users that the model was trained "
            "on. With --history FILE a user's ratings can be given; --fallback popularity lists "
            "what most users have rated, which is the same for everybody"
        )

    def find_best_rated(self, user: int, n: int = N_LIKED) -> list[tuple[int, float]]:
        """The items that a user rated best, with the ratings; of equal ones the popular first."""
        begin, end = self.rated.indptr[user : user + 2]
        items = self.rated.indices[begin:end]
        ratings = self.rated.data[begin:end]
        best_first = np.lexsort((items, -self.n_ratings_of_items[items], -ratings))[:n]
        return [(int(items[place]), float(ratings[place])) for place in best_first]

    # Answers by index

    def rate_pairs(self, users: Indices, items: Indices) -> Floats:
        """The predicted rating of each pair, float32 within the scale.

        Where the algorithm has no opinion the mean stands. UsageError for who ranks only.
        """
        if not self.predicts_ratings:
            raise UsageError(
                f"{self.description.algorithm} ranks only: its scores order items and are no "
                "ratings; ask it for recommendations"
            )
        scores = check_form(
            self.algorithm.score(users, items), users.shape, self.description.algorithm
        )
        return self.complete_ratings(scores)

    def complete_ratings(self, scores: Floats) -> Floats:
        """Scores of who predicts ratings as ratings of the data, of the same shape: the mean where
        the algorithm has no opinion, and none outside of the scale.
        """
        ratings = self.units.restore_scores(scores)
        ratings = np.where(np.isnan(ratings), np.float32(self.mean), ratings)
        return np.clip(ratings, *self.description.data.scale).astype(np.float32)

    def rank_users(
        self,
        users: Indices,
        n: int,
        *,
        barred: NDArray[np.bool_] | None = None,
        include_rated: bool = False,
    ) -> RecommendedLists:
        """The `n` best items of each of `users`.

        Candidates are all items but those `barred`, (n_items,), and those that the user has rated,
        unless `include_rated`. Ties are broken as in the bench.
        """
        n_items = len(self.items.ids)
        scores = self.algorithm.score_items(users)
        scores = check_form(scores, (len(users), n_items), self.description.algorithm)
        rated = self.rated
        if include_rated:
            rated = csr_matrix(self.rated.shape, dtype=np.float32)
        top, best = self.choose_best(users, scores, rated, n, barred)

        ratings = None
        if self.predicts_ratings:
            ratings = np.full(top.shape, np.nan, np.float32)
            is_item = top >= 0
            of_users = np.broadcast_to(users[:, None], top.shape)
            ratings[is_item] = self.rate_pairs(of_users[is_item], top[is_item])
        return RecommendedLists(top, best, ratings)

    def choose_best(
        self,
        users: Indices,
        scores: Floats,
        rated: csr_matrix,
        n: int,
        barred: NDArray[np.bool_] | None,
    ) -> tuple[Indices, Floats]:
        """The items of the lists that `scores`, (len(users), n_items), make, and their scores.

        What is `barred`, (n_items,), or stands in a user's row of `rated` is no candidate. -1 and
        NaN stand where candidates run out.
        """
        if barred is not None:
            scores = scores.copy()
            scores[:, barred] = -np.inf  # behind all others, and then taken out

        seed = self.description.training.seed
        depth = min(n, scores.shape[1])
        top, best = top_items(scores, users, rated, depth, seed)
        if barred is not None:
            is_out = (top >= 0) & barred[top]
            top[is_out] = -1
            best[is_out] = np.nan
        return top, best

    def rank_in_blocks(
        self,
        users: Indices,
        n: int,
        *,
        barred: NDArray[np.bool_] | None = None,
        include_rated: bool = False,
    ) -> Iterator[tuple[Indices, RecommendedLists]]:
        """The lists of `users`, of as many at a time as memory is meant for."""
        n_at_once = max(1, BLOCK_BYTES // (4 * len(self.items.ids)))
        for start in range(0, len(users), n_at_once):
            block = users[start : start + n_at_once]
            yield block, self.rank_users(block, n, barred=barred, include_rated=include_rated)

    def rank_by_popularity(
        self, n: int, barred: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, int]]:
        """The items that most users have rated, with how many; ties by index."""
        counts = self.n_ratings_of_items.copy()
        if barred is not None:
            counts[barred] = -1
        best_first = np.argsort(-counts, kind="stable")[:n]
        return [(int(item), int(counts[item])) for item in best_first if counts[item] >= 0]

    def explain(self, user: int, item: int) -> list[Reason] | None:
        """The rated items that a recommendation comes from, those that add most first.

        None if the algorithm cannot tell; what adds nothing is left out.
        """
        explained = self.algorithm.explain(user, item)
        if explained is None:
            return None
        items, contributions = explained
        largest_first = np.argsort(-contributions, kind="stable")[:N_REASONS]
        return [
            Reason(int(items[place]), float(contributions[place]))
            for place in largest_first
            if contributions[place] > 0
        ]

    # Answers by id, for Python

    def recommend(
        self,
        users: Id | Sequence[Id],
        n: int = 10,
        *,
        exclude: Collection[Id] = (),
        only: Collection[Id] | None = None,
        include_rated: bool = False,
    ) -> "pandas.DataFrame":
        """The `n` best items of each user as a DataFrame, a line a recommendation.

        Columns: user, rank (from 1), item, title, score, and rating where the algorithm predicts
        ratings. `exclude` are items that are not recommended, `only` the only ones, by id or title.
        UsageError for an unknown user or item.
        """
        import pandas

        wanted = [users] if isinstance(users, str | int | np.integer) else list(users)
        indices = np.array([self.find_user(user) for user in wanted], np.int32)
        barred = self.bar_items(exclude, only)
        blocks = [
            self.tabulate(self.user_ids[block], lists)
            for block, lists in self.rank_in_blocks(
                indices, n, barred=barred, include_rated=include_rated
            )
        ]
        columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        return pandas.DataFrame(columns)

    def recommend_new(
        self,
        rated: Mapping[Id, float],
        n: int = 10,
        *,
        exclude: Collection[Id] = (),
        only: Collection[Id] | None = None,
    ) -> "pandas.DataFrame":
        """The `n` best items of a user who was not in training, from what it has `rated`.

        `rated` has ratings by items, which are named by id or title. A DataFrame like that of
        `recommend`, without the column user. UsageError if the algorithm cannot answer new users.
        """
        import pandas

        from recbench.benchmarks.models.new_users import history_of_one, rank_new_users

        ratings = history_of_one(self, rated)
        lists = rank_new_users(self, ratings, n, barred=self.bar_items(exclude, only))
        columns = self.tabulate(np.array([""]), lists)
        del columns["user"]
        return pandas.DataFrame(columns)

    def tabulate(self, users: NDArray[Any], lists: RecommendedLists) -> dict[str, NDArray[Any]]:
        """Lists as columns, a line a recommendation; `users` are the ids whose lists they are."""
        is_item = lists.items >= 0
        rows, places = np.nonzero(is_item)
        items = lists.items[is_item]
        columns = {
            "user": users[rows],
            "rank": (places + 1).astype(np.int32),
            "item": self.items.ids[items],
            "title": np.array(self.items.names, object)[items],
            "score": lists.scores[is_item],
        }
        if lists.ratings is not None:
            columns["rating"] = lists.ratings[is_item]
        return columns

    def predict(self, users: Id | Sequence[Id], items: Id | Sequence[Id]) -> Floats:
        """The predicted rating of each pair, float32 within the scale; one user or item stands for
        all.

        UsageError for who ranks only, and for an unknown user or item.
        """
        found_users = [self.find_user(user) for user in _list_ids(users)]
        found_items = [self.items.find(item) for item in _list_ids(items)]
        of_users = np.array(found_users, np.int32)
        of_items = np.array(found_items, np.int32)

        paired_users, paired_items = np.broadcast_arrays(of_users, of_items)
        return self.rate_pairs(
            np.ascontiguousarray(paired_users), np.ascontiguousarray(paired_items)
        )

    def similar(self, item: Id, n: int = 10) -> "pandas.DataFrame":
        """The `n` items most similar to one, by id or title, as a DataFrame.

        Columns: item, title, similarity. UsageError if the algorithm knows none.
        """
        import pandas

        items, similarities = self.find_similar(self.items.find(item), n)
        return pandas.DataFrame(
            {
                "item": self.items.ids[items],
                "title": np.array(self.items.names, object)[items],
                "similarity": similarities,
            }
        )

    def find_similar(self, item: int, n: int) -> tuple[Indices, Floats]:
        """The items most similar to one, and how similar; UsageError if it knows no similarity."""
        found = self.algorithm.similar(item, n)
        if found is None:
            raise UsageError(
                f"{self.description.algorithm} knows no similarity of items; rows that do are item "
                "neighbours, linear models, factorisations and tfidf-content"
            )
        items, similarities = found
        is_similar = similarities > 0
        return items[is_similar], similarities[is_similar]

    def bar_items(
        self, exclude: Collection[Id] = (), only: Collection[Id] | None = None
    ) -> NDArray[np.bool_] | None:
        """Which items are no candidates, (n_items,); None if all are.

        UsageError for an unknown item.
        """
        if not exclude and only is None:
            return None
        barred = np.zeros(len(self.items.ids), bool)
        if only is not None:
            barred[:] = True
            barred[[self.items.find(item) for item in only]] = False
        barred[[self.items.find(item) for item in exclude]] = True
        return barred

    def save(self, out: str | Path) -> "Model":
        """Write it as a directory; the model that was read from there again.

        UsageError if the algorithm cannot be saved, or if `out` holds something else than a model.
        """
        from recbench.benchmarks.models.directory import save_model  # which reads models

        return save_model(self, out)


def _list_ids(ids: Id | Sequence[Id]) -> list[Id]:
    """The ids as a list; one by itself is a list of one."""
    if isinstance(ids, str | int | np.integer):
        return [ids]
    return list(ids)


def probe_scores(model: Model) -> str:
    """Hexadecimal digits over what an algorithm answers about some users: equal to the last bit.

    They are asked for all items, and for some pairs.
    """
    n_users = len(model.user_ids)
    n_items = len(model.items.ids)
    users = np.unique(np.linspace(0, n_users - 1, N_PROBED).astype(np.int32))
    scores = model.algorithm.score_items(users)

    pair_users = np.resize(users, N_PROBED_PAIRS)
    pair_items = (np.arange(N_PROBED_PAIRS) % n_items).astype(np.int32)
    pairs = model.algorithm.score(pair_users, pair_items)

    digest = hashlib.sha256(np.ascontiguousarray(scores).data)
    digest.update(np.ascontiguousarray(pairs).data)
    return digest.hexdigest()

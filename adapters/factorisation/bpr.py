"""Bayesian personalised ranking with uniformly drawn negatives, as in the paper."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from scipy.sparse import csr_matrix

from recbench.adapters.base import Floats, Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.interactions import LearnsFromLikes
from recbench.adapters.shared.parameters import (
    TOIS_2021,
    Count,
    NonNegative,
    Positive,
    Search,
    Share,
)
from recbench.adapters.shared.prefetch import FLOATS_IN_LINE, make_fetch
from recbench.datasets.foundation import compile_lazily

DRAWN_TOGETHER = 64  # draws whose factors are fetched before the first of them moves anything
TO_SAVE_TIME = f"here: {TOIS_2021} go up to 1,500 and stop early"
OF_PENALTY = f"{TOIS_2021}, further since their end is the default"

fetch_line: Any = None  # what `make_fetch` makes, for compiled loops to find by this name


@compile_lazily()
def _contains(ascending: Any, start: int, stop: int, item: int) -> bool:
    """Whether the item is in ascending[start:stop], by bisection."""
    if start == stop:
        return False

    n_left = stop - start
    while n_left > 1:
        half = n_left // 2
        if ascending[start + half] <= item:
            start += half
        n_left -= half
    return bool(ascending[start] == item)


@cache
def _make_descent() -> Any:
    """A compiled function that moves P, Q and the items' biases in place, draw after draw.

    It takes the likes (users[l], items[l]); the items that each user u likes, ascending, as
    known[known_from[u] : known_from[u + 1]]; the parameters, and how and how often they move. A
    draw whose second item the user likes too teaches nothing and is passed over.

    What a draw needs lies anywhere in memory, and waiting for it takes most of the time where that
    is large. So `DRAWN_TOGETHER` draws are made at once, each array is read for all of them, and
    their factors are fetched before the first one moves anything. Draws, their order and each step
    are the same as one by one.
    """
    global fetch_line
    fetch_line = make_fetch()

    @compile_lazily(fastmath={"reassoc", "contract", "nsz", "arcp"})  # NaN stays NaN
    def descend(
        users: Any,
        items: Any,
        known_from: Any,
        known: Any,
        P: Any,
        Q: Any,
        biases: Any,
        n_epochs: int,
        rate: Any,
        decay: Any,
        seed: int,
    ) -> None:
        np.random.seed(seed)
        n_likes = len(users)
        n_items = len(Q)
        n_factors = P.shape[1]
        n_lines = (n_factors + FLOATS_IN_LINE - 1) // FLOATS_IN_LINE
        n_draws = n_epochs * n_likes

        likes = np.empty(DRAWN_TOGETHER, np.int64)
        drawn_users = np.empty(DRAWN_TOGETHER, np.int64)
        liked = np.empty(DRAWN_TOGETHER, np.int64)
        others = np.empty(DRAWN_TOGETHER, np.int64)
        starts = np.empty(DRAWN_TOGETHER, np.int64)
        stops = np.empty(DRAWN_TOGETHER, np.int64)
        teaches = np.empty(DRAWN_TOGETHER, np.bool_)
        for first_draw in range(0, n_draws, DRAWN_TOGETHER):
            n_together = min(DRAWN_TOGETHER, n_draws - first_draw)
            for draw in range(n_together):
                likes[draw] = np.random.randint(0, n_likes)
                others[draw] = np.random.randint(0, n_items)

            for draw in range(n_together):
                drawn_users[draw] = users[likes[draw]]
                liked[draw] = items[likes[draw]]

            for draw in range(n_together):
                starts[draw] = known_from[drawn_users[draw]]
                stops[draw] = known_from[drawn_users[draw] + 1]
                fetch_line(known, (starts[draw] + stops[draw]) // 2, 0)
                for line in range(n_lines):
                    fetch_line(P, drawn_users[draw], line)
                    fetch_line(Q, liked[draw], line)
                    fetch_line(Q, others[draw], line)

            for draw in range(n_together):
                teaches[draw] = not _contains(known, starts[draw], stops[draw], others[draw])

            for draw in range(n_together):
                if not teaches[draw]:
                    continue
                u = drawn_users[draw]
                i = liked[draw]
                j = others[draw]
                margin = biases[i] - biases[j]
                for f in range(n_factors):
                    margin += P[u, f] * (Q[i, f] - Q[j, f])
                pull = np.float32(1 / (1 + np.exp(margin)))

                for f in range(n_factors):
                    p = P[u, f]
                    q_i = Q[i, f]
                    q_j = Q[j, f]
                    P[u, f] += rate * (pull * (q_i - q_j) - decay * p)
                    Q[i, f] += rate * (pull * p - decay * q_i)
                    Q[j, f] += rate * (-pull * p - decay * q_j)
                biases[i] += rate * (pull - decay * biases[i])
                biases[j] += rate * (-pull - decay * biases[j])

    return descend


@dataclass(eq=False)
class BPR(LearnsFromLikes, Factorised):
    """score(u, i) = b_i + p_u . q_i, so that what u likes scores above what u does not.

    Maximises the sum of ln sigmoid(score(u, i) - score(u, j)) - regularisation / 2 * (squares of
    what is involved) over likes (u, i) and items j drawn uniformly from the rest, one step a draw
    and as many draws an epoch as there are likes (Rendle, Freudenthaler, Gantner and Schmidt-Thieme
    2009). `implicit-bpr` and `lightfm-bpr` draw j by popularity, which is another objective:
    popular items are pushed down, and accuracy on all items suffers.

    The defaults were chosen on an inner split of a training part of MovieLens 100k; they are as
    good there as 200 epochs at a rate of .01 with a regularisation of .001, with which Microsoft
    Recommenders runs Cornac's BPR, in a quarter of the time. Liked = at least `relevant_share` of
    the scale. Memory grows with users and items only.
    """

    name = "bpr"
    family = "factors"
    requires = ("numba",)
    epochs_hyperparameter = "n_epochs"
    origin = Origin(
        "tuned here",
        "",
        ("movielens-100k",),
        ("n_factors", "n_epochs", "learning_rate", "regularisation"),
        "validation part",
        "budget not recorded",
    )
    n_factors: Annotated[Count, Search(1, 200, TOIS_2021, log=True)] = 50
    n_epochs: Annotated[Count, Search(5, 200, TO_SAVE_TIME, log=True)] = 50
    learning_rate: Annotated[Positive, Search(1e-4, 0.1, TOIS_2021, log=True)] = 0.05
    regularisation: Annotated[NonNegative, Search(1e-5, 0.1, OF_PENALTY, log=True)] = 0.01
    relevant_share: Share = 0.75

    def fit(self, data: csr_matrix, seed: int) -> None:
        """Descend from small random factors and biases of 0, as Cornac's BPR does.

        A user without likes gets the mean factors of the others.
        """
        rng = np.random.default_rng(seed)
        n_users, n_items = data.shape
        self.P_ = self._draw_factors(rng, n_users)
        self.Q_ = self._draw_factors(rng, n_items)
        self.item_biases_ = np.zeros(n_items, np.float32)

        likes_of_user = np.diff(data.indptr)
        users = np.repeat(np.arange(n_users, dtype=np.int32), likes_of_user)
        if len(users):
            descend = _make_descent()
            descend(
                users,
                data.indices,
                data.indptr,
                data.indices,
                self.P_,
                self.Q_,
                self.item_biases_,
                self.n_epochs,
                np.float32(self.learning_rate),
                np.float32(self.regularisation),
                seed,
            )

        likes_nothing = likes_of_user == 0
        if likes_nothing.all():
            self.P_[:] = 0
        else:
            self.P_[likes_nothing] = self.P_[~likes_nothing].mean(axis=0)

    def _draw_factors(self, rng: np.random.Generator, n_rows: int) -> Floats:
        """Factors drawn uniformly within half of 1 / n_factors around 0, (n_rows, n_factors)."""
        centred = rng.random((n_rows, self.n_factors), np.float32) - np.float32(0.5)
        return centred / np.float32(self.n_factors)

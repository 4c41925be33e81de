"""myFM (Ohtsuki): factorisation machines whose parameters are drawn by Gibbs sampling instead of being chosen."""

from abc import abstractmethod
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, hstack, identity

from recbench.adapters.base import Floats, Indices
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.interactions import matrix_of_likes
from recbench.adapters.shared.memory import reason_to_skip
from recbench.adapters.shared.parameters import Count
from recbench.datasets.ratings import Catalogue, Ratings

Doubles = NDArray[np.float64]
SCORE_BLOCK = 1 << 24  # factors gathered at a time


class Design(NamedTuple):
    """The ratings, and the features of each user and item; features of one group share their prior."""

    train: Ratings
    of_users: csr_matrix  # (n_users, n_features of users), float64
    of_items: csr_matrix
    group_shapes: list[int]  # features in each group, those of users first

    def blocks(self) -> list[Any]:
        """The features as the library's relation blocks: held once per user and item, not once per rating."""
        from myfm import RelationBlock

        by_user = RelationBlock(self.train.users.tolist(), self.of_users)
        return [by_user, RelationBlock(self.train.items.tolist(), self.of_items)]


class _Side(NamedTuple):
    """What one sample says about users, or about items: an additive part and factors."""

    biases: Doubles
    factors: Doubles


def _side(features: csr_matrix, w: Doubles, V: Doubles) -> _Side:
    factors = features @ V
    own = features.power(2) @ np.sum(V**2, axis=1)  # a pair is of two features
    return _Side(features @ w + (np.sum(factors**2, axis=1) - own) / 2, factors)


class _GibbsFM(Factorised):
    """What the two share: the mean prediction of the sampled factorisation machines.

    For features x a machine says w0 + w.x + the sum of x_f x_g v_f.v_g over all pairs of features f < g. With
    x = (a, c), a the user's and c the item's, that is w0 + l(a) + l(c) + (V'a).(V'c), where
    l(a) = w.a + (|V'a|^2 - sum of a_f^2 |v_f|^2) / 2. So the mean over the samples is a sum of biases and one product
    of factors: those of all samples side by side.
    """

    family = "myfm"
    predicts = "ratings"
    requires: ClassVar[tuple[str, ...]] = ("myfm",)
    epochs_hyperparameter = "n_iter"
    rank: int
    n_iter: int
    n_kept_samples: int

    @abstractmethod
    def convert(self, train: Ratings, catalogue: Catalogue) -> Design:
        """The features of users and items."""

    @abstractmethod
    def _n_features(self, train: Ratings) -> int: ...

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The kept samples of all features in double precision, and as factors in single precision."""
        n_bytes = 8 * self._n_features(train) + 4 * (train.n_users + train.n_items)
        return reason_to_skip(
            n_bytes * (self.rank + 1) * self.n_kept_samples,
            memory_mb,
            purpose=f"{self.n_kept_samples} samples of its parameters",
            advice="a smaller rank or n_kept_samples, or filtered data",
        )

    def model(self, seed: int) -> Any:
        """The library's own machine, not yet fitted."""
        from myfm import MyFMRegressor

        return MyFMRegressor(rank=self.rank, random_seed=seed & 0x7FFFFFFF)

    def fit(self, data: Design, seed: int) -> None:
        """Sample, and put the kept samples side by side; the library always shows progress, so nobody looks."""
        model = self.model(seed)
        values = data.train.values.astype(np.float64)
        kept = min(self.n_kept_samples, self.n_iter)
        with redirect_stderr(StringIO()):
            model.fit(
                None,
                values,
                data.blocks(),
                n_iter=self.n_iter,
                n_kept_samples=kept,
                group_shapes=data.group_shapes,
            )
        self._keep(data, model.predictor_.samples)

    def _keep(self, data: Design, samples: list[Any]) -> None:
        n_users, n_items, n_of_users = (
            data.train.n_users,
            data.train.n_items,
            data.of_users.shape[1],
        )
        P = np.empty((n_users, len(samples), self.rank), np.float32)
        Q = np.empty((n_items, len(samples), self.rank), np.float32)
        biases: tuple[Doubles, Doubles] = np.zeros(n_users), np.zeros(n_items)
        mean = 0.0
        for s, machine in enumerate(samples):
            w, V = machine.w, machine.V
            user = _side(data.of_users, w[:n_of_users], V[:n_of_users])
            item = _side(data.of_items, w[n_of_users:], V[n_of_users:])
            P[:, s], Q[:, s] = user.factors, item.factors / len(samples)
            mean += machine.w0 / len(samples)
            for total, side in zip(biases, (user, item), strict=True):
                total += side.biases / len(samples)
        self.mean_ = np.float32(mean)
        self.P_, self.Q_ = P.reshape(n_users, -1), Q.reshape(n_items, -1)
        self.user_biases_, self.item_biases_ = (part.astype(np.float32) for part in biases)

    def score(self, users: Indices, items: Indices) -> Floats:
        """As all factorisations, but some pairs at a time: the factors of all samples are many."""
        scores = np.empty(len(users), np.float32)
        block = max(1, SCORE_BLOCK // self.P_.shape[1])
        for start in range(0, len(users), block):
            pairs = slice(start, start + block)
            scores[pairs] = super().score(users[pairs], items[pairs])
        return scores


@dataclass(eq=False)
class MyFMMF(_GibbsFM):
    """r(u, i) = the mean over Gibbs samples of w0 + w_u + w_i + v_u . v_i.

    Bayesian probabilistic matrix factorisation (Salakhutdinov and Mnih 2008) with biases, as a factorisation machine
    over the ids of user and item: every parameter has a normal prior whose mean and precision, one per side and
    factor, are sampled as well, so there is no learning rate or regularisation to choose (Rendle 2012, libFM; factors
    are independent a priori there, while Salakhutdinov and Mnih have a full covariance). The last `n_kept_samples` of
    `n_iter` samples are averaged, all if there are no more. Users and items without ratings are drawn from the
    priors. Defaults: the library's 100 iterations, of which the first fifth is dropped, and a rank for small data;
    more of both does no harm but time: Rendle, Zhang and Koren (2019) outdo years of papers about MovieLens 10M with
    512 of each.
    """

    name = "myfm-mf"
    rank: Count = 10
    n_iter: Count = 100
    n_kept_samples: Count = 80

    def _n_features(self, train: Ratings) -> int:
        return train.n_users + train.n_items

    def convert(self, train: Ratings, catalogue: Catalogue) -> Design:
        """One feature a user, one an item."""
        users, items = (identity(n, format="csr") for n in (train.n_users, train.n_items))
        return Design(train, users, items, [train.n_users, train.n_items])


@dataclass(eq=False)
class MyFMFM(_GibbsFM):
    """`myfm-mf` with what the user has rated as features: SVD++ in the form of a Bayesian factorisation machine.

    A user's features are its id and each item j it has rated in the training data, whatever the rating, with weight
    1 / sqrt(how many) (Koren 2008; Rendle, Zhang and Koren 2019, who call it Bayesian SVD++). With `flipped` an
    item's features are, likewise, its id and the users who have rated it (their "SVD++ flipped", without time): on
    MovieLens 100k that lowers the error more than the user's features do, and costs a quarter to a half more time.
    Defaults: those of `myfm-mf`.
    """

    name = "myfm-fm"
    rank: Count = 10
    n_iter: Count = 100
    n_kept_samples: Count = 80
    flipped: bool = True

    def _n_features(self, train: Ratings) -> int:
        return (2 if self.flipped else 1) * train.n_users + 2 * train.n_items

    def convert(self, train: Ratings, catalogue: Catalogue) -> Design:
        """Ids, and who has rated what."""
        rated = matrix_of_likes(train, relevant_share=0.0)
        users, user_groups = _with_rated(rated)
        items, item_groups = _with_rated(rated.T.tocsr()[:, : train.n_users if self.flipped else 0])
        return Design(train, users, items, user_groups + item_groups)


def _with_rated(rated: csr_matrix) -> tuple[csr_matrix, list[int]]:
    """One feature a row, then those of `rated` scaled to a length of 1 a row; and the sizes of both groups."""
    lengths = np.sqrt(np.maximum(np.asarray(rated.sum(axis=1), np.float64).ravel(), 1))
    scaled = diags_array(1 / lengths) @ rated
    features = csr_matrix(hstack([identity(rated.shape[0]), scaled]))
    return features, [size for size in (rated.shape[0], rated.shape[1]) if size]

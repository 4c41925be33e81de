"""myFM (Ohtsuki): factorisation machines whose parameters are drawn by Gibbs sampling."""

from abc import abstractmethod
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, hstack, identity

from recbench.adapters.base import Floats, Indices, Origin
from recbench.adapters.shared.factors import Factorised
from recbench.adapters.shared.interactions import matrix_of_likes
from recbench.adapters.shared.memory import reason_to_skip
from recbench.adapters.shared.parameters import Choose, Count, Search
from recbench.datasets.ratings import Catalogue, Ratings

Doubles = NDArray[np.float64]

RENDLE_2019 = "Rendle, Zhang and Koren 2019"
RENDLE_CUT = f"{RENDLE_2019}, cut at a quarter of their 512 to save time"
SCORE_BLOCK = 1 << 24  # factors gathered at a time
LARGEST_SEED = 0x7FFFFFFF  # the library takes no larger one


class DesignMatrix(NamedTuple):
    """The ratings, and the features of users and items; those of one group share a prior."""

    train: Ratings
    of_users: csr_matrix  # (n_users, n_features of users), float64
    of_items: csr_matrix  # (n_items, n_features of items), float64
    group_shapes: list[int]  # features in each group, those of users first

    def blocks(self) -> list[Any]:
        """The features as the library's relation blocks, those of users first.

        A block holds them once per user (or item), not once per rating.
        """
        from myfm import RelationBlock

        by_user = RelationBlock(self.train.users.tolist(), self.of_users)
        by_item = RelationBlock(self.train.items.tolist(), self.of_items)
        return [by_user, by_item]


class _Side(NamedTuple):
    """What one sample says about users, or about items."""

    biases: Doubles  # (n,): the additive part
    factors: Doubles  # (n, rank)


def _side_of_sample(features: csr_matrix, w: Doubles, V: Doubles) -> _Side:
    """Biases and factors from features (n, n_features), their weights w and their factors V."""
    factors = features @ V
    squared_features = features.power(2)
    of_single_features = squared_features @ np.sum(V**2, axis=1)  # a pair is of two features
    of_pairs = (np.sum(factors**2, axis=1) - of_single_features) / 2
    return _Side(features @ w + of_pairs, factors)


class _GibbsFM(Factorised):
    """What the two share: the mean prediction of the sampled factorisation machines.

    They are fitted to ratings less their mean, which is added again.

    For features x a machine says w0 + w.x + the sum of x_f x_g v_f.v_g over all pairs of features
    f < g. With x = (a, c), a the user's and c the item's, that is w0 + l(a) + l(c) + (V'a).(V'c),
    where l(a) = w.a + (|V'a|^2 - sum of a_f^2 |v_f|^2) / 2. So the mean over the samples is a sum
    of biases and one product of factors: those of all samples side by side.
    """

    family = "myfm"
    predicts = "ratings"
    units = "library"
    requires: ClassVar[tuple[str, ...]] = ("myfm",)
    epochs_hyperparameter = "n_iter"
    revision = 2
    rank: int
    n_iter: int
    n_kept_samples: int

    @abstractmethod
    def convert(self, train: Ratings, catalogue: Catalogue) -> DesignMatrix:
        """The features of users and items."""

    @abstractmethod
    def _n_features(self, train: Ratings) -> int:
        """How many features users and items have together."""

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        """The kept samples have to fit.

        Those of all features are in double precision, and the factors made of them in single.
        """
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

        return MyFMRegressor(rank=self.rank, random_seed=seed & LARGEST_SEED)

    def fit(self, data: DesignMatrix, seed: int) -> None:
        """Sample with the library, and keep the last samples side by side.

        The target is centred, since the priors shrink towards 0: ratings far from it would be drawn
        away from where they are.
        """
        mean = data.train.mean
        model = self.model(seed)
        with redirect_stderr(StringIO()):  # where the library shows progress, whatever one asks for
            model.fit(
                None,
                data.train.values.astype(np.float64) - mean,
                data.blocks(),
                n_iter=self.n_iter,
                n_kept_samples=min(self.n_kept_samples, self.n_iter),
                group_shapes=data.group_shapes,
            )
        self._keep_samples(data, mean, model.predictor_.samples)

    def _keep_samples(self, data: DesignMatrix, mean: float, samples: list[Any]) -> None:
        """Leave the factors of all samples side by side, and the means of their biases.

        `mean` is what was subtracted from the ratings.
        """
        n_users = data.train.n_users
        n_items = data.train.n_items
        n_samples = len(samples)
        n_of_users = data.of_users.shape[1]

        P = np.empty((n_users, n_samples, self.rank), np.float32)
        Q = np.empty((n_items, n_samples, self.rank), np.float32)
        user_biases = np.zeros(n_users)
        item_biases = np.zeros(n_items)
        for number, machine in enumerate(samples):
            # The features of users come first, those of items behind them.
            weights = machine.w
            factors = machine.V
            of_users = _side_of_sample(data.of_users, weights[:n_of_users], factors[:n_of_users])
            of_items = _side_of_sample(data.of_items, weights[n_of_users:], factors[n_of_users:])

            P[:, number] = of_users.factors
            Q[:, number] = of_items.factors / n_samples
            mean += machine.w0 / n_samples
            user_biases += of_users.biases / n_samples
            item_biases += of_items.biases / n_samples

        self.mean_ = np.float32(mean)
        self.P_ = P.reshape(n_users, -1)
        self.Q_ = Q.reshape(n_items, -1)
        self.user_biases_ = user_biases.astype(np.float32)
        self.item_biases_ = item_biases.astype(np.float32)

    def score(self, users: Indices, items: Indices) -> Floats:
        """As all factorisations, but some pairs at a time: the factors of all samples are many."""
        scores = np.empty(len(users), np.float32)
        block = max(1, SCORE_BLOCK // self.P_.shape[1])
        for start in range(0, len(users), block):
            pairs = slice(start, start + block)
            users_here = users[pairs]
            items_here = items[pairs]
            scores[pairs] = super().score(users_here, items_here)
        return scores


@dataclass(eq=False)
class MyFMMF(_GibbsFM):
    """r(u, i) = the mean over Gibbs samples of w0 + w_u + w_i + v_u . v_i.

    Bayesian probabilistic matrix factorisation (Salakhutdinov and Mnih 2008) with biases, as a
    factorisation machine over the ids of user and item: every parameter has a normal prior whose
    mean and precision, one per side and factor, are sampled as well, so there is no learning rate
    or regularisation to choose (Rendle 2012, libFM; factors are independent a priori there, while
    Salakhutdinov and Mnih have a full covariance). The last `n_kept_samples` of `n_iter` samples
    are averaged, all if there are no more. Users and items without ratings are drawn from the
    priors.

    Defaults: the library's 100 iterations, of which the first fifth is dropped, and a rank for
    small data; more of both does no harm but time: Rendle, Zhang and Koren (2019) outdo years of
    papers about MovieLens 10M with 512 of each.
    """

    name = "myfm-mf"
    origin = Origin("library", "myFM, and a rank for small data")
    rank: Annotated[Count, Search(2, 128, RENDLE_CUT, log=True)] = 10
    n_iter: Annotated[Count, Search(50, 512, RENDLE_2019, log=True)] = 100
    n_kept_samples: Count = 80

    def _n_features(self, train: Ratings) -> int:
        return train.n_users + train.n_items

    def convert(self, train: Ratings, catalogue: Catalogue) -> DesignMatrix:
        """One feature a user, one an item."""
        return DesignMatrix(
            train,
            of_users=identity(train.n_users, format="csr"),
            of_items=identity(train.n_items, format="csr"),
            group_shapes=[train.n_users, train.n_items],
        )


@dataclass(eq=False)
class MyFMFM(_GibbsFM):
    """`myfm-mf` with what the user has rated as features: SVD++ as a Bayesian machine.

    A user's features are its id and each item j it has rated in the training data, whatever the
    rating, with weight 1 / sqrt(how many) (Koren 2008; Rendle, Zhang and Koren 2019, who call it
    Bayesian SVD++). With `flipped` an item's features are, likewise, its id and the users who have
    rated it (their "SVD++ flipped", without time): on MovieLens 100k that lowers the error more
    than the user's features do, and costs a quarter to a half more time. Defaults: those of
    `myfm-mf`.
    """

    name = "myfm-fm"
    origin = Origin(
        "library", "myFM, and a rank for small data; flipped as in Rendle, Zhang and Koren 2019"
    )
    rank: Annotated[Count, Search(2, 128, RENDLE_CUT, log=True)] = 10
    n_iter: Annotated[Count, Search(50, 512, RENDLE_2019, log=True)] = 100
    n_kept_samples: Count = 80
    flipped: Annotated[bool, Choose(RENDLE_2019)] = True

    def _n_features(self, train: Ratings) -> int:
        n_of_users = train.n_users + train.n_items
        n_of_items = train.n_items
        if self.flipped:
            n_of_items += train.n_users
        return n_of_users + n_of_items

    def convert(self, train: Ratings, catalogue: Catalogue) -> DesignMatrix:
        """Ids, and who has rated what."""
        rated_items = matrix_of_likes(train, relevant_share=0.0)
        raters = rated_items.T.tocsr()
        if not self.flipped:
            raters = raters[:, :0]

        of_users, user_groups = _ids_and_rated(rated_items)
        of_items, item_groups = _ids_and_rated(raters)
        return DesignMatrix(train, of_users, of_items, user_groups + item_groups)


def _ids_and_rated(rated: csr_matrix) -> tuple[csr_matrix, list[int]]:
    """The features of each row, and how many there are in each of their groups.

    One feature is the row's own, then come those of `rated` scaled to a length of 1 a row. A group
    without features is left out.
    """
    n_rows, n_columns = rated.shape
    sums = rated.sum(axis=1)
    n_rated = np.asarray(sums, np.float64).ravel()
    lengths = np.sqrt(np.maximum(n_rated, 1))
    scaled = diags_array(1 / lengths) @ rated

    ids = identity(n_rows)
    features = csr_matrix(hstack([ids, scaled]))
    sizes = (n_rows, n_columns)
    return features, [size for size in sizes if size]

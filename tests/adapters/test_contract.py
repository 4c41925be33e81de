"""What every algorithm has to keep, whoever wrote it: one suite over `adapters.available()`, with
no list to keep.

Nothing here may skip: a library that is missing fails `test_its_libraries_are_installed`.
"""

import importlib
import random
import re
from dataclasses import fields, is_dataclass
from functools import cache
from inspect import cleandoc
from typing import Any, get_type_hints

import numpy as np
import pytest
from pydantic import TypeAdapter

from recbench.adapters import Recommender, available, create
from recbench.adapters.base import Floats
from recbench.adapters.shared.units import Units
from recbench.benchmarks.tuning.spaces import Interval, find_space, list_types
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.ratings import Catalogue, Ratings
from tests.conftest import ROOT

OWN = {
    name: adapter
    for name, adapter in available().items()
    if adapter.__module__.startswith("recbench.adapters.")
}
SCALES = [(1.0, 5.0), (0.5, 5.0), (-10.0, 10.0)]
LARGE = (120, 80)  # users and items
UNSEEN = 2  # users, and items, at the end of each index space that have no ratings

every = pytest.mark.parametrize("name", OWN)


def fitted_by_keras(name: str) -> bool:
    """Whether a fit begins with the compilation of a network, which takes a second."""
    return "keras" in OWN[name].requires


every_fitted = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if fitted_by_keras(name) else name for name in OWN],
)


def checkerboard(
    n_users: int = 60, n_items: int = 40, scale: tuple[float, float] = SCALES[0]
) -> Ratings:
    """Half of all pairs, shuffled; users of parity p love items of parity p and hate all others."""
    rng = np.random.default_rng(5)
    pairs = rng.permutation(n_users * n_items)[: max(1, n_users * n_items // 2)]
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, n_items))
    values = np.where(loved(users, items), scale[1], scale[0]).astype(np.float32)
    times = np.arange(len(pairs), dtype=np.int64)
    for column in (users, items, values, times):
        column.flags.writeable = False
    return Ratings(users, items, values, n_users + UNSEEN, n_items + UNSEEN, scale, times)


def loved(users: Any, items: Any) -> Any:
    return (users + items) % 2 == 0


def described(n_items: int) -> Catalogue:
    """A catalogue in which items of one parity share their genre, for algorithms that read it."""
    genres = (("Comedy",), ("War",))
    titles = tuple(f"The film of item {item}" for item in range(n_items))
    return Catalogue(titles, (None,) * n_items, tuple(genres[item % 2] for item in range(n_items)))


def planted_truth(train: Ratings) -> Floats:
    """`Dataset.truth` of a checkerboard, for the algorithm that sees it."""
    love = loved(np.arange(train.n_users)[:, None], np.arange(train.n_items)).astype(np.float32)
    lowest, highest = train.scale
    return np.stack([lowest + love * (highest - lowest), np.full_like(love, 0.5), love]).astype(
        np.float32
    )


def fit(algorithm: Recommender, train: Ratings, seed: int = 0) -> None:
    """As the bench fits."""
    if algorithm.sees_truth:
        algorithm.truth_ = planted_truth(train)
    given = Units.choose(algorithm, train.scale).convert_ratings(train)
    algorithm.prepare(given)
    catalogue = described(train.n_items)
    assert algorithm.skip(given, catalogue, memory_mb=4096) is None
    random.seed(seed)
    np.random.seed(seed)
    algorithm.fit(algorithm.convert(given, catalogue), seed)


def predict(algorithm: Recommender, train: Ratings) -> Floats:
    """The ratings that it predicts for every pair, as the bench has them: in the data's unit."""
    return Units.choose(algorithm, train.scale).restore_scores(scores(algorithm, train)[0])


def fitted(name: str, train: Ratings) -> Recommender:
    algorithm = create(name)
    fit(algorithm, train)
    return algorithm


@cache
def learned(name: str) -> tuple[Recommender, Ratings]:
    """One fit at the defaults, shared by the tests that only look at it.

    The board is large enough that none can reproduce it by heart. Its scale is that of half stars.
    """
    train = checkerboard(*LARGE, scale=SCALES[1])
    return fitted(name, train), train


def scores(algorithm: Recommender, train: Ratings) -> tuple[Floats, Floats]:
    """`score` of every pair of the index space, and `score_items` of every user; their form is
    checked.
    """
    users, items = (
        column.astype(np.int32)
        for column in np.indices((train.n_users, train.n_items)).reshape(2, -1)
    )
    everybody = np.arange(train.n_users, dtype=np.int32)
    for column in (users, items, everybody):
        column.flags.writeable = False
    shape = (train.n_users, train.n_items)
    pairs = algorithm.score(users, items)
    grid = algorithm.score_items(everybody)
    assert (
        isinstance(pairs, np.ndarray) and pairs.dtype == np.float32 and pairs.shape == users.shape
    )
    assert isinstance(grid, np.ndarray) and grid.dtype == np.float32 and grid.shape == shape
    for answers in (pairs, grid):
        assert not np.isinf(answers).any()
        assert algorithm.abstains or not np.isnan(answers).any()
    return pairs.reshape(shape).copy(), grid.copy()


def assert_alike(pairs: Floats, grid: Floats) -> None:
    tolerance = 1e-5 * max(1.0, float(np.nanmax(np.abs(pairs), initial=0)))
    np.testing.assert_allclose(grid, pairs, rtol=0, atol=tolerance)


# What it says of itself


@every
def test_it_declares_itself(name: str) -> None:
    adapter = OWN[name]
    assert is_dataclass(adapter) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert adapter.family and adapter.predicts in ("ratings", "order") and adapter.revision >= 1
    documented = cleandoc(adapter.__doc__ or "")
    assert not documented.startswith(f"{adapter.__name__}("), (
        "the docstring is the one that @dataclass makes"
    )
    first = documented.partition("\n")[0]
    assert 20 <= len(first) <= 118, "the first line of the docstring should say what is computed"


def test_whoever_has_epochs_declares_which_hyperparameter_counts_them() -> None:
    counting = {"epochs", "n_epochs", "iterations", "n_iter"}  # what algorithms here call it
    for name, adapter in OWN.items():
        own = counting & {field.name for field in fields(adapter)}  # type: ignore[arg-type]
        declared = adapter.epochs_hyperparameter
        assert own == (set() if declared is None else {declared}), name


@every
def test_whoever_has_numbers_says_where_to_search_and_why_there(name: str) -> None:
    adapter = OWN[name]
    hints = get_type_hints(adapter, include_extras=True)
    numeric = {
        field.name
        for field in fields(adapter)  # type: ignore[arg-type]
        if {int, float} & set(list_types(hints[field.name]))
    }
    space = find_space(adapter)
    assert bool(space) >= bool(numeric), "only who has no number has nothing to tune"

    for field, dimension in space.items():
        default = getattr(create(name), field)
        assert re.search(r"here: \w|\b(19|20)\d\d\b|'s? ", dimension.source), "say where it is from"
        if not isinstance(dimension, Interval):
            assert dimension.holds(default)
            for option in dimension.values:
                create(name, {field: option})
            continue
        for end in (dimension.lowest, dimension.highest):
            value = int(end) if dimension.is_whole else float(end)
            assert dimension.holds(value)
            create(name, {field: value})  # both ends are valid
        if default is not None and default != 0:
            assert dimension.holds(default), f"{field}: the default lies outside of the space"


@every
def test_its_docstring_names_a_source_and_the_origin_of_its_defaults(name: str) -> None:
    adapter = OWN[name]
    documented = OWN[name].__doc__ or ""
    if adapter.family in ("baseline", "oracle"):
        return  # their formula says it all
    assert re.search(r"\b(19|20)\d\d\b|notebook", documented), (
        "name the paper, or where it comes from"
    )
    if fields(adapter):  # type: ignore[arg-type]
        assert re.search(r"default|notebook", documented, re.IGNORECASE), (
            "say where the default parameters come from"
        )


@every
def test_it_declares_the_origin_of_its_defaults(name: str) -> None:
    """What was tuned names hyperparameters, data, part and budget; nothing to choose is no number
    that acts.
    """
    origin = OWN[name].origin
    assert origin is not None, "say in `origin` where the defaults come from"
    assert set(origin.chosen) <= set(parameters_of(OWN[name]))
    assert bool(origin.data) == bool(origin.chosen)
    assert bool(origin.part) == bool(origin.budget) == (origin.kind == "tuned here")
    if origin.kind == "tuned here":
        assert origin.data
    elif origin.kind != "none":
        assert origin.source
    if origin.kind == "none":
        values = {
            parameter: getattr(create(name), parameter) for parameter in parameters_of(OWN[name])
        }
        values.pop("relevant_share", None)  # the bench's own threshold of what is liked
        assert not [value for value in values.values() if type(value) in (int, float) and value]


@every_fitted
def test_its_libraries_are_installed(name: str) -> None:
    """The audit: an algorithm that cannot be tried is a failure here, never a skipped test."""
    for module in OWN[name].requires:
        importlib.import_module(module)


def test_no_test_is_skipped_because_a_library_of_an_adapter_is_missing() -> None:
    required = {module for adapter in OWN.values() for module in adapter.requires}
    shortcut = re.compile(r"import" + r"orskip\(\W*(\w*)")
    skipping = {
        path.name: set(shortcut.findall(path.read_text()))
        for path in sorted((ROOT / "tests").rglob("*.py"))
    }
    assert {"distributed"} >= set().union(*skipping.values()), "what `make cluster` installs"
    assert not [name for name, modules in skipping.items() if modules & required]


# What its hyperparameters accept


def parameters_of(adapter: type[Recommender]) -> list[str]:
    return [field.name for field in fields(adapter)]  # type: ignore[arg-type]


PARAMETERS = [
    (name, parameter) for name, adapter in OWN.items() for parameter in parameters_of(adapter)
]


def alternatives(adapter: type[Recommender], parameter: str) -> list[dict[str, Any]]:
    """What the annotation allows, as JSON schemas; more than one for a union."""
    schema = TypeAdapter(get_type_hints(adapter, include_extras=True)[parameter]).json_schema()
    return list(schema.get("anyOf", [schema]))


def unfit(allowed: list[dict[str, Any]]) -> list[Any]:
    """Values that none of the `allowed` alternatives takes: of another type, and just outside of
    every bound.
    """
    types = {schema.get("type") for schema in allowed}
    bad: list[Any] = ["?!", {}, object()]
    if types & {"integer", "number"}:
        bad += ["many", "nan", "inf"]
    if "integer" in types and "number" not in types:
        bad += ["1.5"]
    for schema in allowed:
        bad += [schema[bound] - 1 for bound in ("minimum",) if bound in schema]
        bad += [schema[bound] + 1 for bound in ("maximum",) if bound in schema]
        bad += [
            schema[bound] for bound in ("exclusiveMinimum", "exclusiveMaximum") if bound in schema
        ]
    return bad


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_bad_hyperparameter_is_refused_in_words(name: str, parameter: str) -> None:
    for value in unfit(alternatives(OWN[name], parameter)):
        with pytest.raises(UsageError, match=rf"(?s)^{name}: {parameter}=.* does not fit: \w+"):
            create(name, {parameter: value})


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_hyperparameter_has_bounds_and_its_default_keeps_them(name: str, parameter: str) -> None:
    for schema in alternatives(OWN[name], parameter):
        if schema.get("type") in ("integer", "number"):
            assert {"minimum", "exclusiveMinimum", "enum", "const"} & set(schema), (
                "give it a lower bound"
            )
        if schema.get("type") == "string":
            assert {"pattern", "enum", "const"} & set(schema), (
                "make it a Literal, or give it a pattern"
            )
    default = getattr(create(name), parameter)
    assert getattr(create(name, {parameter: default}), parameter) == default


@every
def test_an_unknown_hyperparameter_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no_such_parameter"):
        create(name, {"no_such_parameter": 1})


# What it answers


@every_fitted
def test_all_items_are_scored_as_pairs_are(name: str) -> None:
    algorithm, train = learned(name)
    pairs, grid = scores(algorithm, train)
    if (
        not algorithm.sees_truth
    ):  # the oracle ranks by other odds than those that make the best rating
        assert_alike(pairs, grid)


@every_fitted
def test_the_same_seed_gives_the_same_numbers_even_from_a_used_instance(name: str) -> None:
    """Fitted once before, to a board on a scale from -10 to 10; its inputs stay as they are."""
    used = create(name)
    wide = checkerboard(*LARGE, scale=SCALES[2])
    train = checkerboard(*LARGE, scale=SCALES[1])
    fit(used, wide, seed=1)
    if used.predicts == "ratings":
        assert_near(predict(used, wide), wide.scale)
    columns = [
        column
        for column in (train.users, train.items, train.values, train.times)
        if column is not None
    ]
    before = [column.copy() for column in columns]
    fit(used, train)
    again = scores(used, train)
    once = scores(*learned(name))
    if used.nondeterminism() is None:
        np.testing.assert_array_equal(again, once)
    for column, copy in zip(columns, before, strict=True):
        np.testing.assert_array_equal(column, copy)


@every_fitted
def test_ratings_are_predicted_near_the_scale(name: str) -> None:
    algorithm, train = learned(name)
    if algorithm.predicts == "ratings":
        assert_near(predict(algorithm, train), train.scale)


def assert_near(predicted: Floats, scale: tuple[float, float]) -> None:
    """Nine of ten predictions are within the scale and half its width around it."""
    margin = (scale[1] - scale[0]) / 2
    near = (predicted >= scale[0] - margin) & (predicted <= scale[1] + margin)
    assert near[~np.isnan(predicted)].mean() >= 0.9


@every_fitted
@pytest.mark.parametrize("case", ["one user", "one item", "one rating", "nothing liked"])
def test_next_to_no_data(name: str, case: str) -> None:
    sizes = {
        "one user": (1, 12),
        "one item": (12, 1),
        "one rating": (1, 1),
        "nothing liked": (12, 8),
    }
    board = checkerboard(*sizes[case])
    values = np.full(len(board), 1, np.float32) if case == "nothing liked" else board.values
    train = Ratings(
        board.users, board.items, values, board.n_users, board.n_items, board.scale, board.times
    )
    algorithm = fitted(name, train)
    pairs, grid = scores(algorithm, train)
    if not algorithm.sees_truth:
        assert_alike(pairs, grid)


@every_fitted
def test_it_finds_the_planted_taste(name: str) -> None:
    """Of the pairs that it has not seen, each user's loved ones should rank first: an AUC of 1, of
    .5 by chance.

    At the defaults.
    """
    algorithm, train = learned(name)
    _, ranked = scores(algorithm, train)
    if algorithm.personal and algorithm.family != "baseline":
        assert area_under_curve(ranked[:-UNSEEN, :-UNSEEN], train) > 0.8


def area_under_curve(ranked: Floats, train: Ratings) -> float:
    """The chance that a loved item ranks before a hated one of the same user, neither in `train`;
    their mean.
    """
    unseen = np.ones(ranked.shape, np.bool_)
    unseen[train.users, train.items] = False
    love = loved(*np.indices(ranked.shape))
    wins = []
    for row, new, good in zip(ranked, unseen, love, strict=True):
        better = row[new & good, None]
        worse = row[new & ~good]
        wins.append(((better > worse) + (better == worse) / 2).mean())
    return float(np.mean(wins))


# What it says of users it has not seen

FOLDING_IN = [name for name, adapter in OWN.items() if adapter.folds_in()]

# Those whose answers about a training user rest on more than that user's own ratings and on what
# was learned of items: these cannot come out of the ratings alone.
OTHERWISE_IN_TRAINING = {
    "random": "goes by the index of the user",
    "cosine-user": "in training, nobody is their own neighbour",
    "cosine-user-centred": "in training, nobody is their own neighbour",
    "als": "the last half step of a fit is that of the items",
    "ials": "the last half step of a fit is that of the items",
    "implicit-als": "steps of conjugate gradients, and the last is that of the items",
    "keras-autorec": "descends with all users at once, and not to the end",
}

every_folding_in = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if fitted_by_keras(name) else name
        for name in FOLDING_IN
    ],
)


def unseen_users(train: Ratings, n: int = 7) -> Ratings:
    """Some ratings of `n` new users with tastes of both parities; the last has none."""
    rng = np.random.default_rng(9)
    pairs = rng.permutation((n - 1) * (train.n_items - UNSEEN))[: 8 * n]
    users, items = (column.astype(np.int32) for column in np.divmod(pairs, train.n_items - UNSEEN))
    values = np.where(loved(users, items), train.scale[1], train.scale[0]).astype(np.float32)
    times = np.arange(len(pairs), dtype=np.int64)
    return Ratings(users, items, values, n, train.n_items, train.scale, times)


def own_ratings(ratings: Ratings, users: Any) -> Ratings:
    """The ratings of some users, who are numbered anew in this order."""
    place = np.full(ratings.n_users, -1, np.int32)
    place[users] = np.arange(len(users))
    part = ratings.take(place[ratings.users] >= 0)
    return Ratings(
        place[part.users],
        part.items,
        part.values,
        len(users),
        part.n_items,
        part.scale,
        part.times,
    )


def contents(thing: Any) -> Any:
    """What an attribute holds, to be compared: arrays as bytes, sparse matrices as their arrays."""
    if isinstance(thing, np.ndarray):
        return thing.shape, thing.tobytes()
    if hasattr(thing, "indptr"):
        return contents(thing.data), contents(thing.indices), contents(thing.indptr)
    if hasattr(thing, "get_weights"):
        return [contents(weights) for weights in thing.get_weights()]
    return repr(thing)


def test_who_answers_new_users_is_who_should() -> None:
    """A change of this list is a change of what the bench can compare on new users."""
    assert sorted(FOLDING_IN) == [
        "als", "cosine-user", "cosine-user-centred", "ease", "global-mean", "ials", "implicit-als",
        "item-knn", "item-mean", "keras-autorec", "popularity", "pure-svd", "random", "rp3beta",
        "sar", "slim", "tfidf-content", "user-item-bias", "user-mean", "weighted-mean",
    ]  # fmt: skip
    with pytest.raises(NotImplementedError, match="bpr cannot answer users it has not seen"):
        create("bpr").fold_in(checkerboard())


@every_folding_in
def test_folding_in_changes_nothing_and_users_do_not_mix(name: str) -> None:
    """The model is the same to the bit, and so is what it is asked; one by one as all together, and
    as from a model that was kept.
    """
    algorithm, train = learned(name)
    new = Units.choose(algorithm, train.scale).convert_ratings(unseen_users(train))
    before = {key: contents(value) for key, value in vars(algorithm).items()}
    columns = contents(new.users), contents(new.items), contents(new.values)

    together = algorithm.fold_in(new)
    assert isinstance(together, np.ndarray) and together.dtype == np.float32
    assert together.shape == (new.n_users, train.n_items)
    assert np.isfinite(together).all()

    alone = [algorithm.fold_in(own_ratings(new, [user])) for user in range(new.n_users)]
    assert_alike(np.concatenate(alone), together)

    assert before == {key: contents(value) for key, value in vars(algorithm).items()}
    assert columns == (contents(new.users), contents(new.items), contents(new.values))
    assert_alike(together, algorithm.fold_in(new))

    kept = create(name)
    kept.prepare(train)
    kept.restore(algorithm.state())
    np.testing.assert_array_equal(kept.fold_in(new), together)


@every_folding_in
def test_a_training_users_own_ratings_give_the_scores_of_training(name: str) -> None:
    algorithm, train = learned(name)
    users = np.array([5, 3, 40, train.n_users - 1], np.int32)  # the last has no ratings
    given = Units.choose(algorithm, train.scale).convert_ratings(train)
    folded_in = algorithm.fold_in(own_ratings(given, users))
    if name not in OTHERWISE_IN_TRAINING:
        assert_alike(algorithm.score_items(users), folded_in)
    elif name != "random":
        alike = np.corrcoef(algorithm.score_items(users[:3]).ravel(), folded_in[:3].ravel())
        assert alike[0, 1] > 0.8, OTHERWISE_IN_TRAINING[name]

"""What every algorithm has to keep, whoever wrote it: one suite over `adapters.available()`, with
no list to keep.

Nothing here may skip: a library that is missing fails `test_its_libraries_are_installed`.
"""

import importlib
import re
from dataclasses import fields, is_dataclass
from functools import cache
from inspect import cleandoc
from typing import Any, get_type_hints

import numpy as np
import pytest
from pydantic import TypeAdapter

from recbench.adapters import Recommender, create
from recbench.adapters.base import Floats
from recbench.adapters.conformance import (
    LARGE,
    LAWS,
    SCALES,
    Law,
    Student,
    checkerboard,
    draw_new_users,
    fit_to_board,
    judge_adapter,
    take_users,
)
from recbench.adapters.shared.units import Units
from recbench.benchmarks.tuning.spaces import Interval, find_space, list_types
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.ratings import Ratings
from tests.adapters.own import own_adapters
from tests.conftest import ROOT

OWN = own_adapters()
every = pytest.mark.parametrize("name", OWN)


def fitted_by_keras(name: str) -> bool:
    """Whether a fit begins with the compilation of a network, which takes a second."""
    return "keras" in OWN[name].requires


every_fitted = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if fitted_by_keras(name) else name for name in OWN],
)


def fit(algorithm: Recommender, train: Ratings, seed: int = 0) -> None:
    """As the bench fits."""
    assert fit_to_board(algorithm, train, seed) is None


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
    usual = [adapter for adapter in OWN.values() if adapter.install is None]
    required = {module for adapter in usual for module in adapter.requires}
    shortcut = re.compile(r"import" + r"orskip\(\W*(\w*)")
    skipping = {
        path.name: set(shortcut.findall(path.read_text()))
        for path in sorted((ROOT / "tests").rglob("*.py"))
    }
    optional = {"distributed", "pyspark"}  # what `make cluster` and `make spark` install
    assert optional >= set().union(*skipping.values())
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


# What it answers: the laws that are shipped for authors


@cache
def student(name: str) -> Student:
    """With the fit that `learned` gives, so that there is one."""
    one = Student(name)
    one.learned, one.train = learned(name)
    return one


@every_fitted
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.ask.__name__.strip("_"))
def test_it_keeps_the_law(name: str, law: Law) -> None:
    verdict = judge_adapter(student(name), law)
    assert not verdict.is_broken, verdict.reason


def test_no_law_is_passed_over_but_for_a_reason() -> None:
    """An oracle ranks by other odds; races, baselines and who has no `fold_in` are excused."""
    excused = {
        name: [verdict.law.ask.__name__ for verdict in verdicts if verdict.status == "not asked"]
        for name in ("als", "ease", "popularity")
        for verdicts in [[judge_adapter(student(name), law) for law in LAWS]]
    }
    assert excused == {
        "als": [],
        "ease": ["_predicts_near_the_scale"],
        "popularity": ["_predicts_near_the_scale", "_finds_the_planted_taste"],
    }


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
    new = Units.choose(algorithm, train.scale).convert_ratings(draw_new_users(train))
    before = {key: contents(value) for key, value in vars(algorithm).items()}
    columns = contents(new.users), contents(new.items), contents(new.values)

    together = algorithm.fold_in(new)
    assert isinstance(together, np.ndarray) and together.dtype == np.float32
    assert together.shape == (new.n_users, train.n_items)
    assert np.isfinite(together).all()

    alone = [algorithm.fold_in(take_users(new, [user])) for user in range(new.n_users)]
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
    folded_in = algorithm.fold_in(take_users(given, users))
    if name not in OTHERWISE_IN_TRAINING:
        assert_alike(algorithm.score_items(users), folded_in)
    elif name != "random":
        alike = np.corrcoef(algorithm.score_items(users[:3]).ravel(), folded_in[:3].ravel())
        assert alike[0, 1] > 0.8, OTHERWISE_IN_TRAINING[name]

"""Models that are damaged, foreign, newer or of another algorithm are refused with a sentence, and
what a plug-in cannot have saved is said.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.sparse import csc_matrix

import recbench
from recbench.adapters import Recommender
from recbench.adapters.base import Floats, Indices
from recbench.benchmarks.models.state import (
    PackedState,
    Unrestorable,
    Unsavable,
    pack_state,
    unpack_state,
)
from recbench.datasets import UsageError
from recbench.datasets.ratings import Ratings
from tests.benchmarks.models.conftest import Shop


@pytest.fixture
def model(shop: Shop, tmp_path: Path) -> Path:
    """A model that may be edited."""
    return Path(shutil.copytree(shop.model("ease"), tmp_path / "model"))


def edit(model: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = model / "model.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def update_files(digests: dict[str, str], content: dict[str, Any]) -> None:
    content["files"] |= digests


def refused(model: Path) -> str:
    with pytest.raises(UsageError) as caught:
        recbench.load_model(model)
    return str(caught.value)


def test_what_is_no_model_is_refused(shop: Shop, tmp_path: Path) -> None:
    assert "holds no model: expected" in refused(tmp_path)
    assert "is a run and no model: make one of it with" in refused(shop.run)
    (tmp_path / "model.json").write_text('{"format": 1}')
    assert "is no model of this bench" in refused(tmp_path)
    (tmp_path / "model.json").write_text("[1, 2")
    assert "is damaged" in refused(tmp_path)


@pytest.mark.parametrize("name", ["state.npz", "ratings.npz", "users.parquet", "items.parquet"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_file_that_is_not_what_was_written_is_refused(name: str, how: str, model: Path) -> None:
    path = model / name
    content = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:-7])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    said = refused(model)
    assert name in said and "is damaged" in said and "Train the model again" in said


def test_a_damaged_file_with_a_new_sum_is_refused_as_well(model: Path) -> None:
    for name in ("state.npz", "users.parquet"):
        path = model / name
        path.write_bytes(path.read_bytes()[:-20])
        digests = {name: hashlib.sha256(path.read_bytes()).hexdigest()}
        edit(model, partial(update_files, digests))
        assert "is damaged" in refused(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "a newer recbench wrote it"),
        ({"algorithm": "gone-away"}, "--plugin"),
        ({"revision": 99}, "gives other numbers"),
        ({"parameters": {"no_such": 1}}, "no_such"),
        ({"parameters": {"regularisation": -1}}, "does not fit"),
        ({"training": 3}, "is damaged: training"),
        ({"state": {"W_": {"array": "no such"}}}, "what was learned is not what ease has"),
        ({"algorithm": "als", "parameters": {}}, "what was learned is not what als has"),
    ],
)
def test_what_model_json_says_has_to_fit(change: dict[str, Any], message: str, model: Path) -> None:
    edit(model, lambda content: content.update(change))
    assert message in refused(model)


def test_other_numbers_of_users_are_refused(model: Path) -> None:
    def forget_a_user(content: dict[str, Any]) -> None:
        content["data"]["users"] -= 1

    edit(model, forget_a_user)
    assert "79 users" in refused(model) and "80" in refused(model)


def test_verify_checks_a_model_and_its_data(shop: Shop, model: Path) -> None:
    result = shop.verify(model)
    assert result.exit_code == 0, result.output
    assert "bit for bit" in result.output
    assert "1,500 ratings and all ids are those of table:" in result.output
    assert "All as it should be." in result.output

    edit(model, lambda content: content.update(probe="0" * 64))
    edited = shop.verify(model, "--without-data")
    assert edited.exit_code == 1
    assert "not those of the fitted algorithm" in edited.output


@dataclass(frozen=True)
class Pair:
    """A small dataclass in a state."""

    first: Any
    second: Any


@dataclass(eq=False)
class Tinkered(Recommender):
    """The mean of all ratings, with whatever a test leaves on it. No adapter: it has no name."""

    family: ClassVar[str] = "baseline"
    predicts = "ratings"

    def fit(self, data: Ratings, seed: int) -> None:
        self.mean_ = np.float32(data.mean)

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.full(len(users), self.mean_)


def tinkered(**attributes: Any) -> Tinkered:
    algorithm = Tinkered()
    for name, value in attributes.items():
        setattr(algorithm, name, value)
    return algorithm


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a name while it is packed, so that messages can say it, and is no adapter else."""
    monkeypatch.setattr(Tinkered, "name", "tinkered", raising=False)


def test_a_state_comes_back_as_it_was() -> None:
    shared = np.arange(3)
    state = {
        "text_": "gewöhnlich",
        "nothing_": None,
        "truth_of_it_": True,
        "whole_": 7,
        "number_": 0.1,
        "infinite_": float("-inf"),
        "single_": np.float32(0.1),
        "columns_": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "texts_": np.array(["a", "ünlike"]),
        "sparse_": csc_matrix(np.eye(3)),
        "list_": [1, [2.5, None]],
        "tuple_": (shared, shared),
        "by_name_": {"a b": shared},
        "pair_": Pair(shared, Pair("x", 1)),
    }
    packed = pack_state(tinkered(**state))
    assert len(packed.arrays) == 3 + 3 + 1, "three arrays, those of the matrix, and the shared one"
    outline = json.loads(json.dumps(packed.outline, allow_nan=False))
    restored = Tinkered()
    unpack_state(restored, PackedState(outline, packed.arrays))
    for name, value in state.items():
        got = getattr(restored, name)
        if name == "sparse_":
            assert type(got) is csc_matrix and (got != value).nnz == 0
        else:
            assert type(got) is type(value)
            assert repr(got) == repr(value)
    assert restored.columns_.flags.f_contiguous  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"weights": np.ones(2)}, "fit has left weights, and only .* call it weights_"),
        ({"model_": object()}, "model_ is object, and a model holds"),
        ({"model_": [np.array([None])]}, r"model_\.0 is an array of object"),
        ({"by_number_": {1: 2}}, "by_number_ is dict"),
    ],
)
def test_what_cannot_be_kept_is_named_with_what_to_do(
    attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(Unsavable, match=message):
        pack_state(tinkered(**attributes))


def test_no_class_is_made_that_the_module_of_the_algorithm_does_not_know() -> None:
    for name in ("Popen", "Path", "os.system", "Tinkered", "Ratings.take"):
        outline: dict[str, Any] = {"x_": {"class": name, "fields": {}}}
        with pytest.raises(Unrestorable, match="knows no class"):
            unpack_state(Tinkered(), PackedState(outline, {}))

"""What an algorithm has learned as JSON and plain arrays, and back. Nothing is executed.

The JSON is an outline: where each attribute's arrays are, and the small values themselves. A class
is only ever looked up by its name in the modules of the algorithm, never imported.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import Recommender
from recbench.datasets.foundation import UsageError

Outline: TypeAlias = Any  # a value that JSON has, see `_Packer.pack`
Arrays: TypeAlias = dict[str, NDArray[Any]]

KINDS_OF_VALUES = "biufU"  # truths, whole numbers, numbers and texts, as NumPy calls them
SPARSE = ("csr_matrix", "csc_matrix", "csr_array", "csc_array")
PARTS_OF_SPARSE = ("data", "indices", "indptr")

# What the bench, or Python itself, leaves on an instance
NOT_LEARNED = {"threads"}


class Unsavable(UsageError):
    """What an algorithm has learned cannot be written as plain arrays."""


class Unrestorable(ValueError):
    """An outline and arrays that are no state of this algorithm."""


@dataclass(frozen=True)
class PackedState:
    """What an algorithm has learned: an outline that JSON can hold, and its arrays by name."""

    outline: dict[str, Outline]
    arrays: Arrays


def pack_state(algorithm: Recommender) -> PackedState:
    """The state of a fitted algorithm.

    Unsavable, with what is missing or cannot be kept, and what to do.
    """
    if algorithm.unsaved is not None:
        raise Unsavable(f"{algorithm.name} cannot be saved: {algorithm.unsaved}")
    _refuse_what_is_left_out(algorithm)

    packer = _Packer(algorithm.name)
    outline = {name: packer.pack(name, value) for name, value in algorithm.state().items()}
    return PackedState(outline, packer.arrays)


def unpack_state(algorithm: Recommender, packed: PackedState) -> None:
    """Give an algorithm, made with the same hyperparameters, what `pack_state` has kept.

    Unrestorable if it does not fit the algorithm.
    """
    unpacker = _Unpacker(packed.arrays, type(algorithm))
    try:
        state = {name: unpacker.unpack(value) for name, value in packed.outline.items()}
        algorithm.restore(state)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Unrestorable(f"{type(error).__name__}: {error}") from None


def _refuse_what_is_left_out(algorithm: Recommender) -> None:
    """Unsavable if `fit` left attributes that are no part of the state.

    Who overrides `state` knows what it does.
    """
    cls = type(algorithm)
    if cls.state is not Recommender.state:
        return

    known = {field.name for field in fields(algorithm)} | NOT_LEARNED  # type: ignore[arg-type]
    left = [
        name
        for name in vars(algorithm)
        if name not in known
        and not name.endswith("_")
        and not isinstance(getattr(cls, name, None), cached_property)
    ]
    if left:
        name = left[0]
        raise Unsavable(
            f"{algorithm.name} cannot be saved: fit has left {', '.join(left)}, and only "
            f"attributes that end in _ are kept: call it {name}_, or override `state` and "
            "`restore`, see adapters/base.py"
        )


class _Packer:
    """Writes values down, and collects the arrays that they hold."""

    def __init__(self, name: str) -> None:
        self.arrays: Arrays = {}
        self._name = name  # of the algorithm
        self._known: dict[int, str] = {}  # arrays that two values share are kept once
        self._held: list[Any] = []  # so that no other object gets the identity of one

    def pack(self, place: str, value: Any) -> Outline:
        """The outline of `value`, whose arrays are called after `place`."""
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, np.ndarray | np.generic):
            return {"array": self._keep_array(place, value)}
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return {"float": repr(value)}
        if type(value).__name__ in SPARSE and type(value).__module__.startswith("scipy.sparse"):
            parts = {
                part: self._keep_array(f"{place}.{part}", getattr(value, part))
                for part in PARTS_OF_SPARSE
            }
            return {"sparse": type(value).__name__, "shape": list(value.shape), "parts": parts}
        if is_dataclass(value) and not isinstance(value, type):
            named = {field.name: getattr(value, field.name) for field in fields(value)}
            return {"class": type(value).__qualname__, "fields": self._pack_named(place, named)}
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            named = value._asdict()
            return {"class": type(value).__qualname__, "fields": self._pack_named(place, named)}
        if isinstance(value, list | tuple):
            items = [self.pack(f"{place}.{number}", item) for number, item in enumerate(value)]
            return {type(value).__name__: items}
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {"dict": self._pack_named(place, value)}
        raise self._refusal(place, type(value).__qualname__)

    def _pack_named(self, place: str, named: Mapping[str, Any]) -> dict[str, Outline]:
        return {name: self.pack(f"{place}.{name}", value) for name, value in named.items()}

    def _keep_array(self, place: str, value: NDArray[Any] | np.generic) -> str:
        """The name under which the array is kept."""
        if id(value) in self._known:
            return self._known[id(value)]
        array = np.asarray(value)
        if array.dtype.kind not in KINDS_OF_VALUES:
            raise self._refusal(place, f"an array of {array.dtype}")

        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        self.arrays[place] = array
        self._known[id(value)] = place
        self._held.append(value)
        return place

    def _refusal(self, place: str, kind: str) -> Unsavable:
        return Unsavable(
            f"{self._name} cannot be saved: {place} is {kind}, and a model holds arrays of numbers "
            "or texts, scipy's sparse matrices (csr and csc), numbers, texts, truths and None, and "
            "lists, tuples, dictionaries and dataclasses of these: override `state` and `restore`, "
            "or say in `unsaved` why it cannot be, see adapters/base.py"
        )


class _Unpacker:
    """Reads values that `_Packer` has written down."""

    def __init__(self, arrays: Arrays, adapter: type[Recommender]) -> None:
        self._arrays = arrays
        self._adapter = adapter

    def unpack(self, outline: Outline) -> Any:
        """The value; KeyError, TypeError or ValueError for what is no outline."""
        if outline is None or isinstance(outline, bool | str | int):
            return outline
        if not isinstance(outline, dict):
            raise TypeError(f"expected an outline, got {outline!r}")

        match outline:
            case {"array": name}:
                array = self._arrays[name]
                return array if array.ndim else array[()]
            case {"float": text}:
                return float(text)
            case {"sparse": kind, "shape": shape, "parts": parts}:
                return self._unpack_sparse(kind, shape, parts)
            case {"class": name, "fields": named}:
                return self._find_class(name)(**self._unpack_named(named))
            case {"list": items}:
                return [self.unpack(item) for item in items]
            case {"tuple": items}:
                return tuple(self.unpack(item) for item in items)
            case {"dict": named}:
                return self._unpack_named(named)
        raise ValueError(f"expected an outline, got one with {', '.join(map(str, outline))}")

    def _unpack_named(self, named: Mapping[str, Outline]) -> dict[str, Any]:
        return {name: self.unpack(value) for name, value in named.items()}

    def _unpack_sparse(self, kind: str, shape: list[int], parts: Mapping[str, str]) -> Any:
        """The sparse matrix; ValueError if its parts do not fit together."""
        from scipy import sparse

        if kind not in SPARSE:
            raise ValueError(f"expected one of {', '.join(SPARSE)}, got {kind!r}")
        data, indices, indptr = (self._arrays[parts[part]] for part in PARTS_OF_SPARSE)
        matrix = getattr(sparse, kind)((data, indices, indptr), tuple(shape))
        matrix.check_format(full_check=True)
        return matrix

    def _find_class(self, name: str) -> type[Any]:
        """The dataclass or NamedTuple so called in a module of the algorithm's classes.

        ValueError if there is none: no other class is made.
        """
        for cls in self._adapter.__mro__:
            candidate = vars(sys.modules[cls.__module__]).get(name)
            if not isinstance(candidate, type) or issubclass(candidate, Recommender):
                continue
            if is_dataclass(candidate) or hasattr(candidate, "_asdict"):
                return candidate
        raise ValueError(f"{self._adapter.__name__} knows no class {name!r}")

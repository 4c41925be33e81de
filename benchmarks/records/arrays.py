"""Arrays in the .npz files of a run, read as what a stranger may have made.

NumPy makes room for whatever an array's header promises, and zip files may hold anything.
"""

import math
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from recbench.datasets.foundation import Expansion

ENDING = ".npy"
# How an array of truth values, numbers or texts begins, in version 1.0 of NumPy's format
START = b"\x93NUMPY\x01\x00"
LENGTH_BYTES = 2  # of the length of the header
HEADER = re.compile(
    rb"\{'descr': '(?P<type>[<>|][biufU]\d+)', 'fortran_order': (?P<in_columns>True|False), "
    rb"'shape': \((?P<shape>[\d, ]*)\), \}\s*"
)

# Kinds of values and number of axes, by what an array is called behind its protocol
FORMS = {
    "scores": ("f", 1),
    "users": ("iu", 1),
    "top_items": ("iu", 2),
    "ranks": ("iu", 2),
    "auc": ("f", 1),
    "share_users": ("iu", 1),
    "share_columns": ("U", 1),
    "share_sums": ("f", 2),
    "share_weights": ("f", 2),
}
SHARES = {"share_users", "share_columns", "share_sums", "share_weights"}

# What reading a damaged or foreign file raises, for a message of one's own
UNREADABLE_ARRAYS = (
    OSError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # an unknown way of packing
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_arrays(path: Path, names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays in the file at `path` by name, or those of `names`.

    One of UNREADABLE_ARRAYS for a file that is no such thing, or damaged. What the file says of
    sizes is checked before memory is spent: ValueError if an array is not as long as it says,
    UsageError, which is one, if the file unpacks to more than its size allows.
    """
    expansion = Expansion(str(path), path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(ENDING): info for info in archive.infolist()}
        if len(members) < len(archive.infolist()):
            raise ValueError("an array stands in it twice")

        arrays = {}
        for name in names or members:
            info = members[name]
            expansion.add(info.file_size)
            with archive.open(info) as stream:
                arrays[name] = _read_array(stream, info.file_size, name)
                if stream.read(1):  # and the sum of the whole is checked at the end
                    raise ValueError(f"{name} holds more than its array")
    for name, array in arrays.items():
        _check_form(name, array)
    _check_shares(arrays)
    return arrays


def _check_form(name: str, array: NDArray[Any]) -> None:
    """ValueError if an array of answers has other values, or more or fewer axes, than its kind."""
    kind = name.rpartition(":")[2]  # without the protocol
    if kind not in FORMS or array.size == 0:
        return
    kinds, n_axes = FORMS[kind]
    if array.dtype.kind not in kinds or array.ndim != n_axes:
        raise ValueError(f"{name} has values {array.dtype} of shape {array.shape}")


def _check_shares(arrays: Mapping[str, NDArray[Any]]) -> None:
    """ValueError unless users and columns of the shares, where all are there, fit the shares."""
    if not arrays.keys() >= SHARES:
        return
    expected = (len(arrays["share_columns"]), len(arrays["share_users"]))
    for name in ("share_sums", "share_weights"):
        is_empty = arrays[name].size == 0 and 0 in expected
        if arrays[name].shape != expected and not is_empty:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {expected}")


def _read_array(stream: IO[bytes], n_bytes: int, name: str) -> NDArray[Any]:
    """The array called `name` in `stream`, of so many bytes with its header."""
    start = stream.read(len(START) + LENGTH_BYTES)
    n_in_header = int.from_bytes(start[len(START) :], "little")
    header = HEADER.fullmatch(stream.read(n_in_header))
    if not start.startswith(START) or header is None:
        raise ValueError(f"{name} is no array of numbers or texts as this bench writes them")

    dtype = np.dtype(header["type"].decode())
    shape = tuple(int(length) for length in header["shape"].split(b",") if length.strip())
    n_values = math.prod(shape)
    n_promised = n_values * dtype.itemsize
    n_there = n_bytes - len(start) - n_in_header
    if n_promised != n_there:
        raise ValueError(f"{name} promises {n_promised:,} bytes, and there are {n_there:,}")
    if n_promised == 0:
        return np.empty(shape, dtype)

    values = np.frombuffer(stream.read(n_promised), dtype)
    order: Literal["F", "C"] = "F" if header["in_columns"] == b"True" else "C"
    return values.reshape(shape, order=order).copy(order=order)

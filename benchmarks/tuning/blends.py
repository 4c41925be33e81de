"""What a run keeps of its blends, in `blends.json`: weights, values, and of which answers they are.

A blend is no cell: nothing is fitted, and no time is measured. It stands beside the records, and a
report shows it as long as these are the ones that it was made of.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from recbench.datasets.foundation import UsageError, parse_json
from recbench.datasets.storage import write_atomically

BLENDS_FILE = "blends.json"
SCHEMA = 1


class Blend(BaseModel):
    """A blend of tuned rows, judged on the test parts of all folds."""

    model_config = ConfigDict(frozen=True)

    row: str  # blend[members]
    kind: Literal["ratings", "lists"]
    column: str
    weights: list[dict[str, float]]  # by fold, of each member
    value: float
    interval: tuple[float, float]
    best_member: str  # on the test parts
    best_value: float
    difference: tuple[float, float, float]  # value less best value, and its interval
    p_value: float  # as the interval, adjusted for all pairs of the blend and its members
    beats_best: bool  # better, and significantly different
    answers: list[str]  # the digests of the members' raw answers on the test parts


_BLENDS = TypeAdapter(list[Blend])


def write_blends(directory: Path, blends: Iterable[Blend]) -> Path:
    """Write `blends.json` into the directory of a run; its path."""
    content = {
        "schema": SCHEMA,
        "blends": [blend.model_dump(mode="json") for blend in blends],
    }
    path = directory / BLENDS_FILE
    text = json.dumps(content, sort_keys=True, indent=1, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def read_blends(directory: Path) -> list[Blend]:
    """The blends of a run; none where nobody has made any.

    UsageError, naming the file, if it is damaged or of another schema.
    """
    path = directory / BLENDS_FILE
    try:
        content = parse_json(path.read_bytes())
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise ValueError(f"expected an object of schema {SCHEMA}")
        return _BLENDS.validate_python(content.get("blends"))
    except FileNotFoundError:
        return []
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}. Delete it, and blend again to have it written anew"
        ) from None

"""What a run keeps of its blends, in `blends.json`: weights, values, and of which answers they are.

A blend is no cell: nothing is fitted, and no time is measured. It stands beside the records, and a
report shows it as long as these are the ones that it was made of.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from recbench.benchmarks.tuning.kept_list import KeptList

BLENDS_FILE = "blends.json"


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


_BLENDS = KeptList(BLENDS_FILE, "blends", TypeAdapter(list[Blend]), "blend again")


def write_blends(directory: Path, blends: Iterable[Blend]) -> Path:
    """Write `blends.json` into the directory of a run; its path."""
    return _BLENDS.write(directory, blends)


def read_blends(directory: Path) -> list[Blend]:
    """The blends of a run; none where nobody has made any. UsageError if the file is damaged."""
    return _BLENDS.read(directory)

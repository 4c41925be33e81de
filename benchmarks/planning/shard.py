"""A part of a plan: what one of several machines measures, for `benchmarks.merge` to join."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from recbench.benchmarks.records import Cell
from recbench.datasets.foundation import UsageError

FORM = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count` of a plan, counted from 1."""

    number: int
    count: int

    def pick(self, cells: Sequence[Cell]) -> list[Cell]:
        """Every `count`-th of the planned cells, so that no shard has all of a slow row.

        UsageError if none is left, since there are more shards than cells.
        """
        picked = list(cells[self.number - 1 :: self.count])
        if not picked:
            raise UsageError(
                f"--shard {self}: the plan has {len(cells)} cells, so at most as many shards"
            )
        return picked

    def __str__(self) -> str:
        """As it is typed, such as `2/8`."""
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """The shard that `text` names, such as `2/8`; UsageError for anything else."""
    match = FORM.fullmatch(text)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise UsageError(
            f"--shard {text}: expected NUMBER/COUNT with a number from 1 to the count, such as 2/8"
        )
    return Shard(number, count)

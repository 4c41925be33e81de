"""What is measured: one algorithm, with its parameters, on one fold."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from recbench.datasets.foundation import format_spec, refuse_path

PHASES = ("convert", "fit", "rate", "rank")  # the calls of an algorithm that are timed, each apart


@dataclass(frozen=True)
class Cell:
    """One measurement to be made: what fixes its raw answers, and under which names it is shown."""

    dataset: str
    digest: str  # of the data, and of the split's rows where the data set brings them
    algorithm: str
    parameters: dict[str, Any]  # all hyperparameters, defaults included
    given: dict[
        str, Any
    ]  # those that were set on purpose: what tells two rows of one algorithm apart
    revision: int
    libraries: dict[str, str]  # module -> version of what the adapter wraps
    split: str
    n_folds: int
    fold: int
    seed: int
    protocol: dict[str, Any]
    threads: int
    split_seed: int = 0  # fixes the folds; `seed` fixes initialisations and ties
    source: str = ""  # `source.answers_source`, the code; empty in records of before it was kept

    def __post_init__(self) -> None:
        """UsageError for a name, which may come from a foreign file, that would lead out of `records/`."""
        refuse_path("algorithm", self.algorithm)

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits over everything that fixes the raw answers; names are left out.

        Candidates, ties, cutoffs and thresholds of relevance are part of it; the version of the metrics is not,
        since it changes no answer. Records without a `source` have the key that they were written with.
        """
        fixed = {
            name: value for name, value in asdict(self).items() if name not in ("dataset", "given")
        }
        if self.source:
            fixed["protocol"] = {
                name: value for name, value in self.protocol.items() if name != "version"
            }
        else:
            del fixed["source"]
        return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def row(self) -> str:
        """The name of the table row this cell belongs to, such as `surprise-svd[n_factors=20]`."""
        return format_spec(self.algorithm, self.given)

    @property
    def place(self) -> str:
        """Which part of the row it is: `fold 2`, with its seeds where they are not the same."""
        same = self.seed == self.split_seed
        seeds = "" if same else f" (split seed {self.split_seed}, seed {self.seed})"
        return f"{'' if self.split == 'kfold' else self.split + ' '}fold {self.fold}{seeds}"

    @property
    def name(self) -> str:
        """The file name of its record, without ending."""
        return f"{self.algorithm}-{self.key}"

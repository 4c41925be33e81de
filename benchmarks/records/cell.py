"""What is measured: one algorithm, with its hyperparameters, on one fold."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator

from recbench.datasets.foundation import LONGEST_LINE, format_spec, make_legible, refuse_path

PHASES = ("convert", "fit", "rate", "rank")  # the calls of an algorithm that are timed, each apart

KEY_DIGITS = 12
NAMES = ("dataset", "given")  # fields that say what a cell is called, and fix nothing
OF_TUNING = ("inner", "tuning")  # fields that only cells of tuned rows and trials have
TUNED = " (tuned)"  # at the end of a row's name


def _check_protocol(written: dict[str, Any]) -> dict[str, Any]:
    """ValueError unless it has what `Evaluation.to_json` writes: it comes from a file."""
    cutoffs = written.get("ks")
    if not isinstance(cutoffs, list):
        raise ValueError(f"expected a list of cutoffs in 'ks', got {cutoffs!r}")
    if not all(type(cutoff) is int and cutoff > 0 for cutoff in cutoffs):
        raise ValueError(f"expected cutoffs from 1 up in 'ks', got {cutoffs!r}")
    if not isinstance(written.get("protocols"), dict) or "version" not in written:
        raise ValueError("expected a 'version', and the meaning of each name in 'protocols'")
    return written


@dataclass(frozen=True)
class Cell:
    """One measurement to be made: what fixes its raw answers, and what it is called.

    All fields but `dataset` and `given` fix the answers, as far as the bench can know it, and stand
    in the `key`. The metrics that are made of the answers depend on more: the code of the
    evaluation, which a record names. Times depend on the machine.
    """

    dataset: str
    digest: str  # of the data, and of the split's rows where the data set brings them
    algorithm: str
    parameters: dict[str, Any]  # all hyperparameters, defaults included
    given: dict[str, Any]  # those set on purpose, which tell two rows of one algorithm apart
    revision: int
    libraries: dict[str, str]  # module -> version of what the adapter wraps
    split: str
    n_folds: int
    fold: int
    seed: int  # fixes initialisations and ties
    # As `Evaluation.to_json` writes it, to the letter: it is hashed
    protocol: Annotated[dict[str, Any], AfterValidator(_check_protocol)]
    threads: int
    split_seed: int = 0  # fixes the folds
    source: str = ""  # the code, see `answers_source`; empty in records of before it was kept
    inner: str = ""  # the split that divides the training part again, for a trial of a search
    tuning: dict[str, Any] | None = None  # of a tuned row: how its `parameters` were searched for

    def __post_init__(self) -> None:
        """UsageError for a name from a foreign file that would lead out of `records/`."""
        refuse_path("algorithm", self.algorithm)

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits over everything that fixes the raw answers; names are left out.

        Candidates, ties, cutoffs and relevance thresholds are part of it; the version of the
        metrics is not, since it changes no answer. Records without a `source` have the key that
        they were written with.
        """
        left_out = {*NAMES, *(name for name in OF_TUNING if not getattr(self, name))}
        fixed = {name: value for name, value in asdict(self).items() if name not in left_out}
        if self.source:
            protocol = dict(self.protocol)
            protocol.pop("version", None)
            fixed["protocol"] = protocol
        else:
            del fixed["source"]

        written = json.dumps(fixed, sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()[:KEY_DIGITS]

    @cached_property
    def row(self) -> str:
        """The name of the table row it belongs to, such as `surprise-svd[n_factors=20]`.

        Legible, since the plan may be a stranger's; what is cut has a digest of the whole at its
        end, so that two rows stay two.
        """
        name = format_spec(self.algorithm, self.given)
        if self.tuning is not None:
            name += TUNED
        row = make_legible(name, longest=LONGEST_LINE, keeps_lines=False)
        if len(name) <= LONGEST_LINE:
            return row
        digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()
        return f"{row} {digest[:KEY_DIGITS]}"

    @property
    def untuned_row(self) -> str:
        """The row whose hyperparameters were searched; `row` itself for one that was not tuned."""
        return self.row.removesuffix(TUNED) if self.tuning is not None else self.row

    @property
    def arguments(self) -> dict[str, Any]:
        """What the algorithm is made with: what was set on purpose or, of a tuned row, chosen."""
        return self.given if self.tuning is None else self.parameters

    @property
    def is_untuned(self) -> bool:
        """Whether it is of a tuned row and its hyperparameters are still to be searched."""
        return self.tuning is not None and self.tuning["n_trials"] == 0

    @property
    def seeded_fold(self) -> tuple[int, int]:
        """The seed of the split and the fold: the same test part in every row of a split."""
        return self.split_seed, self.fold

    @property
    def place(self) -> str:
        """Which part of the row it is: `fold 2`, `time fold 0`, with its seeds if they differ."""
        fold = f"fold {self.fold}"
        if self.split != "kfold":
            split = make_legible(self.split, longest=LONGEST_LINE, keeps_lines=False)
            fold = f"{split} {fold}"
        if self.seed != self.split_seed:
            fold += f" (split seed {self.split_seed}, seed {self.seed})"
        if self.inner:
            fold += f", inner {self.inner}"
        return fold

    @property
    def name(self) -> str:
        """The file name of its record, without ending."""
        return f"{self.algorithm}-{self.key}"
